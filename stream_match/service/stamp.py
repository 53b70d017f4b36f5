"""Who says it and when: ids, the time of hearing, and events made of facts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stream_match.events import (
    ClusterEvent,
    ClusterFacts,
    Event,
    Facts,
    GenreEvent,
    GenreFacts,
    MatchEvent,
    MatchFacts,
    OnsetClusterEvent,
    OnsetClusterFacts,
    OnsetEvent,
    SoundsLikeEvent,
    SoundsLikeFacts,
    StatusEvent,
)
from stream_match.service.world import World

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # ULID's alphabet: sorts as the numbers do
_COUNTER_BITS = 16
_RANDOM_BITS = 64
_ID_LETTERS = 26

WINDOW_S = 60.0
"""Audio over which the earliest arrival is sought: long enough for some block to have come without delay,
short enough to follow a sound card whose clock is off by a few parts in ten thousand."""


class EventIds:
    """Makes ids that are unique and sort in the order in which they were made.

    As ULIDs: 48 bits of milliseconds, then, here, 16 bits that count within one millisecond and 64 of
    chance. A clock that is set back does not unsort them.

    Parameters
    ----------
    now : callable () -> float
        Seconds since 1970.
    random_bits : callable (int) -> int
        So many random bits.
    """

    def __init__(self, now: Callable[[], float], random_bits: Callable[[int], int]) -> None:
        self._now = now
        self._random_bits = random_bits
        self._last = 0  # milliseconds and count in one number: a count that overflows goes on to the next

    def go_on_after(self, event_id: str) -> None:
        """Make ids behind one of an earlier process, though the clock may have been set back since."""
        if len(event_id) == _ID_LETTERS and set(event_id) <= set(_CROCKFORD):
            number = sum(
                _CROCKFORD.index(letter) << 5 * place for place, letter in enumerate(reversed(event_id))
            )
            self._last = max(self._last, number >> _RANDOM_BITS)

    def __call__(self) -> str:
        """Return the next id: 26 letters and digits."""
        self._last = max(self._last + 1, int(self._now() * 1000) << _COUNTER_BITS)
        number = (self._last << _RANDOM_BITS) | self._random_bits(_RANDOM_BITS)
        return "".join(_CROCKFORD[(number >> 5 * place) & 31] for place in reversed(range(_ID_LETTERS)))


class HeardClock:
    """Tells when a place in a stream was heard, in monotonic seconds.

    Audio can come late but never before it was heard, so the place's time is that of the earliest
    arrival, over the last minute or two: what one block was late does not move the time of all others.
    The wall clock is no part of it: one that is set would move the past.

    Parameters
    ----------
    start : float
        Monotonic seconds at which the stream's beginning was heard.
    """

    def __init__(self, start: float) -> None:
        self._anchor = start
        self._earliest = start
        self._since_s = 0.0

    def begin(self, arrived: float, stream_s: float) -> None:
        """Forget what was: what is at `stream_s` was heard at the time `arrived`."""
        self._anchor = self._earliest = arrived - stream_s
        self._since_s = stream_s

    def hear(self, arrived: float, stream_s: float) -> None:
        """Take note that what is at `stream_s` was here at the time `arrived`."""
        anchor = arrived - stream_s
        self._earliest = min(self._earliest, anchor)
        self._anchor = min(self._anchor, anchor)
        if stream_s - self._since_s >= WINDOW_S:
            self._anchor, self._earliest, self._since_s = self._earliest, anchor, stream_s

    def at(self, stream_s: float) -> float:
        """Return the time at which `stream_s` was heard [monotonic seconds]."""
        return self._anchor + stream_s


class Stamper:
    """Makes events of what is said about one source.

    Parameters
    ----------
    node, source : str
        Names in topics.
    source_name : str or None
        What a person calls the source.
    ids : callable () -> str
        Makes event ids.
    name_of : callable (str, Facts) -> str or None, optional
        Told of what was heard in a source; returns what a person calls that cluster or track.
    clip_of : callable (Facts) -> str or None, optional
        Told of what was heard, in order; returns the name of the clip that belongs to it.
    """

    def __init__(
        self,
        node: str,
        source: str,
        source_name: str | None,
        ids: Callable[[], str],
        name_of: Callable[[str, Facts], str | None] = lambda _, __: None,
        clip_of: Callable[[Facts], str | None] = lambda _: None,
    ) -> None:
        self.source = source
        self._who: dict[str, Any] = {"node": node, "source": source, "source_name": source_name}
        self._ids = ids
        self._name_of = name_of
        self._clip_of = clip_of

    def event(self, facts: Facts, time: float, *, reason: str | None = None) -> Event:
        """Make the event of what was heard at `time` [seconds since 1970].

        Parameters
        ----------
        facts : Facts
        time : float
        reason : str, optional
            Why a match has ended, if that was not heard.
        """
        # Not through model_dump: the facts were checked when they were made.
        fields: dict[str, Any] = {**vars(facts), "event_id": self._ids(), "time": utc(time), **self._who}
        of_it: dict[str, Any] = {"name": self._name_of(self.source, facts), "clip": self._clip_of(facts)}
        if isinstance(facts, MatchFacts):
            ended = facts.phase == "ended"
            fields |= {"event_type": f"match_{facts.phase}", "reason": reason if ended else None}
            return MatchEvent(**fields, **of_it)
        if isinstance(facts, ClusterFacts):
            fields["event_type"] = f"cluster_{facts.change}"
            return ClusterEvent(**fields, **of_it)
        if isinstance(facts, SoundsLikeFacts):
            return SoundsLikeEvent(**fields)
        if isinstance(facts, GenreFacts):
            return GenreEvent(**fields)
        if isinstance(facts, OnsetClusterFacts):
            return OnsetClusterEvent(**fields, **of_it)
        return OnsetEvent(**fields)

    def status(self, time: float, **fields: Any) -> StatusEvent:
        """Make the event of a state."""
        return StatusEvent(event_id=self._ids(), time=utc(time), **self._who, **fields)


def utc(time: float) -> datetime:
    """Return a time of day, to the millisecond, from seconds since 1970."""
    return datetime.fromtimestamp(round(time, 3), UTC)


def event_ids(world: World) -> EventIds:
    """Return the ids of one service."""
    return EventIds(world.now, world.random_bits)
