"""A blocking iterator in a thread."""

import asyncio
import subprocess
import sys
import threading
from contextlib import aclosing

import pytest

from stream_match.capture.threaded import from_thread


def threads(name):
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_items_come_in_order_from_another_thread():
    async def read():
        return [item async for item in from_thread(lambda _: iter(range(100)), name="order")]

    assert asyncio.run(read()) == list(range(100))
    assert not threads("order")


def test_an_error_comes_after_the_items_before_it():
    def iterate(_):
        yield 1
        yield 2
        raise LookupError("third")

    async def read():
        items = from_thread(iterate, name="error")
        assert [await anext(items), await anext(items)] == [1, 2]
        with pytest.raises(LookupError, match="third"):
            await anext(items)

    asyncio.run(read())
    assert not threads("error")


def test_the_thread_waits_for_its_reader():
    made = []
    closed = threading.Event()

    def iterate(_):
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    async def read():
        async with aclosing(from_thread(iterate, name="ahead", ahead=3)) as items:
            async for item in items:
                await asyncio.sleep(0.05)  # time enough to run away
                if item == 4:
                    break

    asyncio.run(read())
    assert len(made) <= 4 + 1 + 3
    assert closed.is_set()
    assert not threads("ahead")


def test_cancelling_a_reader_that_waits_stops_the_thread():
    def iterate(stop):
        yield 0
        stop.wait(10)

    async def read():
        async for _ in from_thread(iterate, name="cancel"):
            pass

    async def scenario():
        task = asyncio.create_task(read())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert not threads("cancel")


def test_a_stuck_thread_does_not_keep_the_interpreter():
    program = """
import asyncio, time
from stream_match.capture import threaded
threaded.CLOSE_WAIT_S = 0.05
def stuck(_):
    yield 1
    time.sleep(60)
async def main():
    async for item in threaded.from_thread(stuck, name="stuck"):
        break
asyncio.run(main())
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
