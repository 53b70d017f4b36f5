"""The control room: what a listener can be asked while it listens, whoever asks.

One method per request. Each takes and returns what JSON can hold. Requests over MQTT (`service.requests`) and
the page both come here.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from stream_match.errors import UsageError
from stream_match.service.name_book import NameBook

log = logging.getLogger(__name__)

Answer = dict[str, Any]
"""What JSON can hold."""

LONGEST_MARK_S = 3600.0
"""Longest stretch that may be marked [seconds]."""


class Controlled(Protocol):
    """A source as the control room sees it; `service.steering.Steering` is one."""

    @property
    def name(self) -> str:
        """Its name in topics."""

    @property
    def paused(self) -> bool:
        """Whether it is not to be listened to."""

    @property
    def state(self) -> str | None:
        """The state that was last told."""

    @property
    def max_false_alarms_per_hour(self) -> float | None:
        """What is put up with; None if no tracks are looked for."""

    async def pause(self, *, paused: bool) -> None:
        """Cease to listen, or begin again; returns when that is remembered."""

    async def near_misses(self) -> list[Answer]:
        """Return what nearly matched of late, best first."""

    async def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim with another threshold from now on."""


class Mark(Protocol):
    """Makes a stretch of what was heard a reference of the index."""

    async def __call__(self, source: str, from_s: float, to_s: float | None, name: str) -> Answer:
        """Mark from one stream time to another; a negative `from_s` counts back from now, None is now."""


class MarkClip(Protocol):
    """Makes a stretch of a clip a reference of the index."""

    async def __call__(self, clip: str, name: str, *, from_s: float, to_s: float | None) -> Answer:
        """Mark from one second of the clip to another; None is its end."""


@dataclass(frozen=True)
class Powers:
    """What the control room can do beyond its sources. None stands for what this listener has not.

    Attributes
    ----------
    reload
        Reads settings and index again; returns what has changed.
    has_track
        Whether the index has a track of an id.
    mark
        Makes a stretch of what was heard a reference.
    mark_clip
        Makes a stretch of a clip a reference.
    health
        Returns how everything is.
    """

    reload: Callable[[], Awaitable[Answer]] | None = None
    has_track: Callable[[str], bool] | None = None
    mark: Mark | None = None
    mark_clip: MarkClip | None = None
    health: Callable[[], Awaitable[Answer]] | None = None


