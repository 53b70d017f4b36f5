"""Lines to a file or to standard output: each whole, or not at all."""

import errno
import os
import select
import stat
import sys
from pathlib import Path

from stream_match.errors import SinkError

STDOUT = 1  # the descriptor itself: Python's buffer above it could hold half a line at exit

_PIECE = 512  # POSIX's least PIPE_BUF: a pipe that poll calls writable takes this much without blocking


class LineFile:
    """An open file that takes whole lines.

    A regular file that fails in the middle of a line (disk full) is cut back to the last whole
    line. A pipe or terminal cannot be cut, so the rest of a begun line is kept for the next
    attempt. Files are opened for appending, so that several writers and logrotate's
    ``copytruncate`` do no harm. A regular file is opened anew when it was moved away or deleted
    (logrotate's ``create``), and after an error: the disk may have been unplugged.

    Parameters
    ----------
    path : Path or None
        The file, made if absent; None for standard output.

    Raises
    ------
    SinkError
        If the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._take(_stdout() if path is None else _open(path))
        self._rest = b"\n" if path is not None and self._regular and _is_torn(path) else b""

    @property
    def waits_for_disk(self) -> bool:
        """Whether writing may take as long as a disk does; no pipe and no terminal is ever waited for."""
        return self._regular

    def write(self, line: str) -> None:
        """Write a line; after an error, call again with the same line.

        Raises
        ------
        BlockingIOError
            If the reader of a pipe is slow; nothing of the line is lost or doubled.
        OSError
            If the line could not be written.
        """
        if self._regular:
            self._open_anew_if_needed()
            self._write_whole(self._rest + line.encode() + b"\n")
            self._rest = b""
        else:
            self._rest = self._rest or line.encode() + b"\n"
            self._write_pieces()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._path is not None:
            os.close(self._fd)

    def _take(self, fd: int) -> None:
        self._fd = fd
        self._failed = False
        status = os.fstat(fd)
        self._identity = (status.st_dev, status.st_ino)
        self._regular = stat.S_ISREG(status.st_mode)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def _open_anew_if_needed(self) -> None:
        if self._path is None or not (self._failed or self._is_elsewhere(self._path)):
            return
        fd = _descriptor(self._path)
        os.close(self._fd)
        self._take(fd)
        self._rest = b"\n" if _is_torn(self._path) else b""

    def _is_elsewhere(self, path: Path) -> bool:
        try:
            status = path.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def _write_whole(self, data: bytes) -> None:
        self._failed = True
        start = os.fstat(self._fd).st_size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            # Another writer's lines behind ours must not be cut off.
            if written and os.fstat(self._fd).st_size == start + written:
                os.ftruncate(self._fd, start)
                os.lseek(self._fd, 0, os.SEEK_END)
            raise
        self._failed = False

    def _write_pieces(self) -> None:
        while self._rest:
            if not self._poll.poll(0):
                raise BlockingIOError(errno.EAGAIN, "the reader is slow")
            self._rest = self._rest[os.write(self._fd, self._rest[:_PIECE]) :]


def _stdout() -> int:
    # When a program starts with it closed, Python says so here, and the number goes to another file.
    if sys.stdout is None:
        raise SinkError("Standard output is closed: open it, or name a file.")
    return STDOUT


def _open(path: Path) -> int:
    try:
        return _descriptor(path)
    except FileNotFoundError:
        raise SinkError(f"The folder of {str(path)!r} does not exist: make it first.") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise SinkError(f"The named pipe {str(path)!r} has no reader: start the reader first.") from None
        raise SinkError(f"The file {str(path)!r} cannot be written: {error.strerror}.") from None


def _descriptor(path: Path) -> int:
    # Non-blocking, because a named pipe without a reader would hold the whole program.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)


def _is_torn(path: Path) -> bool:
    """Say whether a file ends in the middle of a line, as after a power cut."""
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False  # may be written but not read: the worst is one unreadable line
