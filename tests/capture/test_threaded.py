"""A blocking iterator in a thread."""

import asyncio
import subprocess
import sys
import threading
from contextlib import aclosing

import pytest

from stream_match.capture import threaded
from stream_match.capture.threaded import MAX_HUNG, from_thread
from stream_match.errors import SourceError


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


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
def test_what_would_end_the_program_ends_the_thread_alone(error):
    def iterate(_):
        yield 1
        raise error

    async def read():
        items = from_thread(iterate, name="exits")
        assert await anext(items) == 1
        with pytest.raises(RuntimeError, match=type(error).__name__):
            await anext(items)

    asyncio.run(read())
    assert not threads("exits")


def test_threads_that_a_driver_holds_are_bounded_and_forgotten_when_they_end(monkeypatch):
    monkeypatch.setattr(threaded, "CLOSE_WAIT_S", 0.01)
    driver = threading.Event()

    def stuck(_):
        yield 1
        driver.wait(60)

    async def open_once():
        async with aclosing(from_thread(stuck, name="driver")) as items:
            assert await anext(items) == 1
            await asyncio.sleep(0.02)  # into the driver

    async def scenario():
        for _ in range(MAX_HUNG):
            await open_once()
        with pytest.raises(SourceError, match="4 earlier openings of driver hang") as refused:
            await open_once()
        assert refused.value.retry
        assert len(threads("driver")) == MAX_HUNG
        driver.set()
        for thread in threads("driver"):
            thread.join(10)
        await open_once()

    asyncio.run(scenario())
    assert not threads("driver")
    assert "driver" not in threaded._left
