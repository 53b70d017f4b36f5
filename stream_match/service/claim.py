"""A folder for one listener at a time: two would write one store, or delete each other's clips."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_match.errors import StreamMatchError

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"


@contextmanager
def claimed(folder: Path | None, what: str = "state folder") -> Iterator[None]:
    """Keep a folder to oneself.

    Parameters
    ----------
    folder : Path or None
        Made if it is not there.
    what : str
        What messages call it.

    Raises
    ------
    StreamMatchError
        If the folder cannot be made, or another listener has it. Neither is a mistake for sure: a disk may be
        mounted later, and a listener that was killed while its disk hung holds the folder until that is back.
    """
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StreamMatchError(f"The {what} {str(folder)!r} cannot be made: {error.strerror}.") from error
    handle = _locked(folder, what)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def is_claimed(folder: Path) -> bool:
    """Whether a listener uses a state folder now; False where that cannot be told."""
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _locked(folder: Path, what: str) -> int | None:
    """Take the lock of a folder; the system releases it if we are killed. None if there are no locks."""
    handle = None
    try:
        # The file stays: were it removed, two could hold locks of two files of that name.
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StreamMatchError(
            f"The {what} {str(folder)!r} is in use by another listener: give each one its own."
        ) from None
    except OSError as error:  # a folder that cannot be written, a file system without locks
        log.warning("whether another listener uses %s cannot be told (%s)", folder, error.strerror)
    return handle
