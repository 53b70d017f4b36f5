"""Who writes the store: one task, one thing at a time, whatever the disk does."""

import asyncio
import logging
import math
import sys
from collections.abc import Callable, Sequence

from stream_match.errors import StoreError
from stream_match.publish.tasks import first_of
from stream_match.service.intake import cancelled
from stream_match.service.ledger import Ledger
from stream_match.service.pruning import Pruner
from stream_match.service.reasons import reason_of
from stream_match.service.stamp import EventIds
from stream_match.service.store_health import StoreHealth
from stream_match.service.stored_outbox import StoredOutbox
from stream_match.service.tail import Tail
from stream_match.service.taking_up import take_up
from stream_match.service.world import World
from stream_match.store.event_store import Store, is_damage
from stream_match.store.rows import Batch, Row

log = logging.getLogger(__name__)

START_PATIENCE_S = 5.0
"""How long the start waits for the store, which may have to read what a crash left in its log."""

END_PATIENCE_S = 1.5
"""How long the end of the program waits for it."""

PORTION = 500
"""Events that are written in one transaction."""

_HURRY_S = 0.2  # longest pause between attempts while the program ends


class Scribe:
    """Writes what waits in the tail, and what the ledger takes along.

    Parameters
    ----------
    store : Store
        Not open yet.
    tail : Tail
        What is to be written.
    ids : EventIds
        Ids go on behind those in the store.
    world : World
        Clock and threads.
    progress : callable ()
        Called whenever more events may go out.

    Attributes
    ----------
    saved : int
        Number up to which events are written.
    handed : int
        Number up to which events were handed out; set by the journal.
    ledger : Ledger
        What is written beside events.
    attached : bool
        Whether the store was opened, and numbers are those of the store.
    readers : list of StoredOutbox
        Whose places are written.
    size_bytes : int or None
        Size of the store on disk when it was last written.
    """

    def __init__(
        self, store: Store, tail: Tail, ids: EventIds, world: World, progress: Callable[[], None]
    ) -> None:
        self.saved = self.handed = 0
        self.attached = False
        self.readers: list[StoredOutbox] = []
        self.size_bytes: int | None = None
        self._store = store
        self._tail = tail
        self._ids = ids
        self._world = world
        self._progress = progress
        self._begun = False  # whether numbers were given
        self._ending = False
        self._damage: StoreError | None = None  # what a reader has met
        self._pruner = Pruner(store, world)
        self._health = StoreHealth(store.path, world, progress)
        self._due = asyncio.Event()
        self.ledger = Ledger(world, self.wake)

    @property
    def alone(self) -> bool:
        """Whether events go out although they are not written."""
        return self._health.alone

    @property
    def trouble(self) -> str | None:
        """Why the store is not written; None if it is."""
        return self._health.trouble

    def wake(self) -> None:
        """Look at the tail: there is something to write."""
        self._due.set()

    async def open(self, names: Sequence[str]) -> None:
        """Open the store and find everybody's place in it, or go on without for now.

        Parameters
        ----------
        names : sequence of str
            What is delivered to. Each gets a reader, which goes on where it was. One that is new begins now,
            and one that is left out is forgotten.
        """
        self.readers = [
            StoredOutbox(self.after, self.ledger.arrived, self._tail, name=name) for name in names
        ]
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                await self._attach_or_heal()
        except TimeoutError:
            self._health.fail(StoreError("slow", f"The store {self._store.path} does not open."))
        if not self.attached:
            # Greater than any number that was counted, and than those of an earlier process like this one.
            self._begin_at(int(self._world.now() * 1000) << 10)
            for reader in self.readers:
                reader.rewind(self.saved, 0)

    async def run(self) -> None:
        """Write until there is nothing to write and `end` was called."""
        while not (self._ending and not self._owes()):
            await self._until_due()
            try:
                await self._health.watched(self._work())
            except StoreError as error:
                await self._heal(error)
            except Exception as error:  # whatever it is, events must go out
                log.debug("The store broke", exc_info=True)
                self._health.fail(StoreError("broken", f"The store broke ({reason_of(error)})."))

    async def end(self, task: "asyncio.Task[None]") -> None:
        """Let `run` write what waits, for a short while, and close the store."""
        self._ending = True
        self._due.set()
        await asyncio.wait({task}, timeout=END_PATIENCE_S)
        await cancelled(task)
        if self._tail.unsaved:
            log.warning(
                "%d events are not in the store %s: it could not be written.",
                self._tail.unsaved, self._store.path,
            )  # fmt: skip
        try:
            async with asyncio.timeout(END_PATIENCE_S):
                await self._world.aside(self._store.close)
        except (StoreError, TimeoutError) as error:
            log.debug("The store was not closed: %s", error)

    async def after(self, seq: int, limit: int) -> list[Row]:
        """Return the first events behind a number, of those that were handed out.

        Raises
        ------
        StoreError
            If they would have to be read from a store that cannot be read.
        """
        begin = None
        while self.attached and seq < self._tail.begin != begin:  # it may move on meanwhile
            begin = self._tail.begin
            try:
                rows = await self._world.aside(lambda: self._store.after(seq, limit))
            except StoreError as error:
                if is_damage(error):  # what is damaged is known to whoever reads it first
                    self._damage = error
                    self._due.set()
                raise
            if rows:
                return [row for row in rows if row.seq <= self.handed]
        return self._tail.after(seq, limit, up_to=self.handed)

    def _owes(self) -> bool:
        return bool(self._tail.unsaved) or self.ledger.owes

    async def _until_due(self) -> None:
        """Wait until there is something to write, and the store may take it."""
        while True:
            self._due.clear()
            wait_s = self._due_at() - self._world.monotonic()
            if wait_s <= 0:
                return
            await first_of(self._due.wait(), *([self._slept(wait_s)] if wait_s < math.inf else []))

    async def _slept(self, seconds: float) -> None:
        await self._world.sleep(seconds)

    def _due_at(self) -> float:
        if self._damage is not None:
            return 0.0
        if self.alone or not self.attached:
            at = self._health.retry_at
            return min(at, self._world.monotonic() + _HURRY_S) if self._ending else at
        if self._tail.unsaved or self._ending:
            return 0.0
        return min(self.ledger.write_at, self._pruner.due_at)

    async def _work(self) -> None:
        if self._damage is not None:
            damage, self._damage = self._damage, None
            raise damage
        if not self.attached:
            await self._attach()
        elif self._store.begins_anew:  # and could not, as yet
            await self._world.aside(self._store.open)
            self._write_again()
        await self._write_portion()
        if not self._tail.unsaved and self._world.monotonic() >= self._pruner.due_at and not self._ending:
            await self._pruner.prune(min((reader.position for reader in self.readers), default=None))

    async def _write_portion(self) -> None:
        rows = self._tail.portion(PORTION)
        batch = self.ledger.batch(rows)
        if batch:
            try:
                self.size_bytes = await self._world.aside(lambda: self._written(batch))
            except BaseException:
                self.ledger.give_back(batch)
                raise
        if rows:
            self.saved = max(self.saved, rows[-1].seq)
        self._tail.saved(rows, self.handed)
        self._health.works(all_written=not self._tail.unsaved)
        self._progress()

    def _written(self, batch: Batch) -> int:
        self._store.write(batch)
        return self._store.size_bytes()

    async def _attach_or_heal(self) -> None:
        try:
            await self._attach()
        except StoreError as error:
            await self._heal(error)

    async def _attach(self) -> None:
        """Open the store, tell the ends that the process before left out, and find everybody's place."""
        self._store.shift = 0
        begun_at = self._tail.begin if self._begun else None
        tail = self._tail.rows
        names = [reader.name for reader in self.readers if reader.name is not None]
        found = await self._world.aside(
            lambda: take_up(self._store, tail, names, self._ids, begun_at=begun_at)
        )
        self._store.shift = found.shift
        self.attached = True
        if not self._begun:
            self._begin_at(found.last_seq)
        for reader in self.readers:
            if reader.name in found.places:
                reader.rewind(*found.places[reader.name])

    def _begin_at(self, seq: int) -> None:
        self._begun = True
        self.saved = self.handed = self._tail.begin = seq

    async def _heal(self, error: StoreError) -> None:
        """Begin a damaged store anew; wait for any other one."""
        if not is_damage(error):
            self._health.fail(error)
            return
        try:
            aside = await self._health.watched(self._world.aside(self._store.begin_anew))
            if not self.attached:
                await self._attach()
        except StoreError as worse:
            self._health.fail(worse)
            return
        finally:
            if also_lost := self._store.carried_over.take_lost():
                log.warning("Lost with the store %s: %s.", self._store.path, "; ".join(also_lost))
        lost = max((len(reader) - self._in_memory(reader) for reader in self.readers), default=0)
        log.warning(
            "%s It is kept as %s, and a new one begins. Events lost with it that had not arrived: %d.",
            error, aside.name, max(0, lost),
        )  # fmt: skip
        self._write_again()

    def _write_again(self) -> None:
        """Write what is remembered into a new store, and everybody's place with it."""
        self._tail.write_again()
        for reader in self.readers:
            if reader.name is not None:
                self.ledger.arrived(reader.name, reader.position)

    def _in_memory(self, reader: StoredOutbox) -> int:
        return len(self._tail.after(reader.position, sys.maxsize, up_to=self.handed))
