"""Let recorded audio come at the speed at which it is heard."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ, Block

STEP_SAMPLES = SAMPLE_RATE_HZ * 3 // 20
"""Longest block that is let through: 0.15 s. Each wakes the event loop, a thread and an engine; with dozens
of streams shorter ones cost more than they tell sooner."""


async def in_real_time(
    blocks: AsyncGenerator[Block, None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[Block, None]:
    """Hold each block back until its last sample would have been heard.

    Parameters
    ----------
    blocks : async generator of Block
        A source that waits for its reader; closed together with this.
    clock : callable () -> float [seconds]
        The time now.
    sleep : coroutine function (float [seconds])
        Waits.

    Yields
    ------
    Block
        The same audio in blocks of `STEP_SAMPLES` at most. A reader that was late is given
        the blocks without waiting until it has caught up: time does not drift.
    """
    begun = clock()
    heard_s = 0.0
    samples = 0
    async with aclosing(blocks):
        async for block in blocks:
            for piece in _cut(block):
                heard_s += piece.gap_s
                samples += piece.y.size
                wait_s = begun + heard_s + samples / SAMPLE_RATE_HZ - clock()
                if wait_s > 0:
                    await sleep(wait_s)
                yield piece


def _cut(block: Block) -> Iterator[Block]:
    yield replace(block, y=block.y[:STEP_SAMPLES])
    for start in range(STEP_SAMPLES, block.y.size, STEP_SAMPLES):
        yield Block(np.ascontiguousarray(block.y[start : start + STEP_SAMPLES]))
