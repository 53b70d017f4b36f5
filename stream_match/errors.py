"""The errors that stream_match raises on purpose.

Each message is one sentence for a person: what was given, what was expected,
what to do. The command line prints it as it stands and never shows a traceback.
"""

import os


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
