"""Which sources are not to be listened to, as the store keeps it."""

from stream_match.store.carried_over import PAUSES
from stream_match.store.event_store import Store


class PauseShelf:
    """The pauses in a store.

    Parameters
    ----------
    store : Store

    Every method raises `StoreError` if the store cannot be used; nothing has changed then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def holds(self, source: str) -> bool:
        """Whether a source is paused."""
        with self._store.read() as reader:
            found = reader.execute("SELECT 1 FROM pauses WHERE source = ?", (source,)).fetchone()
        self._know(source, paused=found is not None)
        return found is not None

    def keep(self, source: str, *, paused: bool) -> None:
        """Keep whether a source is paused."""
        change = (
            "INSERT OR IGNORE INTO pauses VALUES (?)" if paused else "DELETE FROM pauses WHERE source = ?"
        )
        self._know(source, paused=paused)
        with self._store.changed() as writer:
            writer.execute(change, (source,))

    def _know(self, source: str, *, paused: bool) -> None:
        own = [(source,)]
        self._store.carried_over.know(PAUSES, own if paused else (), () if paused else own)
