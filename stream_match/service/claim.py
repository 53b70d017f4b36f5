"""A state folder for one listener at a time: two would give the same identities to different sounds."""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stream_match.errors import UsageError
from stream_match.service.memory import memory_path, unfinished

log = logging.getLogger(__name__)


@contextmanager
def claimed(folder: Path | None, sources: Iterable[str]) -> Iterator[None]:
    """Keep the states of sources to oneself, and clear away what killed processes left half written.

    Parameters
    ----------
    folder : Path or None
        Folder of the states; made if it is not there.
    sources : iterable of str
        Names.

    Raises
    ------
    UsageError
        If the folder cannot be made, or another listener has one of them.
    """
    with ExitStack() as locks:
        for source in sources:
            path = memory_path(folder, source)
            if path is not None:
                locks.enter_context(_locked(path, source))
                for left in unfinished(path):
                    with suppress(OSError):
                        left.unlink()
        yield


@contextmanager
def _locked(path: Path, source: str) -> Iterator[None]:
    """Hold the lock of a state; the system releases it if we are killed."""
    handle = None
    try:
        # The file stays: were it removed, two could hold locks of two files of that name.
        handle = os.open(path.with_name(f".{source}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{str(path)!r} is in use by another listener: give this one another folder, "
            "or its source another name."
        ) from None
    except OSError as error:  # a folder that cannot be written, a file system without locks
        log.warning("whether another listener uses %s cannot be told (%s)", path, error.strerror)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
