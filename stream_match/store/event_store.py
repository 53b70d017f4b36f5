"""The store: events until they have arrived and for the history, and what is written beside them."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stream_match.errors import StoreError
from stream_match.store import opening
from stream_match.store.carried_over import CarriedOver
from stream_match.store.migrations import migrate
from stream_match.store.retention import Limits, Pruned, prune
from stream_match.store.rows import Batch, Row, parsed, values

_PATIENCE_S = 10.0
"""How long a write waits for another one of this process. A disk that hangs must not hold up every thread."""


class Store:
    """One file of SQLite. Every call is whole or has no effect; calls may come from any thread.

    Parameters
    ----------
    path : Path
        The file; its folder must exist.
    limits : Limits, optional
        What is kept for how long.

    Attributes
    ----------
    carried_over : CarriedOver
        What a file has that begins anew. Whoever reads or changes a small table lets it know.
    begins_anew : bool
        Whether a damaged file was set aside, and the new one is not open yet.
    shift : int
        What is added to a number of this process to have the one in the file.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.carried_over = CarriedOver()
        self.shift = 0
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._opening = threading.Lock()
        self.begins_anew = False
        self._forgets = False

    def open(self) -> None:
        """Open the file; make it, or migrate it, where needed.

        Raises
        ------
        StoreError
            If it cannot be used. The kind ``damaged`` asks for `begin_anew`; anything else may heal.
        """
        with opening.naming(self.path), _held(self._opening):
            self._open()

    def _open(self) -> None:
        with _held(self._writing):
            if self._writer is not None:
                return
            writer = opening.connect(self.path)
            try:
                migrate(writer)
                if self.begins_anew:
                    self.carried_over.write(writer)
                self._reader = opening.connect_to_read(self.path)
            except BaseException:
                writer.close()
                raise
            self._writer = writer
            self.begins_anew = self._forgets = False

    def close(self) -> None:
        """Close the file; what was written stays."""
        with opening.naming(self.path), _held(self._writing), _held(self._reading):
            for connection in (self._reader, self._writer):  # the last one to close tidies up the log
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    def begin_anew(self) -> Path:
        """Set a damaged file aside and open a new one; return where the old one is.

        The new one has no events, but what is `carried_over`.

        Raises
        ------
        StoreError
            If that is not possible, or was done too often. Where only the new one does not open, `open` goes
            on with it.
        """
        # Whoever opens it meanwhile waits until all that is carried over has been read.
        with opening.naming(self.path), _held(self._opening):
            self.close()
            aside = opening.set_aside(self.path)
            self.begins_anew = True
            self.carried_over.read(aside)
            self._open()
        return aside

    def write(self, batch: Batch) -> None:
        """Write a batch; when this returns, no loss of power takes it away.

        A row whose number or id is there already is left as it is: a batch may be written again.

        Raises
        ------
        StoreError
            If it could not be written; nothing of it was.
        """
        with self.changed() as writer:
            writer.executemany(
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((row.seq + self.shift, *values(row)) for row in batch.rows),
            )
            writer.executemany(
                "INSERT OR REPLACE INTO sinks VALUES (?, ?)",
                ((name, seq + self.shift) for name, seq in batch.positions.items()),
            )
            writer.executemany(
                "INSERT INTO sound_counts VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET sounds = sounds + excluded.sounds",
                ((*key, count) for key, count in batch.sounds.items()),
            )
            writer.executemany(
                "INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?)",
                ((*key, round(1000 * time), round(1000 * at)) for key, (time, at) in batch.heard.items()),
            )

    def size_bytes(self) -> int:
        """Return the size of its files on disk; what cannot be looked at counts nothing."""
        size = 0
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                size += self.path.with_name(f"{self.path.name}{suffix}").stat().st_size
        return size

    def after(self, seq: int, limit: int) -> list[Row]:
        """Return the first rows behind a number. What is no event of this version is left out.

        Parameters
        ----------
        seq : int
        limit : int
            How many at most.
        """
        seq += self.shift
        while True:
            query = "SELECT seq, payload FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
            with self.read() as reader:
                found = reader.execute(query, (seq, limit)).fetchall()
                shifted = ((number - self.shift, payload) for number, payload in found)
                rows = [row for number, payload in shifted if (row := parsed(number, payload)) is not None]
            if rows or not found:
                return rows
            seq = found[-1][0]

    def count_after(self, seq: int) -> int:
        """Return how many rows are behind a number."""
        with self.read() as reader:
            query = "SELECT count(*) FROM events WHERE seq > ?"
            return int(reader.execute(query, (seq + self.shift,)).fetchone()[0])

    def last_seq(self) -> int:
        """Return the greatest number that was ever given, 0 if none was."""
        with self.read() as reader:
            found = reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            return (_number(found[0]) if found else 0) - self.shift

    def last_event_id(self) -> str | None:
        """Return the greatest id of an event, None if there is none."""
        with self.read() as reader:
            found = reader.execute("SELECT max(event_id) FROM events").fetchone()[0]
        return None if found is None else str(found)

    def forgotten_before(self) -> float | None:
        """Return the time before which events were deleted [seconds since 1970].

        None if none were since this file was opened: what it does not have may be in one that is damaged.
        """
        if not self._forgets:
            return None
        with self.read() as reader:
            found = reader.execute("SELECT min(time_ms) FROM events").fetchone()[0]
        return None if found is None else _number(found) / 1000

    def newest_time(self) -> float | None:
        """Return the time up to which it reaches [seconds since 1970], None if no state was stored.

        The newest hundredth of the states is left out: a clock that was ahead for a while does not count.
        """
        query = """
            SELECT time_ms FROM events WHERE kind = 'status' ORDER BY time_ms DESC
            LIMIT 1 OFFSET (SELECT count(*) / 100 FROM events WHERE kind = 'status')"""
        with self.read() as reader:
            found = reader.execute(query).fetchone()
        return None if found is None else _number(found[0]) / 1000

    def place_of(self, event_id: str) -> int:
        """Return the number of the last event up to an id, 0 if all came later."""
        with self.read() as reader:
            found = reader.execute(
                "SELECT max(seq) FROM (SELECT seq FROM events WHERE event_id <= ? "
                "ORDER BY event_id DESC LIMIT 1)",
                (event_id,),
            ).fetchone()[0]
            return _number(found or 0) - self.shift

    def positions(self) -> dict[str, int]:
        """Return up to which number everything has arrived, by sink."""
        with self.read() as reader:
            found = reader.execute("SELECT name, seq FROM sinks").fetchall()
            return {str(name): _number(seq) - self.shift for name, seq in found}

    def keep_sinks(self, names: Sequence[str]) -> None:
        """Forget all sinks but these: what comes meanwhile is not for the others."""
        with self.changed() as writer:
            kept = ", ".join("?" * len(names))
            writer.execute(f"DELETE FROM sinks WHERE name NOT IN ({kept})", tuple(names))  # noqa: S608 - marks

    def prune(self, now: float, delivered: int | None) -> Pruned:
        """Delete a portion of what is too old or too much.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        delivered : int or None
            Number up to which everything has arrived everywhere; None if nothing is to be delivered.

        Returns
        -------
        Pruned
            Whether there is more to delete, and how many events were deleted that had not arrived.
        """
        with self.changed() as writer:
            pruned = prune(writer, self.limits, now, None if delivered is None else delivered + self.shift)
        self._forgets |= pruned.events > 0
        return pruned

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection inside a transaction."""
        with opening.naming(self.path), _held(self._writing):
            if self._writer is None:
                raise StoreError("closed", "it is not open")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # SQLite ends it itself after some errors
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the reading connection; a write that hangs does not hold it up."""
        with opening.naming(self.path), _held(self._reading):
            if self._reader is None:
                raise StoreError("closed", "it is not open")
            yield self._reader


def is_damage(error: StoreError) -> bool:
    """Whether waiting does not help, and the store is to be begun anew."""
    return error.kind == "damaged"


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=_PATIENCE_S):
        raise StoreError("slow", f"its disk has not answered for {_PATIENCE_S:.0f} s")
    try:
        yield
    finally:
        lock.release()


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value
