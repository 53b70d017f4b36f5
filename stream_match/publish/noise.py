"""What libraries under the MQTT client log without need, and what is kept of it."""

import contextlib
import errno
import logging
from collections.abc import Iterator

from stream_match.publish.sparse import SparseLog

log = logging.getLogger(__name__)


def library_log() -> logging.Logger:
    """Return a logger for aiomqtt and paho that lets through only what we cannot tell ourselves."""
    logger = logging.getLogger(f"{__name__}.mqtt_client")
    if not logger.filters:
        logger.addFilter(_OnlyFullInbox())
    return logger


class _OnlyFullInbox(logging.Filter):
    """Replaces the library's line per discarded message by a sparse one of ours; drops all else."""

    def __init__(self) -> None:
        super().__init__()
        self._complaints = SparseLog(log)

    def filter(self, record: logging.LogRecord) -> bool:
        if "queue is full" in record.getMessage():
            self._complaints.tell("inbox", "Messages come faster than they are read; some were discarded.")
        return False


class _Harmless(logging.Filter):
    """Drops what asyncio logs when a broker dies under aiomqtt: callbacks on a socket just closed."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        closed = isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno == errno.EBADF)
        return not (closed and ("add_writer" in record.getMessage() or "add_reader" in record.getMessage()))


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Keep asyncio's harmless complaints out of the log."""
    noise = _Harmless()
    logger = logging.getLogger("asyncio")
    logger.addFilter(noise)
    try:
        yield
    finally:
        logger.removeFilter(noise)
