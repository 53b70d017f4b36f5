"""The queue in front of the engine: total in = total out + dropped, in order, gaps exact."""

import asyncio

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.queue import MOST_AT_ONCE, BlockQueue
from stream_match.errors import ParameterError

CAPACITY = 50


def numbered(first, n, **rest):
    return Block(np.arange(first, first + n, dtype=np.float32), **rest)


def small_queue():
    return BlockQueue(CAPACITY / SAMPLE_RATE_HZ)


class QueueMachine(RuleBasedStateMachine):
    """Samples are numbered as they go in, so what comes out tells what is missing."""

    def __init__(self):
        super().__init__()
        self.queue = small_queue()
        self.put = self.got = self.gaps_put = 0
        self.stream_s = self.overrun_s = 0.0
        self.titles = 0
        self.title_seen = 0
        self.tears_put = self.tears_got = 0

    @rule(n=st.integers(0, 120), gap=st.sampled_from([0, 0, 0, 7]), news=st.booleans(), torn=st.booleans())
    def feed(self, n, gap, news, torn):
        self.titles += news
        metadata = {"StreamTitle": str(self.titles)} if news else {}
        self.queue.put_nowait(
            numbered(self.put, n, gap_s=gap / SAMPLE_RATE_HZ, discontinuity=torn, metadata=metadata)
        )
        self.put += n
        self.gaps_put += gap
        self.tears_put += torn

    @precondition(lambda self: self.queue.buffered_s > 0)
    @rule()
    def take(self):
        block = asyncio.run(self.queue.get())
        self.stream_s += block.gap_s
        self.overrun_s += block.overrun_s
        if block.y.size:
            missing = int(block.y[0]) - self.got
            np.testing.assert_array_equal(block.y, np.arange(block.y[0], block.y[0] + block.y.size))
            assert missing >= 0
            assert block.discontinuity or missing == 0
            assert block.gap_s * SAMPLE_RATE_HZ >= missing - 1e-6
            self.got += missing + block.y.size
            self.stream_s += block.y.size / SAMPLE_RATE_HZ
        self.title_seen = int(block.metadata.get("StreamTitle", self.title_seen))
        self.tears_got += block.discontinuity

    @invariant()
    def bounded(self):
        assert self.queue.buffered_s * SAMPLE_RATE_HZ <= CAPACITY + 1e-6

    def teardown(self):
        self.queue.close()
        self.queue.put_nowait(numbered(self.put, 1))  # carries whatever was still to be said
        while self.queue.buffered_s > 0:
            self.take()
        total = self.put + 1 + self.gaps_put
        assert self.got == self.put + 1
        assert self.stream_s * SAMPLE_RATE_HZ == pytest.approx(total, abs=1e-3)
        assert self.overrun_s == pytest.approx(self.queue.dropped_s)
        assert self.title_seen == self.titles
        assert self.tears_got > 0 or self.tears_put == 0


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(deadline=None, max_examples=60)


def test_oldest_audio_is_dropped_counted_and_marked():
    queue = small_queue()
    queue.put_nowait(numbered(0, 30, metadata={"StreamTitle": "old"}))
    queue.put_nowait(numbered(30, 30))
    first = asyncio.run(queue.get())
    assert first.y[0] == 10
    assert first.discontinuity
    assert first.gap_s == first.overrun_s == 10 / SAMPLE_RATE_HZ
    assert first.metadata == {"StreamTitle": "old"}
    assert not asyncio.run(queue.get()).discontinuity
    assert queue.dropped_s == 10 / SAMPLE_RATE_HZ


def test_what_waits_is_taken_in_one_up_to_where_there_is_something_to_say():
    queue = BlockQueue(10)
    sizes = [10, 20, 30, 5, MOST_AT_ONCE - 6, 2, MOST_AT_ONCE + 1, 1]
    tears = [2, 3]
    for number, n in enumerate(sizes):
        queue.put_nowait(numbered(sum(sizes[:number]), n, discontinuity=number in tears))
    queue.close()
    taken = []
    while (block := asyncio.run(queue.get())) is not None:
        taken.append(block)
    assert [block.y.size for block in taken] == [10, 20, 30, 5, MOST_AT_ONCE - 4, MOST_AT_ONCE + 1, 1]
    assert [block.discontinuity for block in taken] == [False, False, True, True, False, False, False]
    np.testing.assert_array_equal(np.concatenate([block.y for block in taken]), np.arange(sum(sizes)))
    assert queue.buffered_s == 0


