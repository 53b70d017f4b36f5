"""Files that a command is asked to write: refused before any work is done, written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_match.errors import SinkError, UsageError


def check_place(option: str, path: Path, *, example: str, source: str | Path | None = None) -> None:
    """Refuse a place at which no file can be written, or ought to be.

    Parameters
    ----------
    option : str
        That named it, such as ``--out``.
    path : Path
    example : str
        Name of such a file.
    source : str or Path, optional
        What is read: it is not to be written over.

    Raises
    ------
    UsageError
        If it is a folder or a device, in no folder or in one that cannot be written, or the source.
    """
    shown = f"{option} {str(path)!r}"
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; name a file in it, such as {str(path / example)!r}.")
    if path.exists() and not path.is_file():
        raise UsageError(f"{shown} is a device or a pipe, and a file would take its place; name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"{shown} is in a folder that is not there; make {str(path.parent)!r} first.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{shown} is in a folder that you may not write to; name a file elsewhere.")
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise UsageError(f"{shown} is what is read, and would be lost; name another file, such as {example}.")


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Write beside a place and rename into it: what was there stays until the new file is whole.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    Path
        With the same suffix, in the same folder.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    place = Path(os.path.realpath(path))  # a link stays one
    if place.exists() and not place.is_file():  # a device, that a file would replace
        raise SinkError(f"{str(path)!r} cannot be written: it is no file")
    beside = place.with_name(f".{place.stem}.{os.getpid()}{place.suffix}")
    try:
        yield beside
        beside.replace(place)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        # Not the whole message of either library: it names the file beside.
        why = getattr(error, "strerror", None) or getattr(error, "error_string", None) or error
        raise SinkError(f"{str(path)!r} cannot be written: {why}") from error
    finally:
        beside.unlink(missing_ok=True)
