"""What was learnt of a source's sounds, kept over reconnections and restarts."""

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from stream_match.errors import UsageError

log = logging.getLogger(__name__)

FORMAT = 1
"""Of the file. Another one is set aside, not guessed at."""

LARGEST_BYTES = 64 << 20
"""A full memory has 2 MB; what is much larger is something else."""

PREFIX_LETTERS = 13
"""Of an event id: those that hold the millisecond and the count in it."""

ASIDE = ".set-aside"

IDS_AHEAD = 10_000
"""Identities that a process which is killed may have given since it last wrote: more than `KEEP_EVERY_S` can
hold, at the 25 sounds a second that may be told at most."""


@runtime_checkable
class Remembering(Protocol):
    """An engine that learns; `stream_match.engine.Engine` is one."""

    def memory(self, *, ids_ahead: int = 0) -> str | None:
        """Return what was learnt, None if nothing ever is; whoever goes on leaves out so many identities."""

    def remember(self, memory: str) -> None:
        """Go on from what `memory` returned; raise ValueError if it is something else."""


class SoundMemory:
    """The sounds of one source, from one engine to the next and from one process to the next.

    The file is JSON, written beside its place and renamed into it. One that cannot be used is set aside with
    a sentence in the log, and the source begins without.

    Parameters
    ----------
    path : Path or None
        The file; None to keep nothing over restarts.
    prefix : str
        Goes before identities of clusters, should none be in the file: they must not be given twice,
        not even by a process that knows nothing of an earlier one.
    """

    def __init__(self, path: Path | None, prefix: str) -> None:
        self.prefix = self._own_prefix = prefix
        self._path = path
        self._text: str | None = None
        if path is not None:
            self._read(path)

    def give(self, engine: object) -> None:
        """Let a new engine go on where the last one was."""
        if self._text is None or not isinstance(engine, Remembering):
            return
        try:
            engine.remember(self._text)
        except ValueError as error:
            self._text, self.prefix = None, self._own_prefix
            if self._path is not None:
                _set_aside(self._path, str(error))

    def take(self, engine: object, *, goes_on: bool = False) -> None:
        """Learn what an engine knows, and write it down.

        Parameters
        ----------
        engine : object
        goes_on : bool
            Whether it will learn more: should that be lost, its identities are not given again.
        """
        ahead = IDS_AHEAD if goes_on else 0
        if not isinstance(engine, Remembering) or (text := engine.memory(ids_ahead=ahead)) is None:
            return
        self._text = text
        if self._path is None:
            return
        try:
            _write(self._path, {"format": FORMAT, "prefix": self.prefix, "memory": json.loads(text)})
        except OSError as error:
            log.warning("the clusters could not be written to %s (%s)", self._path, error.strerror)

    def _read(self, path: Path) -> None:
        try:
            self.prefix, self._text = _parsed(path)
        except FileNotFoundError:
            return
        except (ValueError, KeyError, RecursionError) as error:
            _set_aside(path, str(error))
        except OSError as error:
            log.warning("the clusters in %s cannot be read (%s); beginning without", path, error.strerror)


def _parsed(path: Path) -> tuple[str, str]:
    """Return the prefix and the memory in a file."""
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("it is too large")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    prefix = content["prefix"]
    if not isinstance(prefix, str) or not 0 < len(prefix) <= 2 * PREFIX_LETTERS:
        raise ValueError("its prefix is none")
    return prefix, json.dumps(content["memory"])


def memory_path(folder: Path | None, source: str) -> Path | None:
    """Return the file of a source in the folder of states.

    Parameters
    ----------
    folder : Path or None
        Made if it is not there.
    source : str
        Name of the source.

    Raises
    ------
    UsageError
        If the folder can be neither found nor made.
    """
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The state folder {str(folder)!r} cannot be made: {error.strerror}.") from error
    return folder / f"{source}.clusters.json"


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write beside the place and rename into it: a reader sees the old one or the new one, whole."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)  # noqa: PTH105  (the name of mkstemp is a str)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # noqa: PTH108  (the same)
        raise


def _set_aside(path: Path, why: str) -> None:
    aside = path.with_name(path.name + ASIDE)
    with contextlib.suppress(OSError):
        path.replace(aside)
    log.warning("the clusters in %s cannot be used: %s; kept as %s, beginning without", path, why, aside.name)
