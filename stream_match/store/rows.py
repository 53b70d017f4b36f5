"""Rows of a store, and what is written at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream_match.events import Event, MatchEvent, from_json, kind_of

SoundCounts = Mapping[tuple[int, str, str], int]
"""Minute since 1970, source, cluster → how many sounds."""

HeardUntil = Mapping[tuple[str, str], tuple[float, float]]
"""Node, source → when the last of it was heard [seconds since 1970], and its stream time [seconds]."""


@dataclass(frozen=True)
class Row:
    """An event as it is stored.

    Parameters
    ----------
    seq : int
        Its place in the order of all events.
    event : Event
    payload : str
        Its JSON.
    """

    seq: int
    event: Event
    payload: str


@dataclass(frozen=True)
class Batch:
    """What is written at once: all of it or nothing.

    Parameters
    ----------
    rows : sequence of Row
        In order.
    positions : mapping of str to int
        Sink → number up to which everything has arrived.
    sounds : SoundCounts
        Sounds heard since the last batch.
    heard : HeardUntil
        How far sources were heard.
    """

    rows: Sequence[Row] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    sounds: SoundCounts = field(default_factory=dict)
    heard: HeardUntil = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.positions or self.sounds or self.heard)


def values(row: Row) -> tuple[object, ...]:
    """Return the values of the columns of a row behind its number."""
    event = row.event
    match = event if isinstance(event, MatchEvent) else None
    return (
        event.event_id,
        event.node,
        event.source,
        kind_of(event),
        match and match.match_id,
        match and match.track.id,
        round(event.time.timestamp() * 1000),
        row.payload,
    )


def parsed(seq: int, payload: str) -> Row | None:
    """Return the row of a number and its JSON; None if that is no event of this version."""
    try:
        return Row(seq, from_json(payload), payload)
    except ValueError:  # of a later version that was taken back, or damaged
        return None
