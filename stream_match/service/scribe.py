"""Who writes the store: one task, one thing at a time, whatever the disk does."""

import asyncio
import logging
import math
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from stream_match.errors import StoreError
from stream_match.events import OnsetClusterEvent, to_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of
from stream_match.service import orphans
from stream_match.service.intake import cancelled
from stream_match.service.stamp import EventIds
from stream_match.service.stored_outbox import StoredOutbox
from stream_match.service.tail import Tail
from stream_match.service.world import World
from stream_match.store.event_store import Batch, Row, Store, is_damage

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long events wait for a store that does not answer before they go out from memory."""

START_PATIENCE_S = 5.0
"""The same for opening it, which may have to read what a crash left in its log."""

END_PATIENCE_S = 1.5
"""How long the end of the program waits for it."""

PORTION = 500
"""Events that are written in one transaction."""

POSITIONS_EVERY_S = 1.0
"""Longest wait of what has arrived to be written; what arrived since is sent again after a crash."""

SOUNDS_EVERY_S = 10.0
"""Longest wait of counts of sounds to be written; those since are lost by a crash."""

MOST_COUNTS = 50_000
"""Minutes and kinds of sounds that wait to be written. While a store is away, no more are counted."""

PRUNE_EVERY_S = 600.0

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""Pauses between attempts to use a store that fails."""

_HURRY_S = 0.2  # the same while the program ends


