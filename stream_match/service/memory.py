"""What was learnt of a source's sounds, kept over reconnections and restarts."""

import contextlib
import json
import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from stream_match.errors import UsageError
from stream_match.service.reasons import reason_of

log = logging.getLogger(__name__)

FORMAT = 1
"""Of the file. Another one is set aside, not guessed at."""

LARGEST_BYTES = 64 << 20
"""A full memory has 2 MB; what is much larger is something else."""

PREFIX_LETTERS = 13
"""Of an event id: those that hold the millisecond and the count in it."""

PREFIX = re.compile(f"[0-9A-Z]{{1,{2 * PREFIX_LETTERS}}}")
"""What may stand before identities: the letters of an event id, and a number."""

ASIDE = ".set-aside"

IDS_AHEAD = 100_000
"""Identities that a process which is killed may have given since it last wrote. Between two attempts to
write, `KEEP_EVERY_S`, it gives 7,550 at most: 25 sounds a second may be told."""

MISSES = 11
"""So many attempts in a row may fail before `IDS_AHEAD` might not do: an hour."""


@runtime_checkable
class Remembering(Protocol):
    """An engine that learns; `stream_match.engine.Engine` is one."""

    def memory(self, *, ids_ahead: int = 0) -> str | None:
        """Return what was learnt, None if nothing ever is; whoever goes on leaves out so many identities."""

    def remember(self, memory: str) -> None:
        """Go on from what `memory` returned; raise ValueError if it is something else."""


class SoundMemory:
    """The sounds of one source, from one engine to the next and from one process to the next.

    The file is JSON, written beside its place and renamed into it. One that cannot be used or read is set
    aside with a sentence in the log, and the source begins without; if it cannot be set aside, nothing is
    written.

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
        self._ahead: str | None = None  # the same, with identities left out for an engine that goes on
        self._stored = False  # whether the file holds identities under this prefix
        self._misses_left = 0  # how often writing may fail before it would no longer cover all identities
        self._used = False  # whether an engine has given identities under `prefix`
        self._renamed = 0
        if path is not None:
            self._read(path)

    def give(self, engine: object) -> None:
        """Let a new engine go on where the last one was."""
        if self._text is None or not isinstance(engine, Remembering):
            return
        try:
            engine.remember(self._text)
        except ValueError as error:
            self.begin_without(str(error))
        except Exception as error:  # noqa: BLE001 - whatever is in a memory, it keeps no source from being heard
            self.begin_without(reason_of(error))

    def take(self, engine: object, *, goes_on: bool = False) -> None:
        """Learn what an engine knows, and write it down.

        Parameters
        ----------
        engine : object
        goes_on : bool
            Whether it will learn more: should that be lost, its identities are not given again.
        """
        if not isinstance(engine, Remembering) or not self._learn(engine, goes_on=goes_on):
            return
        if self._path is not None and (text := self._ahead if goes_on else self._text) is not None:
            self._store(self._path, text, MISSES if goes_on else 0)

    def _learn(self, engine: Remembering, *, goes_on: bool) -> bool:
        """Ask an engine what it knows; return whether it could say."""
        self._used = True
        try:
            text = engine.memory()
            ahead = engine.memory(ids_ahead=IDS_AHEAD) if goes_on else text
        except Exception as error:  # noqa: BLE001 - an engine that broke may not know what it knows
            log.warning("what was learnt of sounds lately is lost (%s)", reason_of(error))
            self._text = self._ahead  # and identities that were given since are not given again
            return False
        self._text, self._ahead = text, ahead
        return True

    def _store(self, path: Path, text: str, misses: int) -> None:
        try:
            _write(path, {"format": FORMAT, "prefix": self.prefix, "memory": json.loads(text)})
        except OSError as error:
            log.warning("the clusters could not be written to %s (%s)", path, error.strerror)
            self._miss()
        else:
            self._stored, self._misses_left = True, misses

    def _miss(self) -> None:
        """Go on under another prefix where the next process might give today's identities again."""
        self._misses_left -= 1
        if self._stored and self._misses_left < 0:
            self._rename()
            log.warning("lest they are given twice, identities of clusters begin with %s now", self.prefix)

    def _rename(self) -> None:
        self._renamed += 1
        self.prefix, self._stored = f"{self._own_prefix}{self._renamed}", False

    def _read(self, path: Path) -> None:
        try:
            self.prefix, self._text = _parsed(path)
            self._stored = True
        except FileNotFoundError:
            return
        except (ValueError, KeyError, RecursionError) as error:
            self.begin_without(str(error))
        except OSError as error:
            self.begin_without(f"it cannot be read ({error.strerror})")

    def begin_without(self, why: str) -> None:
        """Forget what was learnt and set its file aside; identities begin with another prefix.

        Parameters
        ----------
        why : str
            For the log.
        """
        self._text = self._ahead = None
        if self._used:
            self._rename()
        else:
            self.prefix, self._stored = self._own_prefix, False
        if self._path is None:
            return
        try:
            aside = _set_aside(self._path)
        except FileNotFoundError:  # nothing was written yet
            return
        except OSError as error:
            log.warning(
                "the clusters in %s cannot be used: %s; nor can it be set aside (%s), so beginning without "
                "and writing nothing",
                self._path, why, error.strerror,
            )  # fmt: skip
            self._path = None
        else:
            log.warning(
                "the clusters in %s cannot be used: %s; kept as %s, beginning without",
                self._path, why, aside.name,
            )  # fmt: skip


def _parsed(path: Path) -> tuple[str, str]:
    """Return the prefix and the memory in a file."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
    if status.st_size > LARGEST_BYTES:
        raise ValueError("it is too large")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    prefix = content["prefix"]
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
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


def unfinished(path: Path) -> Iterator[Path]:
    """Return what processes left that were killed while they wrote a state; ours alone may write it now."""
    return path.parent.glob(f".{path.name}.*")


def _set_aside(path: Path) -> Path:
    """Rename a file; what was set aside before stays."""
    names = (f"{path.name}{ASIDE}{'' if number == 1 else f'-{number}'}" for number in count(1))
    aside = next(beside for name in names if not os.path.lexists(beside := path.with_name(name)))
    return path.rename(aside)
