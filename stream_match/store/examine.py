"""Whether a store is sound, found without changing it."""

from contextlib import closing
from pathlib import Path

from stream_match.errors import StoreError
from stream_match.store import opening
from stream_match.store.migrations import check_to_read


def examine(path: Path) -> int:
    """Return how many events a store holds, after SQLite has looked at all of it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    StoreError
        If it cannot be read, is damaged (kind ``damaged``) or of another version.
    """
    with opening.naming(path), closing(opening.connect_to_read(path)) as reader:
        check_to_read(reader)
        found = str(reader.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise StoreError("damaged", f"it is damaged ({found[:200]})")
        return int(reader.execute("SELECT count(*) FROM events").fetchone()[0])