class Scribe:
    """Writes what waits in the tail, where everybody's place is, and how often sounds were heard.

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
    alone : bool
        Whether events go out although they are not written.
    attached : bool
        Whether the store was opened, and numbers are those of the store.
    readers : list of StoredOutbox
        Whose places are written.
    """

    def __init__(
        self, store: Store, tail: Tail, ids: EventIds, world: World, progress: Callable[[], None]
    ) -> None:
        self.saved = self.handed = 0
        self.alone = self.attached = False
        self.readers: list[StoredOutbox] = []
        self._store = store
        self._tail = tail
        self._ids = ids
        self._world = world
        self._progress = progress
        self._never = False  # whether the store is not written any more in this run
        self._ending = False
        self._damage: StoreError | None = None  # what a reader has met
        self._positions: dict[str, int] = {}
        self._sounds: dict[tuple[int, str, str], int] = {}
        self._write_at = math.inf  # when positions and sounds are due
        self._prune_at = world.monotonic() + PRUNE_EVERY_S / 10  # not amid the start
        self._retry_at = 0.0
        self._lost = 0  # events that were deleted before they had arrived
        self._told = False  # whether there is trouble that the log knows of
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S, chance=world.chance)
        self._complaints = SparseLog(log, clock=world.monotonic)
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Look at the tail: there is something to write."""
        self._due.set()

    def arrived(self, name: str, seq: int) -> None:
        """Take note that everything up to a number has arrived at a sink."""
        self._positions[name] = seq
        self._write_within(POSITIONS_EVERY_S)

    def count(self, sound: OnsetClusterEvent) -> None:
        """Count a sound."""
        key = (int(sound.time.timestamp()) // 60, sound.source, sound.cluster_id)
        if key in self._sounds or len(self._sounds) < MOST_COUNTS:
            self._sounds[key] = self._sounds.get(key, 0) + 1
            self._write_within(SOUNDS_EVERY_S)

    async def open(self, names: Sequence[str]) -> None:
        """Open the store and find everybody's place in it, or go on without for now.

        Parameters
        ----------
        names : sequence of str
            What is delivered to. Each gets a reader, which goes on where it was. One that is new begins now,
            and one that is left out is forgotten.
        """
        self.readers = [StoredOutbox(self.after, self.arrived, self._tail, name=name) for name in names]
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                await self._attach()
        except TimeoutError:
            self._fail(StoreError("slow", f"The store {self._store.path} does not open."))
        except StoreError as error:
            await self._heal(error)
        if not self.attached:
            # Greater than any number that was counted, and than those of an earlier process like this one.
            self._begin_at(int(self._world.now() * 1000) << 10)
            for reader in self.readers:
                reader.rewind(self.saved, 0)

    async def run(self) -> None:
        """Write until there is nothing to write and `end` was called."""
        while not (self._ending and (self._never or not self._owes())):
            await self._until_due()
            try:
                await self._watched(self._work())
            except StoreError as error:
                await self._heal(error)
            except Exception as error:  # whatever it is, events must go out
                log.debug("The store broke", exc_info=True)
                self._fail(StoreError("broken", f"The store broke ({type(error).__name__}: {error})."))

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

    def _write_within(self, seconds: float) -> None:
        at = self._world.monotonic() + seconds
        if at < self._write_at:
            self._write_at = at
            self._due.set()

    def _owes(self) -> bool:
        return bool(self._tail.unsaved or self._positions or self._sounds)

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
        if self._never:
            return 0.0 if self._ending else math.inf
        if self.alone or not self.attached:
            return min(self._retry_at, self._world.monotonic() + _HURRY_S) if self._ending else self._retry_at
        if self._tail.unsaved or self._ending:
            return 0.0
        return min(self._write_at, self._prune_at)

    async def _work(self) -> None:
        if self._damage is not None:
            damage, self._damage = self._damage, None
            raise damage
        if self._never:
            return
        if not self.attached:
            await self._attach()
        await self._write_portion()
        if not self._tail.unsaved and self._world.monotonic() >= self._prune_at and not self._ending:
            await self._prune()

    async def _write_portion(self) -> None:
        rows = self._tail.portion(PORTION)
        batch = Batch(rows, self._positions, self._sounds)
        self._positions, self._sounds, self._write_at = {}, {}, math.inf
        if batch:
            try:
                await self._world.aside(lambda: self._store.write(batch))
            except BaseException:
                self._positions = {**batch.positions, **self._positions}
                for key, count in batch.sounds.items():
                    self._sounds[key] = self._sounds.get(key, 0) + count
                raise
        if rows:
            self.saved = max(self.saved, rows[-1].seq)
        self._tail.saved(rows, self.handed)
        self._retry_at = 0.0
        if not self._tail.unsaved:
            self._be_well()
        self._progress()

    async def _prune(self) -> None:
        self._prune_at = self._world.monotonic() + PRUNE_EVERY_S
        delivered = min((reader.position for reader in self.readers), default=None)
        pruned = await self._world.aside(lambda: self._store.prune(self._world.now(), delivered))
        if pruned.more:
            self._prune_at = 0.0
        if pruned.lost:
            self._lost += pruned.lost
            self._complaints.tell(
                "lost",
                f"The store {self._store.path} has reached its limit: {self._lost} events were deleted "
                "before they had arrived; the ends of matches are kept.",
            )

    async def _attach(self) -> None:
        """Open the store, tell the ends that the process before left out, and find everybody's place."""
        tail = self._tail.rows
        opened = await self._world.aside(lambda: self._opened(tail))
        if opened is None:
            self._never = True
            raise StoreError(
                "clock",
                f"The clock is behind the store {self._store.path}: nothing is stored until the next start.",
            )
        last_seq, places = opened
        self.attached = True
        if not tail:
            self._begin_at(last_seq)
        for reader in self.readers:
            if reader.name in places:
                reader.rewind(*places[reader.name])

    def _opened(self, tail: list[Row]) -> tuple[int, dict[str, tuple[int, int]]] | None:
        """Return the last number, and for each reader its place and how many wait; None if numbers clash."""
        store = self._store
        store.open()
        last_seq = store.last_seq()
        if tail and tail[0].seq <= last_seq:
            return None
        if (last_id := store.last_event_id()) is not None:
            self._ids.go_on_after(last_id)
        told = {(row.event.node, row.event.source) for row in tail}  # what this process speaks for itself
        states = [state for state in store.open_sources() if (state.node, state.source) not in told]
        ends = orphans.ends(store.open_matches(), states, self._ids)
        rows = [Row(seq, event, to_json(event)) for seq, event in enumerate(ends, last_seq + 1)]
        known = store.positions()
        names = [reader.name for reader in self.readers if reader.name is not None]
        store.keep_sinks(names)
        last_seq += len(rows)
        places = {name: known.get(name, last_seq) for name in names}
        store.write(Batch(rows, places))
        # With nothing left for it, a reader that has begun in memory goes on there.
        left = {name: place for name, place in places.items() if place < last_seq or not tail}
        return last_seq, {name: (place, store.count_after(place)) for name, place in left.items()}

    def _begin_at(self, seq: int) -> None:
        self.saved = self.handed = self._tail.begin = seq

    async def _heal(self, error: StoreError) -> None:
        """Begin a damaged store anew; wait for any other one."""
        if not is_damage(error):
            self._fail(error)
            return
        try:
            aside = await self._watched(self._world.aside(self._store.begin_anew))
            if not self.attached:
                await self._attach()
        except StoreError as worse:
            self._fail(worse)
            return
        lost = max((len(reader) - self._in_memory(reader) for reader in self.readers), default=0)
        log.warning(
            "%s It is kept as %s, and a new one begins. Events lost with it that had not arrived: %d.",
            error, aside.name, max(0, lost),
        )  # fmt: skip
        # What is remembered is written once more, and everybody's place with it.
        self._tail.write_again()
        self._positions |= {reader.name: reader.position for reader in self.readers if reader.name}

    def _in_memory(self, reader: StoredOutbox) -> int:
        return len(self._tail.after(reader.position, sys.maxsize, up_to=self.handed))

    def _fail(self, error: StoreError) -> None:
        self._retry_at = self._world.monotonic() + self._backoff.next_s()
        self._go_on_alone(error.kind, f"{error} Listening goes on from memory.")

    def _go_on_alone(self, kind: str, sentence: str) -> None:
        self._told |= self._complaints.tell(kind, sentence)
        self.alone = True
        self._progress()

    def _be_well(self) -> None:
        self._backoff.reset()
        if self._told:
            log.info("The store %s is written again.", self._store.path)
        self.alone = self._told = False

    async def _watched(self, work: Awaitable[T]) -> T:
        """Await work on the store; when it takes long, events go out without it meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
            if not done:
                self._go_on_alone(
                    "slow",
                    f"The store {self._store.path} has not answered for {PATIENCE_S:g} s: listening goes on "
                    "from memory.",
                )
            return await task
        finally:
            task.cancel()
