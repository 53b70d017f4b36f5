"""The tables of a store, and how an older store becomes one of today."""

import sqlite3

from stream_match.errors import StoreError

APPLICATION_ID = 0x736D_6576
"""Says in the file's header that it is a store of ours."""

_FIRST = (
    # A number is never given twice, not even after the newest row was deleted: hence AUTOINCREMENT.
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        node TEXT NOT NULL,
        source TEXT NOT NULL,
        kind TEXT NOT NULL,         -- the phase of a match, the type of anything else
        match_id TEXT,
        track_id TEXT,
        time_ms INTEGER NOT NULL,   -- when it was heard, since 1970
        payload TEXT NOT NULL       -- the very JSON that is published
    )""",
    "CREATE INDEX events_by_match ON events (match_id, kind) WHERE match_id IS NOT NULL",
    "CREATE INDEX events_by_kind ON events (kind, time_ms)",
    "CREATE INDEX events_by_track ON events (track_id, source, time_ms) WHERE kind = 'started'",
    # All up to this number have arrived: a sink delivers in order.
    "CREATE TABLE sinks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE sound_counts (
        minute INTEGER NOT NULL,    -- since 1970
        source TEXT NOT NULL,
        cluster_id TEXT NOT NULL,
        sounds INTEGER NOT NULL,
        PRIMARY KEY (minute, source, cluster_id)
    ) WITHOUT ROWID""",
    # What was learnt of a source's sounds; those set aside have a number above 0.
    """CREATE TABLE sound_memories (
        source TEXT NOT NULL,
        aside INTEGER NOT NULL DEFAULT 0,
        prefix TEXT NOT NULL,
        memory TEXT NOT NULL,
        why TEXT,
        PRIMARY KEY (source, aside)
    )""",
)

_SECOND = (
    # What people call a cluster or a track of a source.
    """CREATE TABLE names (
        source TEXT NOT NULL,
        kind TEXT NOT NULL,         -- cluster or track
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (source, kind, id)
    ) WITHOUT ROWID""",
    # Sources that are not to be listened to.
    "CREATE TABLE pauses (source TEXT PRIMARY KEY) WITHOUT ROWID",
    # Sources that Home Assistant was told of, so that it can be told that they are gone.
    """CREATE TABLE announcements (
        prefix TEXT NOT NULL,
        node TEXT NOT NULL,
        source TEXT NOT NULL,
        PRIMARY KEY (prefix, node, source)
    ) WITHOUT ROWID""",
)

_THIRD = (
    # How far sources were heard: should the process be killed, the next one tells it, and deletes this.
    """CREATE TABLE heard (
        node TEXT NOT NULL,
        source TEXT NOT NULL,
        time_ms INTEGER NOT NULL,   -- when the last of it was heard, since 1970
        stream_ms INTEGER NOT NULL, -- its stream time
        PRIMARY KEY (node, source)
    ) WITHOUT ROWID""",
)

MIGRATIONS = (_FIRST, _SECOND, _THIRD)
"""Statements that lead from one `user_version` to the next. Append; never change what was released."""

VERSION = len(MIGRATIONS)


def check_to_read(connection: sqlite3.Connection) -> None:
    """Refuse to read what is no store of `VERSION`.

    Raises
    ------
    StoreError
        If it is another one.
    """
    version = _checked(connection)
    if version < VERSION:
        raise StoreError("older", f"it has version {version}: start a listener with it once, which renews it")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to `VERSION`, in one transaction.

    Raises
    ------
    StoreError
        ``newer`` if a later version of this program wrote it, ``damaged`` if it is no store.
    """
    version = _checked(connection)
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate_from(version, connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether it is a store of this program, of whatever version."""
    return _number(connection, "application_id") == APPLICATION_ID


def _checked(connection: sqlite3.Connection) -> int:
    """Return the version of a store that this program may know."""
    version = _number(connection, "user_version")
    if version > VERSION:
        raise StoreError(
            "newer", f"it has version {version}, and this program knows up to {VERSION}: update the program"
        )
    if version and not is_ours(connection):
        raise StoreError("damaged", "it is no store of stream_match")
    return version


def _migrate_from(version: int, connection: sqlite3.Connection) -> None:
    if not version and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StoreError("damaged", "it is no store of stream_match")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
