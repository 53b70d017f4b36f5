"""Which sources Home Assistant was told of, as the store keeps it: they may have to be taken back."""

from collections.abc import Iterable

from stream_match.store.carried_over import ANNOUNCEMENTS
from stream_match.store.event_store import Store

Announcement = tuple[str, str, str]
"""Prefix of its topics, node and source."""


class AnnouncementShelf:
    """The announcements in a store.

    Parameters
    ----------
    store : Store

    Every method raises `StoreError` if the store cannot be used; nothing has changed then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> set[Announcement]:
        """Return what was ever announced."""
        with self._store.read() as reader:
            found = reader.execute("SELECT prefix, node, source FROM announcements").fetchall()
        announced = {(str(prefix), str(node), str(source)) for prefix, node, source in found}
        self._store.carried_over.know_all(ANNOUNCEMENTS, announced)
        return announced

    def add(self, announcements: Iterable[Announcement]) -> None:
        """Remember announcements."""
        announced = list(announcements)
        self._store.carried_over.know(ANNOUNCEMENTS, announced)
        with self._store.changed() as writer:
            writer.executemany("INSERT OR IGNORE INTO announcements VALUES (?, ?, ?)", announced)
