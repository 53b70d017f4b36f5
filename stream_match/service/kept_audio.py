"""The audio that a listener keeps: of which sources, where, and by whom it is written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stream_match.clips import Clip, ClipFolder, SourceAudio
from stream_match.config import ClipSettings, ListenSettings
from stream_match.errors import UsageError
from stream_match.service.claim import claimed
from stream_match.service.clip_keeper import END_PATIENCE_S, STOP_PATIENCE_S, ClipKeeper
from stream_match.service.world import World
from stream_match.store.event_store import Store

CLIPS = "clips"
"""Name of the folder of clips in the state folder."""


class KeptAudio:
    """The audio of all sources of which anything is kept.

    Parameters
    ----------
    settings : ClipSettings
        By default nothing is kept.
    keeper : ClipKeeper or None
        Writes clips; None if there are none.
    """

    def __init__(
        self,
        settings: ClipSettings = ClipSettings(),  # noqa: B008, a frozen value
        keeper: ClipKeeper | None = None,
    ) -> None:
        self._settings = settings
        self._keeper = keeper
        self._sources: dict[str, SourceAudio] = {}

    @property
    def folder(self) -> ClipFolder | None:
        """The folder of clips; None if none are written."""
        return None if self._keeper is None else self._keeper.folder

    @property
    def buffer_s(self) -> float:
        """How much of each source is held for marks at most [seconds]; 0 if none is."""
        return self._settings.buffer_seconds

    def begin(self, source: str, *, allowed: bool = True) -> SourceAudio:
        """Return what holds the audio of a source that begins.

        Parameters
        ----------
        source : str
            What was held under this name is forgotten.
        allowed : bool
            Whether anything of it may be kept.
        """
        self.forget(source)
        if not allowed:
            return SourceAudio(source)
        keep = _to_nobody if self._keeper is None else self._keeper.keep
        self._sources[source] = SourceAudio(source, self._settings, keep)
        return self._sources[source]

    def forget(self, source: str) -> None:
        """Hold nothing of a source any more for marks."""
        self._sources.pop(source, None)

    async def room(self) -> None:
        """Wait while many clips wait to be written; see `ClipKeeper.room`."""
        if self._keeper is not None:
            await self._keeper.room()

    def of(self, source: str) -> SourceAudio | None:
        """Return the audio of a source; None if nothing is kept of it."""
        return self._sources.get(source)


def _to_nobody(_: Clip) -> None:
    """Take a clip where none are written."""


@asynccontextmanager
async def kept_audio(
    settings: ListenSettings,
    store: Store | None,
    world: World,
    stop: asyncio.Event,
) -> AsyncIterator[KeptAudio]:
    """Keep audio as the settings say, and write clips for as long as the block runs.

    Parameters
    ----------
    settings : ListenSettings
    store : Store or None
        Of the events that clips belong to.
    world : World
    stop : asyncio.Event
        Set if the end comes by request: then there is less time for what is not written yet.

    Raises
    ------
    UsageError
        If there is no folder for clips.
    StreamMatchError
        If it cannot be made, or another listener writes it.
    """
    clips = settings.clips
    if not clips.written:
        yield KeptAudio(clips)
        return
    path = clips_folder(settings)
    with claimed(path, "folder of clips"):
        since = (lambda: None) if store is None else store.forgotten_before
        keeper = ClipKeeper(ClipFolder(path), clips, world, since)
        task = asyncio.create_task(keeper.run(), name="keep clips")
        try:
            yield KeptAudio(clips, keeper)
        finally:
            await keeper.end(task, patience_s=STOP_PATIENCE_S if stop.is_set() else END_PATIENCE_S)


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
