"""What was learnt of a source's sounds, as the store keeps it."""

from contextlib import suppress
from pathlib import Path

from stream_match.store.event_store import Store
from stream_match.store.former_sounds import IMPORTED, former_path, read_former, set_former_aside

KEPT_ASIDE = 3
"""Memories set aside of a source that are kept: the newest."""


class SoundShelf:
    """The place of one source's memory of sounds.

    Before there was a store, each memory was a file of JSON. Such a file is taken in once and renamed.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.
    """

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source

    def __str__(self) -> str:
        return str(self._store.path)

    def read(self) -> tuple[str, str] | None:
        """Return prefix and memory, None if there are none.

        Raises
        ------
        StoreError
            If the store cannot be read.
        ValueError
            If the file of before cannot be used; `set_aside` renames it.
        """
        with self._store.read() as reader:
            found = reader.execute(
                "SELECT prefix, memory, aside FROM sound_memories WHERE source = ? ORDER BY aside LIMIT 1",
                (self._source,),
            ).fetchone()
        if found is None:
            return self._taken_in(self._former)
        prefix, memory, aside = found
        return None if aside else (str(prefix), str(memory))

    @property
    def _former(self) -> Path:
        return former_path(self._store.path.parent, self._source)

    def _taken_in(self, path: Path) -> tuple[str, str] | None:
        try:
            prefix, memory = read_former(path)
        except FileNotFoundError:
            return None
        self.write(prefix, memory)
        with suppress(OSError):  # where it stays it is not read again: the table has a memory
            path.rename(path.with_name(f"{path.name}{IMPORTED}"))
        return prefix, memory

    def write(self, prefix: str, memory: str) -> None:
        """Keep a memory, in place of the one before.

        Raises
        ------
        StoreError
            If it could not be written; the one before is still there.
        """
        with self._store.changed() as writer:
            writer.execute(
                "INSERT OR REPLACE INTO sound_memories (source, prefix, memory) VALUES (?, ?, ?)",
                (self._source, prefix, memory),
            )

    def set_aside(self, why: str) -> bool:
        """Keep the memory beside its place, where it is not read any more; return whether there was one.

        Parameters
        ----------
        why : str
            Stored with it.

        Raises
        ------
        StoreError
            If it could not be done.
        """
        with self._store.changed() as writer:
            number = writer.execute(
                "SELECT 1 + max(aside) FROM sound_memories WHERE source = ?", (self._source,)
            ).fetchone()[0]
            moved = writer.execute(
                "UPDATE sound_memories SET aside = ?, why = ? WHERE source = ? AND aside = 0",
                (number, why, self._source),
            ).rowcount
            writer.execute(
                "DELETE FROM sound_memories WHERE source = ? AND aside > 0 AND aside <= ?",
                (self._source, (number or 0) - KEPT_ASIDE),
            )
        former = None
        with suppress(OSError):
            former = set_former_aside(self._former)
        return bool(moved) or former is not None
