"""What a process that was killed has left open."""

from stream_match.events import MatchEvent, StatusEvent
from stream_match.store.event_store import Store
from stream_match.store.rows import Row, parsed

ENDED_STATES = ("stopped", "failed")


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


def _rows(store: Store, query: str) -> list[Row]:
    with store.read() as reader:
        found = reader.execute(query).fetchall()
        return [row for seq, payload in found if (row := parsed(seq, payload)) is not None]