class Control:
    """Does what a listener is asked for.

    Parameters
    ----------
    sources : callable () -> iterable of Controlled
        Returns all sources that are listened to now.
    names : NameBook
        Names that people gave to clusters and tracks.
    powers : Powers, optional
        What else there is.

    Attributes
    ----------
    changed : callable ()
        Called when a setting has changed.

    Every method raises `UsageError` with one sentence if it cannot be done as asked.
    """

    def __init__(
        self,
        sources: Callable[[], Iterable[Controlled]],
        names: NameBook,
        powers: Powers | None = None,
    ) -> None:
        self._listened = sources
        self._names = names
        self.powers = powers or Powers()
        self.changed: Callable[[], object] = lambda: None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all sources."""
        return tuple(source.name for source in self._listened())

    async def reload(self) -> Answer:
        """Read again what may have changed on disk; the answer says what has."""
        if self.powers.reload is None:
            raise UsageError(
                "This listener has nothing to reload: it has neither an index nor a file of settings."
            )
        return await self.powers.reload()

    async def pause(self, source: str, *, paused: bool = True) -> Answer:
        """Cease to listen to a source: its matches end, and its status says ``paused``."""
        asked = self._source(source)
        await asked.pause(paused=paused)
        return {"source": source, "paused": asked.paused}

    async def resume(self, source: str) -> Answer:
        """Listen to a source again."""
        return await self.pause(source, paused=False)

    async def candidates(self, source: str) -> Answer:
        """Return what nearly matched in the last minute of a source, and why it was not claimed."""
        asked = self._source(source)
        return {"source": source, "state": asked.state, "candidates": await asked.near_misses()}

    async def name(
        self, source: str, name: str | None, *, cluster: str | None = None, track: str | None = None
    ) -> Answer:
        """Give a cluster or a track of a source the name that its events carry from then on.

        Parameters
        ----------
        source : str
        name : str or None
            None, or an empty text, takes the name away.
        cluster, track : str
            Id of the one or the other.
        """
        self._source(source)
        return await self._names.give(source, name, cluster=cluster, track=track)

    async def mark(
        self,
        source: str,
        name: str,
        *,
        from_s: float | None = None,
        to_s: float | None = None,
        last_seconds: float | None = None,
        clip: str | None = None,
    ) -> Answer:
        """Make a stretch of what was heard a reference of the index: "find this ever after".

        Parameters
        ----------
        source : str
        name : str
            What it is called.
        from_s, to_s : float [seconds]
            Stream times.
        last_seconds : float, > 0
            Instead: how far back from now.
        clip : str, optional
            A clip of the source, as in an event. `from_s` and `to_s` are then seconds of the clip, and all of
            it is the default.
        """
        self._source(source)
        if not name.strip():
            raise UsageError("A reference needs a name: give one that says what it is.")
        if clip is not None:
            return await self._mark_clip(source, name.strip(), clip, from_s, to_s, last_seconds)
        begin_s, end_s = _stretch(from_s, to_s, last_seconds)
        if self.powers.mark is None:
            raise UsageError("This listener keeps no audio that could be marked: see its settings for clips.")
        return await self.powers.mark(source, begin_s, end_s, name.strip())

    async def _mark_clip(
        self,
        source: str,
        name: str,
        clip: str,
        from_s: float | None,
        to_s: float | None,
        last_seconds: float | None,
    ) -> Answer:
        if self.powers.mark_clip is None:
            raise UsageError("This listener keeps no clips: see its settings for clips.")
        if last_seconds is not None:
            raise UsageError("Of a clip, give from_s and to_s; last_seconds is of what is heard now.")
        if not clip.startswith(f"{source}/"):
            raise UsageError(
                f"{clip[:200]!r} is no clip of {source!r}: give the clip of an event of that source."
            )
        return await self.powers.mark_clip(clip, name, from_s=from_s or 0.0, to_s=to_s)

    async def false_alarms(self, source: str, max_false_alarms_per_hour: float) -> Answer:
        """Claim matches of a source with another budget of false alarms, until the next start."""
        asked = self._source(source)
        if not (0 < max_false_alarms_per_hour < math.inf):
            raise UsageError(
                f"{max_false_alarms_per_hour:g} is no budget of false alarms an hour: give a number above 0."
            )
        await asked.put_up_with(max_false_alarms_per_hour)
        self.changed()
        return {"source": source, "max_false_alarms_per_hour": max_false_alarms_per_hour}

    async def health(self) -> Answer:
        """Return how everything is."""
        if self.powers.health is None:
            return {"sources": [{"source": one.name, "state": one.state} for one in self._listened()]}
        return await self.powers.health()

    def _source(self, name: str) -> Controlled:
        for source in self._listened():
            if source.name == name:
                return source
        raise UsageError(f"There is no source {name!r}: this listener has {', '.join(self.sources)}.")


def _stretch(
    from_s: float | None, to_s: float | None, last_seconds: float | None
) -> tuple[float, float | None]:
    """Return from when to when, as `Mark` takes it."""
    if last_seconds is not None and (from_s, to_s) == (None, None):
        begin_s, end_s, length_s = -last_seconds, None, last_seconds
    elif last_seconds is None and from_s is not None and to_s is not None:
        begin_s, end_s, length_s = from_s, to_s, to_s - from_s
    else:
        raise UsageError(
            "A stretch has two ways to be told: from_s and to_s, or last_seconds; give one of them."
        )
    if not 0 < length_s <= LONGEST_MARK_S or (end_s is not None and begin_s < 0):
        raise UsageError(
            f"A stretch of {length_s:g} s cannot be marked: give {LONGEST_MARK_S:.0f} s of the past at most."
        )
    return begin_s, end_s
