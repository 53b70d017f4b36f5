"""What was learnt of a source's sounds, kept over reconnections and restarts."""

import logging
from dataclasses import dataclass
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

    The shelf is asked by the constructor and by `Snapshot.write` alone.

    Parameters
    ----------
    shelf : Shelf or None
        Where it is kept; None to keep nothing over restarts.
    prefix : str
        Goes before identities of clusters, should none be on the shelf: they must not be given twice,
        not even by a process that knows nothing of an earlier one.
    unread : str, optional
        Why the shelf is not to be read.
    """

    def __init__(self, shelf: Shelf | None, prefix: str, *, unread: str = "") -> None:
        self.prefix = self._own_prefix = prefix
        self._shelf = shelf
        self._unread = ""  # why what may be on the shelf was not read
        self._text: str | None = None
        self._ahead: str | None = None  # the same, with identities left out for an engine that goes on
        self._stored = False  # whether the shelf holds identities under this prefix
        self._snapshots = 0  # that were made
        self._covered = 0  # number of the last snapshot that may be missed: an earlier one has its identities
        self._used = False  # whether an engine has given identities under `prefix`
        self._renamed = 0
        if unread:
            self._leave_unread(unread)
        elif shelf is not None:
            self._read(shelf)

    def give(self, engine: object) -> str | None:
        """Let a new engine go on where the last one was; return why it cannot, None if it can."""
        if self._text is None or not isinstance(engine, Remembering):
            return None
        try:
            engine.remember(self._text)
        except ValueError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever is in a memory, it keeps no source from being heard
            return reason_of(error)
        return None

    def learn(self, engine: object, *, goes_on: bool = False) -> bool:
        """Learn what an engine knows; return whether it could say.

        Parameters
        ----------
        engine : object
        goes_on : bool
            Whether it will learn more: should that be lost, its identities are not given again.
        """
        if not isinstance(engine, Remembering):
            return False
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

    def snapshot(self, *, goes_on: bool = False) -> "Snapshot | None":
        """Return what was learnt, to be written down; None if it is not kept.

        Parameters
        ----------
        goes_on : bool
            Whether the engine that knows it learns more.
        """
        text = self._ahead if goes_on else self._text
        if self._shelf is None or text is None:
            return None
        self._snapshots += 1
        covers = self._snapshots + (MISSES if goes_on else 0)
        return Snapshot(self._shelf, self.prefix, text, self._unread, self._snapshots, covers)

    def written(self, snapshot: "Snapshot") -> None:
        """Take note that a snapshot was written."""
        if self._unread == snapshot.unread:
            self._unread = ""
        if self.prefix == snapshot.prefix:
            self._stored, self._covered = True, snapshot.covers

    def missed(self, snapshot: "Snapshot") -> None:
        """Take note that a snapshot was not written, or not yet.

        Identities go on under another prefix where the next process might give those of now again.
        """
        if self._stored and snapshot.number > self._covered:
            self._rename()
            log.warning("lest they are given twice, identities of clusters begin with %s now", self.prefix)

    def _rename(self) -> None:
        self._renamed += 1
        self.prefix, self._stored = f"{self._own_prefix}{self._renamed}", False

    def _read(self, shelf: Shelf) -> None:
        try:
            found = shelf.read()
        except StoreError as error:
            self._leave_unread(str(error))
        except ValueError as error:
            self._set_aside(shelf, str(error))
        else:
            if found is not None:
                self.prefix, self._text = found
                self._stored = True

    def _leave_unread(self, why: str) -> None:
        self._unread = why
        log.warning("what was learnt of sounds before cannot be read, beginning without: %s", why)

    def _set_aside(self, shelf: Shelf, why: str) -> None:
        try:
            done = "set aside, " if shelf.set_aside(why) else ""
        except StoreError as error:
            self._unread = why
            log.warning("the clusters in %s cannot be used, beginning without: %s (%s)", shelf, why, error)
        else:
            log.warning("the clusters in %s cannot be used: %s; %sbeginning without", shelf, why, done)

    def begin_without(self, why: str) -> None:
        """Forget what was learnt; identities begin with another prefix.

        What is on the shelf is set aside when something is written over it.

        Parameters
        ----------
        why : str
            For the log.
        """
        if self._text is not None:  # or else there was nothing
            log.warning("what was learnt of sounds cannot be used, beginning without: %s", why)
        self._text = self._ahead = None
        self._unread = why
        if self._used:
            self._rename()
        else:
            self.prefix, self._stored = self._own_prefix, False


@dataclass(frozen=True)
class Snapshot:
    """What was learnt up to a moment, to be written down.

    Parameters
    ----------
    shelf : Shelf
    prefix : str
        Goes before its identities.
    text : str
    unread : str
        Why what is on the shelf was not read; empty if it may be written over.
    number : int
        Counts the snapshots of a source.
    covers : int
        Number of the last snapshot that may be missed once this one is written.
    """

    shelf: Shelf
    prefix: str
    text: str
    unread: str
    number: int
    covers: int

    def write(self) -> None:
        """Write it; may wait for a disk.

        Raises
        ------
        StoreError
            If that is not possible for now.
        """
        if self.unread:
            self.shelf.set_aside(self.unread)
        self.shelf.write(self.prefix, self.text)
