"""What is kept, and what is deleted first."""

import sqlite3
from dataclasses import dataclass

from stream_match.events import WORTH

DAY_S = 86_400

PORTION = 500
"""Rows that are deleted in one transaction: events must not wait long for it."""


@dataclass(frozen=True)
class Limits:
    """What is kept.

    Attributes
    ----------
    days : float
        Events and counts of sounds older than this are deleted.
    update_days : float
        Updates of matches that have arrived are deleted sooner. They are nine tenths of what is told, and
        an airing has its beginning and its end.
    bytes : int
        The store's size, beyond which the oldest events that have arrived and the oldest counts of sounds
        are deleted. If that is not enough, events that have not arrived follow, the least worth first, but
        never the end of a match.
    """

    days: float = 400.0
    update_days: float = 7.0
    bytes: int = 512 << 20


@dataclass(frozen=True)
class Pruned:
    """What was deleted.

    Attributes
    ----------
    more : bool
        Whether there is more to delete.
    lost : int
        How many events had not arrived everywhere.
    events : int
        How many events were deleted, updates of matches that went sooner apart.
    """

    more: bool
    lost: int = 0
    events: int = 0


def prune(connection: sqlite3.Connection, limits: Limits, now: float, delivered: int | None) -> Pruned:
    """Delete a portion of what is too old or too much; see `Store.prune`."""
    arrived = (1 << 63) - 1 if delivered is None else delivered
    too_old = _delete_if_too_old(connection, limits, now, arrived)
    if too_old.more or _bytes(connection) <= limits.bytes:
        return too_old
    if _delete_oldest_counts(connection, arrived):
        return Pruned(more=True)
    if oldest := _delete(connection, "seq <= ? ORDER BY seq", arrived):
        return Pruned(more=True, events=oldest)
    for kind in WORTH:
        if lost := _delete(connection, "kind = ? ORDER BY time_ms", kind):
            return Pruned(more=True, lost=lost, events=lost)
    return Pruned(more=False)


def _delete_if_too_old(connection: sqlite3.Connection, limits: Limits, now: float, arrived: int) -> Pruned:
    """Delete a portion of old rows."""
    oldest_ms = round((now - limits.days * DAY_S) * 1000)
    counts = _delete_counts(connection, oldest_ms // 60_000)
    updates_ms = round((now - limits.update_days * DAY_S) * 1000)
    updates = _delete(connection, "kind = 'updated' AND time_ms < ? AND seq <= ?", updates_ms, arrived)
    before = _count(connection, arrived)
    old = _delete(connection, f"kind IN ({_ALL_KINDS}) AND time_ms < ?", oldest_ms)
    lost = before - _count(connection, arrived) if old else 0
    return Pruned(more=bool(counts or updates or old), lost=lost, events=old)


def _delete_oldest_counts(connection: sqlite3.Connection, arrived: int) -> int:
    """Delete a portion of the counts that are older than all events that have arrived; return how many."""
    # Of all that would go: one event whose clock was ahead must not take all counts with it.
    oldest = connection.execute(
        f"SELECT min(time_ms) FROM (SELECT time_ms FROM events WHERE seq <= ? ORDER BY seq LIMIT {PORTION})",  # noqa: S608
        (arrived,),
    ).fetchone()[0]
    before = None if oldest is None else int(oldest) // 60_000
    return _delete_counts(connection, before)


def _delete_counts(connection: sqlite3.Connection, before: int | None) -> int:
    """Delete a portion of the counts of sounds, of all minutes or of those before one; return how many."""
    which = "" if before is None else "WHERE minute < ?"
    last = connection.execute(
        f"SELECT max(minute) FROM (SELECT minute FROM sound_counts {which} ORDER BY minute LIMIT {PORTION})",  # noqa: S608
        () if before is None else (before,),
    ).fetchone()[0]
    return connection.execute("DELETE FROM sound_counts WHERE minute <= ?", (last,)).rowcount


def _delete(connection: sqlite3.Connection, which: str, *values: object) -> int:
    """Delete a portion of the rows of a condition; return how many there were."""
    query = f"DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE {which} LIMIT {PORTION})"  # noqa: S608
    return connection.execute(query, values).rowcount


def _count(connection: sqlite3.Connection, arrived: int) -> int:
    return int(connection.execute("SELECT count(*) FROM events WHERE seq > ?", (arrived,)).fetchone()[0])


def _bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file is in use; what was deleted is used again."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


# Named, so that the index of kinds and times serves.
_ALL_KINDS = ", ".join(f"'{kind}'" for kind in (*WORTH, "ended"))
