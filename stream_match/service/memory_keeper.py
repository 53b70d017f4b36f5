"""Who writes what was learnt of a source's sounds: one snapshot at a time, whatever the disk does.

**Policy.** Who hears only hands a snapshot over; of those that wait, the newest alone is written. A new
matcher waits `PATIENCE_S` at most until its identities are reserved, and not beyond a stop. A disk that does
not answer within it counts as one that fails: see `memory.SoundMemory.missed`. It is asked in a thread of its
own, because it may hang for ever.
"""

import asyncio
import logging

from stream_match.errors import StoreError
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of
from stream_match.service.intake import cancelled
from stream_match.service.memory import Shelf, Snapshot, SoundMemory
from stream_match.service.reasons import reason_of
from stream_match.service.world import World

log = logging.getLogger(__name__)

RECALL_PATIENCE_S = 5.0
"""How long a source waits for what was learnt before [seconds]; it is heard without from then on."""

PATIENCE_S = 2.0
"""How long a write may take before it counts as failed for now [seconds]."""

END_PATIENCE_S = 1.5
"""How long the end of a source waits for what is not written yet [seconds]."""


async def recalled(shelf: Shelf, prefix: str, world: World) -> SoundMemory:
    """Return what was learnt before, as far as the disk tells that in time.

    Parameters
    ----------
    shelf : Shelf
        Where it is kept.
    prefix : str
        Goes before identities of clusters, should none be on the shelf.
    world : World
        A thread that may hang.
    """
    try:
        async with asyncio.timeout(RECALL_PATIENCE_S):
            return await world.aside(lambda: SoundMemory(shelf, prefix))
    except TimeoutError:
        why = f"{shelf} has not answered for {RECALL_PATIENCE_S:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, the source is heard
        why = reason_of(error)
    return SoundMemory(shelf, prefix, unread=why)


class MemoryKeeper:
    """Writes down what was learnt of one source's sounds.

    Parameters
    ----------
    source : str
        Name of the source, for sentences.
    memory : SoundMemory
        Told how that goes.
    world : World
        Clock, and a thread that may hang.
    stop : asyncio.Event
        Set when everything has to end.
    """

    def __init__(self, source: str, memory: SoundMemory, world: World, stop: asyncio.Event) -> None:
        self._source = source
        self._memory = memory
        self._world = world
        self._stop = stop
        self._waiting: Snapshot | None = None
        self._task: asyncio.Task[None] | None = None
        self._hangs = False
        self._settled = asyncio.Event()  # whether what was handed over is written, or counts as failed
        self._settled.set()
        self._complaints = SparseLog(log, clock=world.monotonic)

    def keep(self, snapshot: Snapshot) -> None:
        """Take what is to be written, in place of what waits; returns at once."""
        self._waiting = snapshot
        if self._hangs:
            self._memory.missed(snapshot)
            return
        self._settled.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"keep sounds of {self._source}")

    async def settled(self) -> None:
        """Wait until what was handed over is written, or counts as failed, but not beyond a stop."""
        if not self._settled.is_set():
            await first_of(self._settled.wait(), self._stop.wait())

    async def close(self) -> None:
        """Let be written what waits, for a short while."""
        if (task := self._task) is None:
            return
        await asyncio.wait({task}, timeout=END_PATIENCE_S)
        if not task.done():
            log.warning("what was learnt of the sounds of %s lately is not written", self._source)
        await cancelled(task)

    async def _run(self) -> None:
        while (snapshot := self._waiting) is not None:
            self._waiting = None
            await self._write(snapshot)
        self._settled.set()

    async def _write(self, snapshot: Snapshot) -> None:
        working = asyncio.ensure_future(self._world.aside(snapshot.write))
        try:
            done, _ = await asyncio.wait({working}, timeout=PATIENCE_S)
            if not done:
                self._hang(snapshot)
            await working
        except Exception as error:  # noqa: BLE001 - whatever the disk says, listening goes on
            kind = error.kind if isinstance(error, StoreError) else type(error).__name__
            self._miss(snapshot, kind, reason_of(error))
        else:
            self._memory.written(snapshot)
        finally:
            self._hangs = False
            await cancelled(working)

    def _hang(self, snapshot: Snapshot) -> None:
        self._hangs = True
        self._miss(
            self._waiting or snapshot, "slow", f"{snapshot.shelf} has not answered for {PATIENCE_S:g} s"
        )
        self._settled.set()

    def _miss(self, snapshot: Snapshot, kind: str, why: str) -> None:
        self._complaints.tell(kind, f"the clusters of {self._source} could not be kept: {why}")
        self._memory.missed(snapshot)
