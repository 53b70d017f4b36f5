"""Names that people gave to clusters and tracks, and what may be named, as the store keeps it."""

import sqlite3
from collections.abc import Mapping
from typing import Literal

from stream_match.events import ClusterEvent
from stream_match.store.carried_over import NAMES
from stream_match.store.event_store import Store
from stream_match.store.rows import parsed

Kind = Literal["cluster", "track"]

NameKey = tuple[str, Kind, str]
"""Source, what is named, and its id."""


def read_names(reader: sqlite3.Connection) -> dict[NameKey, str]:
    """Return all names."""
    found = reader.execute("SELECT source, kind, id, name FROM names").fetchall()
    return {(source, kind, one): str(name) for source, kind, one, name in found}


class NameShelf:
    """The place of all names in a store.

    Parameters
    ----------
    store : Store

    Every method raises `StoreError` if the store cannot be used; nothing has changed then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> dict[NameKey, str]:
        """Return all names."""
        with self._store.read() as reader:
            names = read_names(reader)
        self._store.carried_over.know_all(NAMES, [(*key, name) for key, name in names.items()])
        return names

    def write(self, changes: Mapping[NameKey, str | None]) -> None:
        """Keep names, and forget those that are None now."""
        kept = [(*key, name) for key, name in changes.items() if name is not None]
        gone = [key for key, name in changes.items() if name is None]
        self._store.carried_over.know(NAMES, kept, gone)
        with self._store.changed() as writer:
            writer.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)", kept)
            writer.executemany("DELETE FROM names WHERE source = ? AND kind = ? AND id = ?", gone)

    def was_heard(self, source: str, kind: Kind, one: str) -> bool:
        """Whether a source has told of a cluster or a track, as far as that is kept."""
        query = {
            "cluster": "SELECT 1 FROM sound_counts WHERE source = ? AND cluster_id = ? LIMIT 1",
            "track": "SELECT 1 FROM events WHERE source = ? AND track_id = ? AND kind = 'started' LIMIT 1",
        }[kind]
        with self._store.read() as reader:
            return reader.execute(query, (source, one)).fetchone() is not None

    def merges(self, source: str) -> dict[str, str]:
        """Return which cluster became a part of which, for what is kept."""
        query = "SELECT seq, payload FROM events WHERE kind = 'cluster' AND source = ? ORDER BY seq"
        with self._store.read() as reader:
            found = reader.execute(query, (source,)).fetchall()
        told = [row.event for seq, payload in found if (row := parsed(seq, payload)) is not None]
        return {
            gone: event.cluster_id
            for event in told
            if isinstance(event, ClusterEvent) and event.change == "merged"
            for gone in event.from_
        }
