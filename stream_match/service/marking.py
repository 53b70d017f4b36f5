"""A stretch of what was heard becomes a reference of the index, while all go on listening."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.clips.samples import Int16, read_stretch
from stream_match.errors import CatalogError, UsageError
from stream_match.service.beside import beside
from stream_match.service.control import Powers
from stream_match.service.kept_audio import KeptAudio
from stream_match.service.sources import Sources
from stream_match.service.world import World

SLACK_S = 0.05
"""By so much a stretch may be shorter than was asked for [seconds]: times are told rounded."""


class Marker:
    """Makes references of what sources have heard, and of clips; one at a time.

    Parameters
    ----------
    kept : KeptAudio
        What there is to be marked.
    index_of : callable (str) -> Path or str or None
        Returns the folder of the index that a source uses.
    look : callable ()
        Lets them take up what is new in it at once.
    world : World
        A thread that may hang.
    """

    def __init__(
        self,
        kept: KeptAudio,
        index_of: Callable[[str], Path | str | None],
        look: Callable[[], None],
        world: World,
    ) -> None:
        self._kept = kept
        self._index_of = index_of
        self._look = look
        self._world = beside(world, "the indexes and clips that are marked", CatalogError)
        self._one_at_a_time = asyncio.Lock()

    async def mark(self, source: str, from_s: float, to_s: float | None, name: str) -> dict[str, Any]:
        """Make a stretch of a source a reference.

        Parameters
        ----------
        source : str
        from_s, to_s : float or None
            Stream times [seconds]. A negative `from_s` counts back from now, and `to_s` is None then; what of
            that is held without a break is taken.
        name : str
            Its title.

        Returns
        -------
        dict
            ``track`` (id), ``title``, ``source``, ``from_s``, ``to_s``, ``seconds``, ``index``.

        Raises
        ------
        UsageError
            If there is no such audio, or it makes no reference; one sentence.
        CatalogError
            If the index cannot be written.
        """
        y, begins_s = self._heard(source, from_s, to_s)
        return {"source": source, **await self._mark(source, y, begins_s, name)}

    async def mark_clip(
        self, clip: str, name: str, *, from_s: float = 0.0, to_s: float | None = None
    ) -> dict[str, Any]:
        """Make a stretch of a clip a reference.

        Parameters
        ----------
        clip : str
            As in events.
        name : str
            Its title.
        from_s, to_s : float [seconds]
            In the clip; all of it by default.

        Returns
        -------
        dict
            ``track``, ``title``, ``clip``, ``from_s``, ``to_s``, ``seconds``, ``index``.

        Raises
        ------
        UsageError
            If there is no such clip, or it makes no reference.
        CatalogError
            If the index cannot be written.
        SourceError
            If the clip cannot be read.
        """
        path = None if self._kept.folder is None else self._kept.folder.find(clip)
        if path is None:
            raise UsageError(
                f"There is no clip {clip[:200]!r}: give the clip of an event, if it was not deleted."
            )
        y = await self._world.aside(lambda: read_stretch(path, from_s, to_s))
        return {"clip": clip, **await self._mark(clip.partition("/")[0], y, from_s, name)}

    def _heard(self, source: str, from_s: float, to_s: float | None) -> tuple[Int16, float]:
        audio, held_s = self._kept.of(source), self._kept.buffer_s
        if audio is None or not held_s:
            raise UsageError(
                f"No audio of {source!r} is held: set buffer_seconds in [clips], and not clips = false for "
                "the source."
            )
        if from_s < 0 or to_s is None:
            return audio.newest(min(abs(from_s), held_s))
        y, begins_s = audio.between(from_s, to_s)
        if y.size / SAMPLE_RATE_HZ < to_s - from_s - SLACK_S:
            raise UsageError(
                f"Of {source!r} from {from_s:g} s to {to_s:g} s, {y.size / SAMPLE_RATE_HZ:.1f} s are held "
                f"without a gap: it was heard up to {audio.end_s:.1f} s, and {held_s:g} s are held "
                "at most."
            )
        return y, begins_s

    async def _mark(self, source: str, y: Int16, begins_s: float, name: str) -> dict[str, Any]:
        index = self._index_of(source)
        if index is None:
            raise UsageError(
                f"There is no index of {source!r} that a reference could be added to: set index."
            )
        if isinstance(index, str):
            raise UsageError(
                "References are added to index folders, and this index is on a server: add a file with "
                "stream-match index add URI PATH."
            )
        from stream_match.catalog.marked import mark_track

        async with self._one_at_a_time:
            track = await self._world.aside(lambda: mark_track(index, y, name))
        self._look()
        seconds = y.size / SAMPLE_RATE_HZ
        return {
            "track": track,
            "title": name.strip(),
            "from_s": round(begins_s, 3),
            "to_s": round(begins_s + seconds, 3),
            "seconds": round(seconds, 3),
            "index": str(index),
        }


def with_marks(powers: Powers, kept: KeptAudio, sources: Sources, world: World) -> Powers:
    """Return what a control room can do, marks of what is kept included.

    Parameters
    ----------
    powers : Powers
    kept : KeptAudio
    sources : Sources
        Each may have an index of its own.
    world : World
    """

    def index_of(source: str) -> Path | str | None:
        wanted = sources.wanted.get(source)
        return None if wanted is None else wanted.heard.index

    def look() -> None:
        for catalogue in sources.catalogues:
            catalogue.look()

    marker = Marker(kept, index_of, look, world)
    return replace(
        powers,
        mark=marker.mark if kept.buffer_s else powers.mark,
        mark_clip=powers.mark_clip if kept.folder is None else marker.mark_clip,
    )
