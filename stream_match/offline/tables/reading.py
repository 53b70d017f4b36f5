"""Tables of descriptors read again: those that `make_table` writes, and the published GTZAN table."""

import csv
import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.sets import SETS
from stream_match.errors import UsageError
from stream_match.offline.tables.formats import pyarrow_modules

Float64 = npt.NDArray[np.float64]

IDS = ("id", "filename")
"""Names of the column of names: ours, and that of the published table."""

LENGTH, LABEL = ASIDE = ("length", "label")
"""Columns of the published table that describe no sound: samples, and the genre."""

START = "start_s"
"""Column of a table with several rows of a track: where its window begins."""

_SHOWN = 3


@dataclass(frozen=True)
class Table:
    """A table of descriptors.

    Parameters
    ----------
    path : Path
    ids : tuple of str
        Names of the tracks; none stands twice.
    sets : mapping of str to np.ndarray [shape=(n, d), dtype=float64]
        The values of each set, finite, in the order of its columns.
    labels : tuple of str, or None
        Genres; None if the table has no such column.
    """

    path: Path
    ids: tuple[str, ...]
    sets: Mapping[str, Float64]
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Columns:
    """A table as it stands: which columns it has, and how to get at them.

    Parameters
    ----------
    path : Path
    header : list of str
        Names of the columns.
    words : callable (int) -> list of str
        Column of a place in the header, as text.
    numbers : callable (sequence of int) -> np.ndarray [shape=(n_rows, n), dtype=float64]
        Some columns; NaN where there is no number.
    """

    path: Path
    header: list[str]
    words: Callable[[int], list[str]]
    numbers: Callable[[Sequence[int]], Float64]

    def ids(self) -> list[str]:
        """Return the name of the track of each row.

        Raises
        ------
        UsageError
            If there is no column of names, or no row.
        """
        for name in IDS:
            if name in self.header:
                ids = self.words(self.header.index(name))
                break
        else:
            raise UsageError(f"{str(self.path)!r} has no column {' or '.join(IDS)}; name the tracks in one.")
        if not ids:
            raise UsageError(
                f"{str(self.path)!r} has no rows; make it of some audio files with stream-match features."
            )
        return ids

    def sets(self, ids: Sequence[str]) -> dict[str, Float64]:
        """Return the values of each set that the table holds.

        Parameters
        ----------
        ids : sequence of str
            Of the rows, for messages.

        Raises
        ------
        UsageError
            If columns are missing, unknown or twice, or values are no finite numbers.
        """
        sets = {}
        for name in _sets_of(self.path, self.header):
            columns = SETS[name].columns
            values = self.numbers([self.header.index(column) for column in columns])
            wrong = np.argwhere(~np.isfinite(values))
            if len(wrong):
                row, column = wrong[0]
                raise UsageError(
                    f"{str(self.path)!r} has no finite number in column {columns[column]} of {ids[row]!r}, "
                    f"and {_counted(len(np.unique(wrong[:, 0])), 'such row')} in all; leave these tracks out."
                )
            sets[name] = values
        return sets


def read_columns(path: Path) -> Columns:
    """Open a table of any kind.

    Parameters
    ----------
    path : Path
        Ending in .csv or .parquet.

    Raises
    ------
    UsageError
        If it has another suffix, or is no such file; or pyarrow is needed and not there.
    OSError
        If it cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"the table {str(path)!r} does not end in .csv or .parquet; give one of features.")
    return reader(path)


def read_table(path: Path) -> Table:
    """Read a table with a row for each track.

    Parameters
    ----------
    path : Path
        Ending in .csv or .parquet.

    Returns
    -------
    Table

    Raises
    ------
    UsageError
        If it is no such table: another suffix, no column of names, columns missing, unknown or twice,
        no row, names twice, values that are no finite numbers; or pyarrow is needed and not there.
    OSError
        If it cannot be read.
    """
    columns = read_columns(path)
    if START in columns.header:
        raise UsageError(f"{str(path)!r} has a row for each window; give a table made without --window.")
    ids = columns.ids()
    sets = columns.sets(ids)
    _check_ids(path, ids)
    labels = tuple(columns.words(columns.header.index(LABEL))) if LABEL in columns.header else None
    return Table(path, tuple(ids), sets, labels)


def _read_csv(path: Path) -> Columns:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            rows = [row for row in lines if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{str(path)!r} is no CSV in UTF-8 ({error}).") from error
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise UsageError(
                f"{str(path)!r} has {len(row)} values in row {number} and {len(header)} names of columns."
            )

    def words(column: int) -> list[str]:
        return [row[column] for row in rows]

    def numbers(columns: Sequence[int]) -> Float64:
        return np.array([[_number(row[column]) for column in columns] for row in rows])

    return Columns(path, header, words, numbers)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _read_parquet(path: Path) -> Columns:
    pa, parquet = pyarrow_modules()
    with path.open("rb") as file:
        try:
            table = parquet.read_table(file)
        except pa.ArrowException as error:
            raise UsageError(f"{str(path)!r} is no Parquet file that can be read.") from error

    def words(column: int) -> list[str]:
        return ["" if word is None else str(word) for word in table.column(column).to_pylist()]

    def numbers(columns: Sequence[int]) -> Float64:
        values = np.empty((table.num_rows, len(columns)))
        for place, column in enumerate(columns):
            try:
                values[:, place] = table.column(column).cast(pa.float64()).to_numpy()
            except pa.ArrowException:
                values[:, place] = np.nan
        return values

    return Columns(path, [str(name) for name in table.column_names], words, numbers)


_READERS: Mapping[str, Callable[[Path], Columns]] = {".csv": _read_csv, ".parquet": _read_parquet}


def _sets_of(path: Path, header: Sequence[str]) -> list[str]:
    """Return which sets a table holds, all of their columns and no others."""
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise UsageError(f"{str(path)!r} has columns twice: {_listed(twice)}; keep one of each.")
    known = {column: name for name, described in SETS.items() for column in described.columns}
    present = [name for name in SETS if any(known.get(column) == name for column in header)]
    strange = [name for name in header if name not in (*known, *IDS, *ASIDE, START)]
    missing = [column for name in present for column in SETS[name].columns if column not in header]
    if missing:
        told = f"{str(path)!r} lacks {_counted(len(missing), 'column')} of {', '.join(present)}: "
        told += _listed(missing)
        if strange:
            told += f"; it has these that no set has: {_listed(strange)}"
        raise UsageError(f"{told}; give a table with the names that stream-match features writes.")
    if strange:
        near = difflib.get_close_matches(strange[0], known, 1)
        hint = f" (is {strange[0]!r} {near[0]}?)" if near else ""
        raise UsageError(
            f"{str(path)!r} has columns that no set of descriptors has: {_listed(strange)}{hint}; "
            f"give a table with the columns of {', '.join(SETS)}."
        )
    if not present:
        raise UsageError(f"{str(path)!r} has no columns of descriptors; give those of {', '.join(SETS)}.")
    return present


def _check_ids(path: Path, ids: Sequence[str]) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise UsageError(
            f"{str(path)!r} has {_counted(len(twice), 'name')} more than once: {_listed(twice)}; "
            "give each track one row."
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
