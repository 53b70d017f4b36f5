"""Connections to a store, what their errors mean, and what becomes of a damaged file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from stream_match.errors import StoreError

FILE = "events.sqlite"
"""Name of the store in the state folder."""

BUSY_S = 2.0
"""How long another program's lock is waited for before a write counts as failed; it is tried again."""

MOST_SET_ASIDE = 5
"""So many damaged stores are kept beside the new one. A disk that damages more is not written any more."""

ASIDE = ".set-aside"

_WAL_BYTES = 16 << 20  # what the log is cut back to after a burst

_KINDS = {
    sqlite3.SQLITE_FULL: ("full", "its disk is full: make room"),
    sqlite3.SQLITE_BUSY: ("locked", "another program holds it: close that"),
    sqlite3.SQLITE_LOCKED: ("locked", "another program holds it: close that"),
    sqlite3.SQLITE_CORRUPT: ("damaged", "it is damaged"),
    sqlite3.SQLITE_NOTADB: ("damaged", "it is no database"),
    sqlite3.SQLITE_READONLY: ("readonly", "it may not be written: check its permissions"),
    sqlite3.SQLITE_PERM: ("readonly", "it may not be written: check its permissions"),
    sqlite3.SQLITE_CANTOPEN: ("absent", "it cannot be opened: check its folder and permissions"),
    sqlite3.SQLITE_IOERR: ("disk", "its disk fails: check it, and whether it is full"),
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a `StoreError` that names the store."""
    try:
        yield
    except StoreError as error:
        raise StoreError(error.kind, f"The store {path} cannot be used: {error}.") from error
    except sqlite3.Error as error:
        kind, said = kind_of_error(error)
        raise StoreError(kind, f"The store {path} cannot be used: {said}.") from error
    except OSError as error:
        raise StoreError("disk", f"The store {path} cannot be used: {error.strerror}.") from error
    except (TypeError, ValueError, OverflowError) as error:  # SQLite keeps any type in any column
        raise StoreError(
            "damaged", f"The store {path} cannot be used: it holds what was never told."
        ) from error


def kind_of_error(error: sqlite3.Error) -> tuple[str, str]:
    """Return one word for what went wrong, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _KINDS.get(code & 0xFF)  # the rest of the code is detail
    return known or ("broken", " ".join(str(error).split())[:200])


def connect(path: Path) -> sqlite3.Connection:
    """Open a store for writing, made if it is not there.

    Commits wait until the disk has them (``synchronous=FULL``): an event that went out must not be forgotten
    by a power cut, or its match would never end. That is one wait for all events that came meanwhile.
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _set_up(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a store for reading only; it is not made.

    Where the folder cannot be written, only a store that was closed in order can be read.
    """
    alone = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    # Whoever wrote the file: what is in it runs nothing, and a damaged text is no error of its own.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.text_factory = lambda data: data.decode("utf-8", "replace")


def set_aside(path: Path) -> Path:
    """Rename a damaged store and what belongs to it; return its new name.

    Raises
    ------
    StoreError
        If as many as `MOST_SET_ASIDE` are there already.
    OSError
        If it cannot be renamed.
    """
    names = (f"{path.name}{ASIDE}{'' if number == 1 else f'-{number}'}" for number in count(1))
    taken = 0
    for name in names:
        aside = path.with_name(name)
        if not os.path.lexists(aside):
            break
        taken += 1
    if taken >= MOST_SET_ASIDE:
        raise StoreError("damaged", f"it is damaged, as {taken} before it: check its disk, and remove those")
    # The log first: beside a new store, that of the old one would be taken for its own.
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(f"{path.name}{suffix}")
        if os.path.lexists(part):
            part.rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside
