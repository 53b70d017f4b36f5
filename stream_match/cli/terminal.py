"""What commands print: lines for people, in which nothing from outside can act on the terminal, and JSON."""

import logging
import sys
from types import TracebackType

from stream_match.errors import SinkError
from stream_match.text import printable, printable_json


def say(*lines: str) -> None:
    """Print lines for a person on standard output.

    Parameters
    ----------
    lines : str
        Of each, what no terminal should see is replaced.
    """
    _write(*map(printable, lines))


def say_json(*lines: str) -> None:
    """Print lines of JSON on standard output.

    Parameters
    ----------
    lines : str
        One value of JSON each; characters that no terminal should see are escaped, which changes no value.
    """
    _write(*map(printable_json, lines))


def complain(message: object) -> None:
    """Print one line on standard error.

    Parameters
    ----------
    message : object
        A sentence.
    """
    line = " ".join(printable(str(message)).split())
    sys.stderr.write(f"stream-match: {line}\n")


class LogFormatter(logging.Formatter):
    """Keeps every record in one line, whatever the names in it contain; a traceback has its own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Return the line of a record."""
        return printable(super().formatMessage(record))

    def formatException(  # noqa: N802 - the name that logging calls
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the lines of a traceback."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def _write(*lines: str) -> None:
    if sys.stdout is None:
        raise SinkError("standard output is closed: open it, or redirect it to a file")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
