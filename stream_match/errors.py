"""The errors that stream_match raises on purpose.

Each message is one sentence for a person: what was given, what was expected,
what to do. The command line prints it as it stands and never shows a traceback.
"""

import os
import shlex
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent


class StreamMatchError(Exception):
    """A failure while running; the command line exits with status 1."""


class UsageError(StreamMatchError):
    """A user's mistake in arguments, settings or URIs; the command line exits with status 2."""


class ParameterError(UsageError, ValueError):
    """An argument out of its documented range."""


class SourceError(StreamMatchError):
    """A source of audio that cannot be opened, or that broke off.

    Parameters
    ----------
    message : str
        One sentence for a person, without secrets.
    retry : bool
        True if opening the source again may help (a network fault, a vanished device);
        False if it never will (a file that is not audio).
    """

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


class SinkError(StreamMatchError):
    """A sink of events that cannot be opened or written."""


class CatalogError(StreamMatchError):
    """An index folder that cannot be built, read or trusted."""


class StoreError(StreamMatchError):
    """A store of events that cannot be read or written now.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def words_of(error: BaseException) -> str:
    """Return what an error says, without the number that the system gives it.

    Parameters
    ----------
    error : BaseException

    Examples
    --------
    >>> words_of(FileNotFoundError(2, "No such file or directory", "/no"))
    "No such file or directory: '/no'"
    """
    if not isinstance(error, OSError) or not isinstance(error.strerror, str):
        return str(error)
    name = error.filename
    return f"{error.strerror}: {os.fsdecode(name)!r}" if isinstance(name, str | bytes) else error.strerror


def install_command(extra: str = "") -> str:
    """Return how to install an extra of stream_match into the environment that runs it.

    The command names the clone. stream_match is not on PyPI: a command that asked for its name there would
    install what anybody may put there.

    Parameters
    ----------
    extra : str, optional
        Name in ``[project.optional-dependencies]``; by default the dependencies that everybody needs.

    Returns
    -------
    str
        The command. An installed package does not know its clone, and says that the command is for there.
    """
    of_extra = f"[{extra}]" if extra else ""
    pip = [sys.executable, "-m", "pip", "install"]
    if (_PACKAGE / "models").is_dir():  # as in a wheel: see `stream_match.shipped`
        return f"in the clone: {shlex.join([*pip, f'.{of_extra}'])}"
    return shlex.join([*pip, "--editable", f"{_PACKAGE.parent}{of_extra}"])
