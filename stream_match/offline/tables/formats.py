"""Formats of tables: CSV by the standard library, Parquet by pyarrow, which is an extra."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import UsageError, install_command

Float64 = npt.NDArray[np.float64]
Rows = Iterable[tuple[str, Float64]]
"""Ids of tracks, and the values of one row each."""

_GROUP_ROWS = 2048
"""Rows of Parquet written at once: of Rhythm Patterns 24 MB."""


def write_csv(path: Path, columns: Sequence[str], rows: Rows, about: Mapping[str, str]) -> None:
    """Write a table in UTF-8, with commas; of each number as many digits as tell it from all others.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names of the values.
    rows : iterable of (str, np.ndarray [shape=(n_columns,), dtype=float64])
    about : mapping of str to str
        Has no place in this format.
    """
    del about
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["id", *columns])
        for track, values in rows:
            writer.writerow([track, *map(repr, values.tolist())])


def write_parquet(path: Path, columns: Sequence[str], rows: Rows, about: Mapping[str, str]) -> None:
    """Write a table in groups of rows, so that a large one needs little memory.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names of the values.
    rows : iterable of (str, np.ndarray [shape=(n_columns,), dtype=float64])
    about : mapping of str to str
        Goes into the metadata of the file.

    Raises
    ------
    UsageError
        If pyarrow is not there.
    """
    pa, parquet = pyarrow_modules()
    fields = [("id", pa.string()), *((name, pa.float64()) for name in columns)]
    schema = pa.schema(fields, metadata=dict(about))
    waiting = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, _GROUP_ROWS)):
            values = np.stack([row for _, row in group], axis=1)
            writer.write_table(pa.table([[track for track, _ in group], *values], schema=schema))


def pyarrow_modules() -> tuple[Any, Any]:
    """Return pyarrow and its module of Parquet.

    Raises
    ------
    UsageError
        If pyarrow is not there.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            f"Parquet needs pyarrow, which is not installed: {install_command('table')}, "
            "or name a table ending in .csv."
        ) from error
    return pyarrow, parquet


WRITERS: Mapping[str, Callable[[Path, Sequence[str], Rows, Mapping[str, str]], None]] = {
    ".csv": write_csv,
    ".parquet": write_parquet,
}


def check_format(path: Path) -> None:
    """Refuse a name that no table can be written to.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError
        If its suffix is neither .csv nor .parquet, or pyarrow is needed and not there.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(
            f"--out {str(path)!r} does not end in .csv or .parquet; name a table such as features.csv."
        )
    if suffix == ".parquet":
        pyarrow_modules()
