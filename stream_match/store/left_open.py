"""What a process that was killed has left open."""

from stream_match.events import ENDED_STATES, MatchEvent, StatusEvent
from stream_match.store.event_store import Store
from stream_match.store.rows import HeardUntil, Row, parsed

_YEAR_10000_MS = 253_402_300_800_000  # the calendar ends there


def open_matches(store: Store) -> list[MatchEvent]:
    """Return the last word of every match that has started and not ended, in order."""
    # The first of the two decides: a match that has started and has no end.
    query = """
        SELECT seq, payload FROM events WHERE seq IN (
            SELECT (SELECT max(seq) FROM events AS word WHERE word.match_id = begun.match_id)
            FROM events AS begun WHERE kind = 'started' AND NOT EXISTS (
                SELECT 1 FROM events AS over WHERE over.match_id = begun.match_id AND over.kind = 'ended'
            )
        ) ORDER BY seq"""
    return [row.event for row in _rows(store, query) if isinstance(row.event, MatchEvent)]


def open_sources(store: Store) -> list[StatusEvent]:
    """Return the last state of every source that has not ended, in order."""
    query = """
        SELECT seq, payload FROM events WHERE seq IN (
            SELECT max(seq) FROM events WHERE kind = 'status' GROUP BY node, source
        ) ORDER BY seq"""
    states = [row.event for row in _rows(store, query)]
    return [s for s in states if isinstance(s, StatusEvent) and s.state not in ENDED_STATES]


def heard_until(store: Store) -> HeardUntil:
    """Return how far the process before has heard its sources, as it wrote down every few seconds."""
    query = """
        SELECT node, source, time_ms, stream_ms FROM heard
        WHERE typeof(time_ms) = 'integer' AND typeof(stream_ms) = 'integer'
            AND time_ms BETWEEN 0 AND ? AND stream_ms BETWEEN 0 AND ?"""
    with store.read() as reader:
        found = reader.execute(query, (_YEAR_10000_MS - 1, _YEAR_10000_MS - 1)).fetchall()
    return {(str(node), str(source)): (time / 1000, at / 1000) for node, source, time, at in found}


def forget_heard(store: Store) -> None:
    """Forget that once it is told: stream times of the next process are others."""
    with store.changed() as writer:
        writer.execute("DELETE FROM heard")


def _rows(store: Store, query: str) -> list[Row]:
    with store.read() as reader:
        found = reader.execute(query).fetchall()
        return [row for seq, payload in found if (row := parsed(seq, payload)) is not None]