def test_metadata_of_dropped_blocks_goes_on():
    queue = small_queue()
    queue.put_nowait(numbered(0, 10, metadata={"StreamTitle": "a", "icy-name": "n"}))
    queue.put_nowait(numbered(10, 100, metadata={"StreamTitle": "b"}))
    block = asyncio.run(queue.get())
    assert block.metadata == {"StreamTitle": "b", "icy-name": "n"}
    assert block.gap_s == 60 / SAMPLE_RATE_HZ


def test_a_source_that_can_wait_waits_and_loses_nothing():
    async def scenario():
        queue = small_queue()
        order = []

        async def feed():
            for number in range(5):
                await queue.put(numbered(40 * number, 40))
                order.append(f"in {number}")
            queue.close()

        feeding = asyncio.create_task(feed())
        async for block in queue:
            order.append(f"out {int(block.y[0]) // 40}")  # noqa: PERF401 - the feeder writes to it too
        await feeding
        return order, queue.dropped_s

    order, dropped_s = asyncio.run(scenario())
    assert [entry for entry in order if entry.startswith("out")] == [f"out {n}" for n in range(5)]
    assert order.index("out 0") < order.index("in 1")
    assert dropped_s == 0


def test_a_block_longer_than_the_queue_is_let_in_alone():
    async def scenario():
        queue = small_queue()
        await queue.put(numbered(0, 3 * CAPACITY))
        return await queue.get()

    assert asyncio.run(scenario()).y.size == 3 * CAPACITY


def test_what_waits_comes_before_the_end_and_the_error():
    async def scenario():
        queue = small_queue()
        queue.put_nowait(numbered(0, 5))
        queue.close(OSError("gone"))
        assert (await queue.get()).y.size == 5
        with pytest.raises(OSError, match="gone"):
            await queue.get()
        silent = small_queue()
        asyncio.get_running_loop().call_soon(silent.close)
        return await silent.get()

    assert asyncio.run(scenario()) is None


@pytest.mark.parametrize("capacity_s", [0.0, -1.0, float("nan")])
def test_a_queue_without_room_is_refused(capacity_s):
    with pytest.raises(ParameterError):
        BlockQueue(capacity_s)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_silence_is_measured_where_audio_arrives_not_where_it_is_taken():
    clock = Clock()
    queue = BlockQueue(CAPACITY / SAMPLE_RATE_HZ, clock=clock)
    clock.now += 7
    assert (queue.silent_s, queue.any_arrived) == (7.0, False)
    queue.put_nowait(numbered(0, 0, metadata={"StreamTitle": "no audio"}))
    assert (queue.silent_s, queue.any_arrived) == (7.0, False)
    queue.put_nowait(numbered(0, 5))
    assert (queue.silent_s, queue.any_arrived) == (0.0, True)
    clock.now += 3
    asyncio.run(queue.get())
    assert queue.silent_s == 3.0


def test_a_writer_that_waits_for_room_is_not_silent():
    async def scenario():
        clock = Clock()
        queue = BlockQueue(CAPACITY / SAMPLE_RATE_HZ, clock=clock)
        await queue.put(numbered(0, CAPACITY))
        waiting = asyncio.create_task(queue.put(numbered(CAPACITY, CAPACITY)))
        await asyncio.sleep(0)
        clock.now += 50
        silent_while_it_waits = queue.silent_s
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return silent_while_it_waits, queue.silent_s

    assert asyncio.run(scenario()) == (0.0, 50.0)


def test_the_first_close_counts():
    clock = Clock()
    queue = BlockQueue(clock=clock)
    assert (queue.closed, queue.closed_s) == (False, 0.0)
    queue.close(OSError("gone"))
    clock.now += 2
    queue.close()
    assert (queue.closed, queue.closed_s) == (True, 2.0)
    with pytest.raises(OSError, match="gone"):
        asyncio.run(queue.get())
