"""A folder replaced as a whole: written beside its place, then renamed into it.

With NAME the folder's name, all of these stand in the same parent:

    .NAME.lock              held by the process that writes; holds its number
    .NAME.building-PID      what is being written
    .NAME.replaced          the old folder, between the two renames of the swap
    .NAME.discarded-PID     the old folder, being deleted

A signal that ends the process in order leaves NAME alone. A process killed at any moment leaves NAME, or,
between the two renames, `.NAME.replaced`, which the next one that comes puts back. What else it leaves is
deleted by the next one that writes.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream_match.errors import CatalogError, UsageError
from stream_match.signals import held, released

_SWAP_TAKES_S = 5.0
"""How long a reader waits for a writer between its two renames; it needs milliseconds."""


@dataclass(frozen=True)
class Staging:
    """Where a new folder comes to be.

    Parameters
    ----------
    new : Path
        The folder that will be renamed into place.
    work : Path
        For temporary files.
    """

    new: Path
    work: Path


def settled(folder: Path) -> Path:
    """Return the folder as an absolute path without links, so that its neighbours are well defined."""
    try:
        resolved = folder.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise CatalogError(f"{str(folder)!r} cannot be resolved: its links go round in a circle") from error
    if not resolved.name:
        raise UsageError(f"{str(folder)!r} cannot be an index: give a folder inside it")
    return resolved


@contextmanager
def replacing(folder: Path, check: Callable[[], None]) -> Iterator[Staging]:
    """Write a folder, and put it in the place of the old one if all goes well.

    Parameters
    ----------
    folder : Path
        From `settled`; need not exist.
    check : callable () -> None
        Called when no other process can change the folder any more; raises to call it off.

    Yields
    ------
    Staging
        Two empty folders.

    Raises
    ------
    CatalogError
        If another process is writing this folder, or the disk is full or refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with held(), _locked(folder):
            _put_back(folder)
            _clear(folder)
            check()
            with _building(folder) as staging:
                with released():
                    yield staging
                _sync(staging.new)
                _swap(staging.new, folder)
    except OSError as error:
        raise CatalogError(
            f"{str(folder)!r} cannot be written: {_why(error)}; nothing was changed"
        ) from error


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a part of its path is a file"
    return error.strerror or f"{error} (is the disk full?)"  # numpy says only what was not written


def recover(folder: Path) -> None:
    """Put the old folder back if a swap was broken off between its two renames; wait for one under way.

    Parameters
    ----------
    folder : Path
        From `settled`.

    Raises
    ------
    CatalogError
        If the disk refuses.
    """
    deadline = time.monotonic() + _SWAP_TAKES_S
    while not folder.exists() and _replaced(folder).exists():
        try:
            with _locked(folder):
                _put_back(folder)
        except OSError as error:
            raise CatalogError(f"{str(folder)!r} cannot be put back: {error.strerror}") from error
        except CatalogError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _replaced(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it if we are killed."""
    path = folder.with_name(f".{folder.name}.lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise CatalogError(
                f"{str(folder)!r} is being written by another process ({owner}): wait for it to end"
            ) from None
        if _still_there(handle, path):
            break
        os.close(handle)  # its owner removed it between our open and our lock
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _building(folder: Path) -> Iterator[Staging]:
    root = folder.with_name(f".{folder.name}.building-{os.getpid()}")
    try:
        root.mkdir()
        staging = Staging(root / "new", root / "work")
        staging.new.mkdir()
        staging.work.mkdir()
        yield staging
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    try:
        if folder.exists():
            folder.rename(_replaced(folder))
        new.rename(folder)
    except BaseException:
        _put_back(folder)
        raise
    _sync_entry(folder.parent)
    _clear(folder)


def _put_back(folder: Path) -> None:
    if not folder.exists() and _replaced(folder).exists():
        _replaced(folder).rename(folder)


def _clear(folder: Path) -> None:
    """Delete what killed processes left, and what has been replaced; only with the lock held."""
    if folder.exists() and _replaced(folder).exists():
        # Renamed first: half deleted, it must never be put back.
        _replaced(folder).rename(folder.with_name(f".{folder.name}.discarded-{os.getpid()}"))
    for kind in ("building", "discarded"):
        prefix = f".{folder.name}.{kind}-"
        for left in folder.parent.iterdir():
            if left.name.startswith(prefix) and left.name[len(prefix) :].isdecimal():
                shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        _sync_entry(path)
    _sync_entry(folder)


def _sync_entry(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync folders
            raise
    finally:
        os.close(handle)
