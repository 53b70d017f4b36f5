"""Files that a URL names: listed, and fetched while they are read; every name of fsspec stands here."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stream_match.errors import SourceError, UsageError, install_command

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)


@dataclass(frozen=True)
class UrlPath:
    """A file or a folder that a URL names, in what of a `Path` is asked for.

    Parameters
    ----------
    url : str
        As fsspec takes it. It may hold a password: messages show the path as text, which has none.
    size : int [bytes]
        Of a file.
    """

    url: str = field(repr=False)
    size: int = field(default=0, compare=False)

    def __str__(self) -> str:
        """Return the URL without user, password and query."""
        scheme, _, rest = self.url.partition("://")
        host, slash, path = rest.partition("?")[0].partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.url).name

    @property
    def suffix(self) -> str:
        """The ending of the last part, with its dot."""
        return PurePosixPath(self.url).suffix

    @property
    def stem(self) -> str:
        """The last part without its ending."""
        return PurePosixPath(self.url).stem

    @property
    def parent(self) -> "UrlPath":
        """The folder above."""
        return UrlPath(self.url.rstrip("/").rpartition("/")[0])


AudioPath = Path | UrlPath


def place(text: str) -> AudioPath:
    """Return what a user has named: a path, or a URL of fsspec such as ``s3://bucket/music``."""
    return UrlPath(text) if _URL.match(text) else Path(text)


def files_at(given: UrlPath) -> list[tuple[UrlPath, str]]:
    """List the files below a URL.

    Parameters
    ----------
    given : UrlPath
        Of a folder, or of a file.

    Returns
    -------
    list of (UrlPath, str)
        Files in the order of their names, each with its name below the folder; the name of a file alone.

    Raises
    ------
    UsageError
        If there is nothing, or it cannot be listed.
    """
    try:
        system, root = _opened(given)
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
        there = bool(found) or system.exists(root)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"'{given}' cannot be listed ({_why(error)}): check the URL") from error
    if not there:
        raise UsageError(f"there is nothing at '{given}': check the URL")
    files = []
    for path, about in sorted(found.items()):
        below = path[len(root) :].strip("/")
        url = f"{given.url.rstrip('/')}/{below}" if below else given.url
        files.append((UrlPath(url, int(about.get("size") or 0)), below or given.name))
    return files


@contextmanager
def local_copy(path: AudioPath, beside: Path) -> Iterator[Path]:
    """Give a file of this computer: the very one, or a copy of what is elsewhere, deleted in the end.

    Parameters
    ----------
    path : Path or UrlPath
    beside : Path
        The copy is put there, under another suffix.

    Yields
    ------
    Path

    Raises
    ------
    SourceError
        If it cannot be fetched. One that is raised inside names the URL, not the copy.
    """
    if isinstance(path, Path):
        yield path
        return
    copy = beside.with_suffix(f".copy{path.suffix}")
    try:
        _fetch(path, copy)
        yield copy
    except SourceError as error:
        raise SourceError(str(error).replace(str(copy), str(path))) from error
    finally:
        copy.unlink(missing_ok=True)


def _fetch(path: UrlPath, copy: Path) -> None:
    try:
        system, inside = _opened(path)
        system.get_file(inside, str(copy))
    except FileNotFoundError as error:
        raise SourceError(f"there is no file '{path}'; check the URL") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # it is not the file's fault
        raise SourceError(f"'{path}' cannot be fetched ({_why(error)})") from error


def _opened(path: UrlPath) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        msg = f"'{path}' needs fsspec, which is not installed: {install_command('dask')}"
        raise UsageError(msg) from None
    system, inside = url_to_fs(path.url)
    return system, str(inside).rstrip("/")


def _why(error: Exception) -> str:
    """Say what went wrong: what other libraries say may hold a password, but for what is to be installed."""
    if isinstance(error, ImportError):
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__
