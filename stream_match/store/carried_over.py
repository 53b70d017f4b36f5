"""What a store that begins anew has from the one before: what people asked for, and what was learnt."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stream_match.store import opening
from stream_match.store.migrations import is_ours

Cells = tuple[str, ...]

MOST_ROWS = 10_000
"""Rows of one table that are read from a damaged file. There are at most some hundreds."""

_UNREADABLE = (sqlite3.Error, OSError, TypeError, ValueError, OverflowError)
"""What reading a damaged file raises; a ValueError where SQLite quotes it and that is no UTF-8."""


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Of text.
    key : int
        So many columns, the first ones, tell its rows apart.
    holds : str
        What is lost with it, for a sentence.
    which : str
        Condition for its rows.
    """

    name: str
    columns: Cells
    key: int
    holds: str
    which: str = "1"


PAUSES = Table("pauses", ("source",), 1, "which sources are paused")
NAMES = Table("names", ("source", "kind", "id", "name"), 3, "the names of clusters and tracks")
ANNOUNCEMENTS = Table("announcements", ("prefix", "node", "source"), 3, "what Home Assistant was told of")
MEMORIES = Table(
    "sound_memories", ("source", "prefix", "memory"), 1, "what was learnt of sounds", which="aside = 0"
)

TABLES = (PAUSES, NAMES, ANNOUNCEMENTS, MEMORIES)


class CarriedOver:
    """Small tables as this process knows them, and as a damaged file has them.

    What this process has read or changed itself holds; the rest is read from the file, as far as that goes.
    """

    def __init__(self) -> None:
        self._lost: Cells = ()
        self._whole: set[Table] = set()  # of which all rows are known
        self._known: dict[Table, dict[Cells, Cells | None]] = {}
        self._found: dict[Table, dict[Cells, Cells]] = {}

    def know_all(self, table: Table, rows: Iterable[Cells]) -> None:
        """Take note of all rows of a table."""
        self.know(table, rows)
        self._whole.add(table)

    def know(self, table: Table, rows: Iterable[Cells] = (), gone: Iterable[Cells] = ()) -> None:
        """Take note of rows that are there now, and of the keys of those that are not."""
        known = self._known.setdefault(table, {})
        known |= {row[: table.key]: row for row in rows}
        known |= dict.fromkeys(gone)

    def read(self, path: Path) -> None:
        """Read what can be read of a damaged file; never raises."""
        whole: set[Table] = set()
        try:
            with closing(opening.connect_to_read(path)) as reader:
                if is_ours(reader):
                    whole = {table for table in TABLES if self._read_table(reader, table)}
        except _UNREADABLE:
            pass
        self._lost = tuple(table.holds for table in TABLES if table not in whole | self._whole)

    def take_lost(self) -> Cells:
        """Return, once, what could neither be read from a damaged file nor is known."""
        lost, self._lost = self._lost, ()
        return lost

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all of it into a new store."""
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            rows = {**self._found.get(table, {}), **self._known.get(table, {})}
            columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
            connection.executemany(
                f"INSERT OR REPLACE INTO {table.name} ({columns}) VALUES ({marks})",  # noqa: S608 - constants
                [row for row in rows.values() if row is not None],
            )
        connection.execute("COMMIT")
        self._found = {}

    def _read_table(self, reader: sqlite3.Connection, table: Table) -> bool:
        """Read a table up to where it is damaged; return whether all of it was read."""
        if not reader.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table.name,)).fetchone():
            return True  # a store of before it
        found = self._found.setdefault(table, {})
        query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {table.which} LIMIT {MOST_ROWS}"  # noqa: S608
        try:
            for row in reader.execute(query):
                if not all(isinstance(cell, str) for cell in row):
                    return False
                found[row[: table.key]] = row
        except _UNREADABLE:
            return False
        return True
