"""What is told, written down before it goes out.

Every event that is stored is committed first and handed out then, in order; sounds, which are only counted,
keep their place among them. The last events are in memory too: a reader who has kept up needs no disk.

**The store fails**, or does not answer for `store_health.PATIENCE_S`: listening goes on. Events are handed
out from memory at once, and are written when the store takes them again. That is told once per cause. A
damaged store is set aside, and a new one begins with what is in memory.

**Crashes.** Before its commit an event has never gone out, so it has never happened. After it, the event goes
out in this process or the next one. What has arrived at a sink is written within `ledger.POSITIONS_EVERY_S`;
what arrived since is sent again, under the same id and with the same content.

**Numbers.** Each stored event has a number, in the order of all events; a sink's position is the number up to
which all has arrived. A process that begins without its store takes numbers from the clock. They are greater
than any counted one, so that it can go on in the store when that comes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from stream_match.events import SOUNDS, Event, OnsetClusterEvent, to_json
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of
from stream_match.service.intake import cancelled
from stream_match.service.scribe import Scribe
from stream_match.service.stamp import EventIds
from stream_match.service.stored_outbox import StoredOutbox
from stream_match.service.tail import UNSAVED, Tail
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.rows import Row

log = logging.getLogger(__name__)

ROOM = UNSAVED // 2
"""Events that wait to be written before those who tell more have to wait, too: a file that is read fast."""


class Journal:
    """Events on their way through a store.

    Parameters
    ----------
    store : Store
        Not open yet.
    ids : EventIds
        Ids go on behind those in the store.
    world : World
        Clock and threads.

    Attributes
    ----------
    hand_out : coroutine function (Event)
        Takes each event once, in order.
    """

    def __init__(self, store: Store, ids: EventIds, world: World) -> None:
        self.store = store
        self.hand_out: Callable[[Event], Awaitable[None]] = _to_nobody
        self._world = world
        self._tail = Tail()
        self._ready = asyncio.Event()
        self._quiet = asyncio.Event()
        self._room = asyncio.Event()
        self._scribe = Scribe(store, self._tail, ids, world, self._progress)
        self._next_seq = 1
        self._pending: deque[tuple[int | None, Event]] = deque()
        self._given_up = 0
        self._complaints = SparseLog(log, clock=world.monotonic)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def trouble(self) -> str | None:
        """Why the store is not written; None if it is."""
        return self._scribe.trouble

    @property
    def unsaved(self) -> int:
        """How many events are in memory only."""
        return self._tail.unsaved

    @property
    def size_bytes(self) -> int | None:
        """Size of the store on disk when it was last written; None before that."""
        return self._scribe.size_bytes

    async def open(self, names: Sequence[str]) -> list[StoredOutbox]:
        """Open the store, tell the ends that an earlier process left out, and begin to write.

        Parameters
        ----------
        names : sequence of str
            What is delivered to. Each goes on where it was. One that is new begins now, and one that is left
            out is forgotten.

        Returns
        -------
        list of StoredOutbox
            What waits for each.
        """
        await self._scribe.open(names)
        self._next_seq = self._scribe.saved + 1
        self._tasks = [
            asyncio.create_task(self._scribe.run(), name="write the store"),
            asyncio.create_task(self._hand_out_for_ever(), name="hand out events"),
        ]
        return self._scribe.readers

    async def settled(self) -> None:
        """Wait until everything that was told is handed out; that takes `store_health.PATIENCE_S` at most."""
        handing_out = self._tasks[-1]
        while self._pending and not handing_out.done():
            self._quiet.clear()
            await first_of(self._quiet.wait(), asyncio.wait({handing_out}))

    async def close(self) -> None:
        """Write what waits, for a short while, and close the store."""
        if self._tasks:
            await self._scribe.end(self._tasks[0])
            await cancelled(*self._tasks)

    async def append(self, event: Event) -> None:
        """Take an event; returns at once, unless events come faster than a disk that works can take them."""
        while self._tail.unsaved >= ROOM and not self._scribe.alone:
            self._room.clear()
            await self._room.wait()
        row = None if isinstance(event, SOUNDS) else self._numbered(event)
        if row is not None:
            self._write(row)
        elif isinstance(event, OnsetClusterEvent):
            self._scribe.ledger.count(event)
        self._pending.append((None if row is None else row.seq, event))
        self._ready.set()

    def heard(self, node: str, source: str, time: float, stream_s: float) -> None:
        """Take note of how far a source was heard: the next process tells when this one was killed.

        Parameters
        ----------
        node, source : str
        time : float
            When that was [seconds since 1970].
        stream_s : float
            Stream time [seconds].
        """
        self._scribe.ledger.heard(node, source, time, stream_s)

    async def reader(self, after: str | None, capacity: int) -> StoredOutbox:
        """Return what follows an event, or only what comes now; nothing of it is remembered.

        Parameters
        ----------
        after : str or None
            Id of an event.
        capacity : int
            How many sounds may wait.

        Raises
        ------
        StoreError
            If that event is not in memory, and the store cannot be read.
        """
        position = self._scribe.handed
        if after is not None:
            found = self._tail.place_of(after)
            position = await self._world.aside(lambda: self.store.place_of(after)) if found is None else found
        outbox = StoredOutbox(self._scribe.after, None, self._tail, capacity=capacity)
        outbox.rewind(position, 0)
        return outbox

    def _numbered(self, event: Event) -> Row | None:
        try:
            row = Row(self._next_seq, event, to_json(event))
        except ValueError:  # a name that is no UTF-8: each sink tells that it cannot send it
            return None
        self._next_seq += 1
        return row

    def _write(self, row: Row) -> None:
        if self._tail.add(row) is not None:
            self._given_up += 1
            self._complaints.tell(
                "unstored", f"{self._given_up} events are not stored: {self.store.path} is away for too long."
            )
        if not self._scribe.alone:
            self._scribe.wake()

    def _progress(self) -> None:
        self._ready.set()
        self._room.set()

    async def _hand_out_for_ever(self) -> None:
        while True:
            self._ready.clear()
            while self._pending and self._may_go(self._pending[0][0]):
                seq, event = self._pending.popleft()
                if seq is not None:  # first: who is handed an event may read it at once
                    self._scribe.handed = seq
                await self.hand_out(event)
            if not self._pending:
                self._quiet.set()
            await self._ready.wait()

    def _may_go(self, seq: int | None) -> bool:
        return seq is None or self._scribe.alone or seq <= self._scribe.saved


async def _to_nobody(_: Event) -> None:
    """Take an event before anybody wants one."""
