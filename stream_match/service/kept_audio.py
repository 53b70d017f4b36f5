"""The audio that a listener keeps: of which sources, where, and by whom it is written."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stream_match.clips import ClipFolder, SourceAudio
from stream_match.config import ListenSettings
from stream_match.errors import UsageError
from stream_match.service.claim import claimed
from stream_match.service.clip_keeper import ClipKeeper
from stream_match.service.world import World
from stream_match.store.event_store import Store

CLIPS = "clips"
"""Name of the folder of clips in the state folder."""


@dataclass(frozen=True)
class KeptAudio:
    """What is kept.

    Attributes
    ----------
    sources : dict of str to SourceAudio
        Of those sources of which anything is kept.
    folder : ClipFolder or None
        None if no clips are written.
    """

    sources: dict[str, SourceAudio] = field(default_factory=dict)
    folder: ClipFolder | None = None


@asynccontextmanager
async def kept_audio(
    settings: ListenSettings,
    names: Sequence[str],
    store: Store | None,
    world: World,
) -> AsyncIterator[KeptAudio]:
    """Keep audio as the settings say, and write clips for as long as the block runs.

    Parameters
    ----------
    settings : ListenSettings
    names : sequence of str
        Of the sources, in the order of the settings.
    store : Store or None
        Of the events that clips belong to.
    world : World

    Raises
    ------
    UsageError
        If there is no folder for clips, it cannot be made, or another listener writes it.
    """
    clips = settings.clips
    wanted = [name for name, source in zip(names, settings.sources, strict=True) if source.clips]
    if not clips.written:
        buffered = {name: SourceAudio(name, clips) for name in wanted if clips.buffer_seconds}
        yield KeptAudio(buffered)
        return
    path = clips_folder(settings)
    with claimed(path, "folder of clips"):
        keeper = ClipKeeper(
            ClipFolder(path), clips, world, (lambda: None) if store is None else store.first_time
        )
        task = asyncio.create_task(keeper.run(), name="keep clips")
        try:
            yield KeptAudio({name: SourceAudio(name, clips, keeper.keep) for name in wanted}, keeper.folder)
        finally:
            await keeper.end(task)


def clips_folder(settings: ListenSettings) -> Path:
    """Return where clips are kept.

    Raises
    ------
    UsageError
        If the settings do not say.
    """
    if settings.clips.folder is not None:
        return settings.clips.folder
    if settings.state is None:
        raise UsageError("Clips need a folder: set folder in [clips], or state (--state DIR).")
    return settings.state / CLIPS
