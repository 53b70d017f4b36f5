"""What was learnt of a source's sounds, kept over reconnections and restarts."""

import logging
from typing import Protocol, runtime_checkable

from stream_match.errors import StoreError
from stream_match.service.reasons import reason_of

log = logging.getLogger(__name__)

PREFIX_LETTERS = 13
"""Of an event id: those that hold the millisecond and the count in it."""

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


class Shelf(Protocol):
    """Where the memory of a source is kept; `stream_match.store.sounds.SoundShelf` is one."""

    def read(self) -> tuple[str, str] | None:
        """Return prefix and memory; raise ValueError if they cannot be used, StoreError if not for now."""

    def write(self, prefix: str, memory: str) -> None:
        """Keep them; raise StoreError if that is not possible for now."""

    def set_aside(self, why: str) -> bool:
        """Keep them where they are not read any more; return whether there were any."""


class SoundMemory:
    """The sounds of one source, from one engine to the next and from one process to the next.

    What is on the shelf and cannot be used is set aside with a sentence in the log, and the source begins
    without. What could not be read at the start is set aside when something is written over it.

    Parameters
    ----------
    shelf : Shelf or None
        Where it is kept; None to keep nothing over restarts.
    prefix : str
        Goes before identities of clusters, should none be on the shelf: they must not be given twice,
        not even by a process that knows nothing of an earlier one.
    """

    def __init__(self, shelf: Shelf | None, prefix: str) -> None:
        self.prefix = self._own_prefix = prefix
        self._shelf = shelf
        self._unread = ""  # why what may be on the shelf was not read
        self._text: str | None = None
        self._ahead: str | None = None  # the same, with identities left out for an engine that goes on
        self._stored = False  # whether the shelf holds identities under this prefix
        self._misses_left = 0  # how often writing may fail before it would no longer cover all identities
        self._used = False  # whether an engine has given identities under `prefix`
        self._renamed = 0
        if shelf is not None:
            self._read(shelf)

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
        if self._shelf is not None and (text := self._ahead if goes_on else self._text) is not None:
            self._store(self._shelf, text, MISSES if goes_on else 0)

    def _learn(self, engine: Remembering, *, goes_on: bool) -> bool:
        """Ask an engine what it knows; return whether it could say."""
        self._used = True
        try:
            text = engine.memory()
            if text is None:  # it does not listen for sounds: what earlier ones learnt stays
                return False
            ahead = engine.memory(ids_ahead=IDS_AHEAD) if goes_on else text
        except Exception as error:  # noqa: BLE001 - an engine that broke may not know what it knows
            log.warning("what was learnt of sounds lately is lost (%s)", reason_of(error))
            self._text = self._ahead  # and identities that were given since are not given again
            return False
        self._text, self._ahead = text, ahead
        return True

    def _store(self, shelf: Shelf, text: str, misses: int) -> None:
        try:
            if self._unread:
                shelf.set_aside(self._unread)
            shelf.write(self.prefix, text)
        except StoreError as error:
            log.warning("the clusters could not be kept: %s", error)
            self._miss()
        else:
            self._unread, self._stored, self._misses_left = "", True, misses

    def _miss(self) -> None:
        """Go on under another prefix where the next process might give today's identities again."""
        self._misses_left -= 1
        if self._stored and self._misses_left < 0:
            self._rename()
            log.warning("lest they are given twice, identities of clusters begin with %s now", self.prefix)

    def _rename(self) -> None:
        self._renamed += 1
        self.prefix, self._stored = f"{self._own_prefix}{self._renamed}", False

    def _read(self, shelf: Shelf) -> None:
        try:
            found = shelf.read()
        except StoreError as error:
            self._unread = str(error)
            log.warning("what was learnt of sounds before cannot be read, beginning without: %s", error)
        except ValueError as error:
            self.begin_without(str(error))
        else:
            if found is not None:
                self.prefix, self._text = found
                self._stored = True

    def begin_without(self, why: str) -> None:
        """Forget what was learnt and set it aside; identities begin with another prefix.

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
        if self._shelf is None:
            return
        try:
            kept = self._shelf.set_aside(why)
        except StoreError as error:
            self._unread = why
            log.warning(
                "the clusters in %s cannot be used, beginning without: %s (%s)", self._shelf, why, error
            )
        else:
            if kept:  # or else nothing was written yet
                log.warning(
                    "the clusters in %s cannot be used: %s; set aside, beginning without", self._shelf, why
                )
