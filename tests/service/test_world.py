"""Where work is done: engines have threads of their own, and what hangs at one disk holds up no other."""

import asyncio
import os
import threading

import pytest

from stream_match.errors import SourceError, StoreError, StreamMatchError
from stream_match.service.beside import MOST_LEFT, beside, beside_store
from stream_match.service.world import World
from stream_match.store.event_store import Store


def test_writes_that_hang_hold_no_engine_back():
    async def scenario():
        world, disk_is_back = World(), threading.Event()
        writes = [asyncio.ensure_future(world.aside(disk_is_back.wait)) for _ in range(2 + os.cpu_count())]
        try:
            await asyncio.sleep(0)  # all of them have begun to wait
            return await asyncio.wait_for(world.offload(threading.current_thread), 20)
        finally:
            disk_is_back.set()
            await asyncio.gather(*writes)

    assert asyncio.run(scenario()).name.startswith("engine")


class Disk:
    """One that does not answer until it is back."""

    def __init__(self):
        self.back = threading.Event()
        self.asked = []
        self._begun = threading.Semaphore(0)

    def ask(self):
        self.asked.append(threading.current_thread())
        self._begun.release()
        self.back.wait()

    async def begun(self, calls=1):
        """Wait until so many more calls have reached it."""
        for _ in range(calls):
            await asyncio.to_thread(self._begun.acquire)

    async def leave(self, aside, times):
        """Ask it, and cease to wait."""
        for _ in range(times):
            call = asyncio.ensure_future(aside(self.ask))
            await self.begun()
            call.cancel()
            await asyncio.wait({call})


@pytest.fixture
def disk(monkeypatch):
    monkeypatch.setattr("stream_match.capture.threaded.CLOSE_WAIT_S", 0.001)
    hanging = Disk()
    yield hanging
    hanging.back.set()


def test_what_hangs_at_one_disk_stops_no_call_to_another(disk, tmp_path):
    async def scenario():
        world = World()
        indexes, store = beside(world, "the indexes"), beside_store(world, Store(tmp_path / "store"))
        await disk.leave(indexes.aside, MOST_LEFT)
        await disk.leave(world.aside, MOST_LEFT)
        return await store.aside(lambda: "written")

    assert asyncio.run(scenario()) == "written"


def test_calls_that_are_left_at_a_disk_are_bounded_until_it_is_back(disk, tmp_path):
    async def scenario():
        store = beside_store(World(), Store(tmp_path / "store"))
        await disk.leave(store.aside, MOST_LEFT)
        with pytest.raises(StoreError, match=r"4 earlier calls to the store .*/store hang") as refused:
            await store.aside(disk.ask)
        assert refused.value.kind == "slow"
        assert len(disk.asked) == MOST_LEFT
        disk.back.set()
        for thread in disk.asked:
            thread.join(20)
        return await store.aside(lambda: "written")

    assert asyncio.run(scenario()) == "written"


def test_calls_that_are_waited_for_are_as_many_as_one_likes(disk):
    async def scenario():
        aside = beside(World(), "a disk").aside
        calls = [asyncio.ensure_future(aside(disk.ask)) for _ in range(3 * MOST_LEFT)]
        await disk.begun(len(calls))
        disk.back.set()
        await asyncio.gather(*calls)

    asyncio.run(scenario())


def test_an_error_of_the_work_is_none_of_a_disk_that_hangs():
    async def scenario():
        aside = beside(World(), "a disk").aside
        for _ in range(2 * MOST_LEFT):
            with pytest.raises(SourceError):
                await aside(_breaks)
        return await aside(lambda: 7)

    assert asyncio.run(scenario()) == 7


def _breaks():
    raise SourceError("it breaks")


def test_who_names_no_error_gets_a_failure_of_ours(disk):
    async def scenario():
        aside = beside(World(), "the folders").aside
        await disk.leave(aside, MOST_LEFT)
        with pytest.raises(StreamMatchError, match="to the folders hang"):
            await aside(disk.ask)

    asyncio.run(scenario())
