"""Real time, counted in samples."""

import asyncio

import numpy as np
import pytest
from capture_samples import joined

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.pace import STEP_SAMPLES, in_real_time

STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def play(blocks, late_s=0.0):
    """What comes out, with the time of each block; the reader loses `late_s` after the first."""
    clock = Clock()
    closed = []

    async def source():
        try:
            for block in blocks:
                yield block
        finally:
            closed.append(True)

    async def read():
        got = []
        async for block in in_real_time(source(), clock=clock, sleep=clock.sleep):
            got.append((clock.now - 100.0, block))
            if len(got) == 1:
                clock.now += late_s
        return got

    got = asyncio.run(read())
    assert closed
    return got


def test_each_block_comes_when_it_would_have_been_heard():
    y = np.arange(3 * SAMPLE_RATE_HZ + 17, dtype=np.float32)
    got = play([Block(y[:50_000]), Block(y[50_000:])])
    np.testing.assert_array_equal(joined([block for _, block in got]), y)
    heard = 0
    for at_s, block in got:
        heard += block.y.size
        assert block.y.size <= STEP_SAMPLES
        assert at_s == pytest.approx(heard / SAMPLE_RATE_HZ)


def test_a_late_reader_catches_up_without_drift():
    got = play([Block(np.zeros(10 * STEP_SAMPLES, np.float32))], late_s=5.5 * STEP_S)
    assert got[1][0] == got[4][0] == pytest.approx(6.5 * STEP_S)
    assert got[-1][0] == pytest.approx(10 * STEP_S)


def test_gaps_take_their_time_and_are_said_once():
    block = Block(np.zeros(2 * STEP_SAMPLES, np.float32), gap_s=2.0, discontinuity=True, metadata={"a": "b"})
    got = play([block, Block(np.empty(0, np.float32), metadata={"c": "d"})])
    assert [at_s for at_s, _ in got] == pytest.approx([2 + STEP_S, 2 + 2 * STEP_S, 2 + 2 * STEP_S])
    assert [block.gap_s for _, block in got] == [2.0, 0.0, 0.0]
    assert [block.discontinuity for _, block in got] == [True, False, False]
    assert [dict(block.metadata) for _, block in got] == [{"a": "b"}, {}, {"c": "d"}]
