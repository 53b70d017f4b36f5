"""One writer at a time: a lock that the system takes back from a killed process, where there is one."""

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_match.errors import CatalogError

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
OWNER_FILE = ".writer"
"""Stands there while an index is written where the file system has no locks."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def one_writer(folder: Path, of: str = "") -> Iterator[None]:
    """Hold a folder for writing.

    Parameters
    ----------
    folder : Path
        Must exist.
    of : str, optional
        What in the folder is held, if not all: goes before the names of the files that say so.

    Raises
    ------
    CatalogError
        If another process holds it.
    OSError
        If nothing can be written there.
    """
    path, owner = folder / f"{of}{LOCK_FILE}", folder / f"{of}{OWNER_FILE}"
    handle = _locked(path, owner)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        _removed(path)
        _removed(owner)
        os.close(handle)


def _removed(path: Path) -> None:
    """Remove a file of ours; if that fails, what was written between stands all the same."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%r could not be deleted: %s", str(path), error.strerror)


def _locked(path: Path, owner: Path) -> int:
    """Return the locked file; the system releases it if we are killed."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            # One that owns the folder by `OWNER_FILE` does not need the file that it has opened.
            if not _lock(handle, path, owner) or _still_there(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its owner removed it between our open and our lock


def _lock(handle: int, path: Path, owner: Path) -> bool:
    """Lock a file, or else own the folder; return whether it is locked."""
    folder = path.parent
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        writer = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise CatalogError(
            f"{str(folder)!r} is being written by another process ({writer}): wait for it to end"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        try:
            _own(owner, folder)
        except OSError:
            _removed(path)  # which locks nothing here
            raise
        return False
    return True


def _own(path: Path, folder: Path) -> None:
    """Make a file that only one process can make."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        owner = path.read_bytes()[:80].decode("utf-8", "replace") or "unknown"
        raise CatalogError(
            f"{str(folder)!r} is being written by process {owner}, or was when that was killed: wait "
            f"for it to end, or, if it is gone, delete {str(path)!r} (this file system has no locks)"
        ) from None
    try:
        os.write(handle, f"{os.getpid()} on {socket.gethostname()}".encode())
    except BaseException:
        _removed(path)  # nobody else would ever do it
        raise
    finally:
        os.close(handle)


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
