"""From a source into the queue: at which pace, and how it ends."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, Literal

import numpy as np

from stream_match.capture.base import Block, Source
from stream_match.capture.pace import in_real_time
from stream_match.capture.queue import BlockQueue
from stream_match.errors import SourceError
from stream_match.service.world import World


async def fill(queue: BlockQueue, source: Source, pace: Literal["real", "fast"], world: World) -> None:
    """Put a source's audio into a queue until it ends, then close the queue.

    Parameters
    ----------
    queue : BlockQueue
        Closed with an error if the source breaks off, or if it is live and ends; what waits in it can
        still be heard. It is closed however this ends: its reader never waits for nobody.
    source : Source
        Opened here.
    pace : str
        Whether a recording comes as it is heard.
    world : World
        Clock and sleep.
    """
    error: Exception | None = SourceError(f"reading {source.uri} was broken off", retry=True)
    try:
        async with aclosing(_paced(source, pace, world)) as blocks:
            async for block in blocks:
                if source.live:
                    queue.put_nowait(block)
                else:
                    await queue.put(block)
        error = SourceError(f"{source.uri} has ended", retry=True) if source.live else None
    except Exception as caught:  # noqa: BLE001 - carried over and raised where the queue is read
        error = caught
    finally:
        queue.close(error)


def is_recording(source: Source) -> bool:
    """Return whether a source has no pace of its own; a pipe has that of its writer."""
    return not source.live and not source.uri.startswith("pcm:")


async def _paced(source: Source, pace: Literal["real", "fast"], world: World) -> AsyncGenerator[Block, None]:
    async with aclosing(source.blocks()) as opened:
        first = await anext(opened, None)
        if first is None:
            return
        blocks = _after(first, opened)
        # What a URL is shows with its first block.
        if pace == "real" and is_recording(source):
            blocks = in_real_time(blocks, clock=world.monotonic, sleep=world.sleep)
        async with aclosing(blocks):
            async for block in blocks:
                yield block


async def _after(first: Block, rest: AsyncGenerator[Block, None]) -> AsyncGenerator[Block, None]:
    yield first
    async for block in rest:
        yield block


async def closing(queue: BlockQueue, work: Coroutine[Any, Any, None]) -> None:
    """Do work beside the intake; if it breaks, so does the queue, and with it this opening of the source."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - carried over and raised where the queue is read
        queue.close(error)


def rouse(queue: BlockQueue) -> None:
    """Give the reader of a queue its turn, though nothing may be heard for long."""
    if not queue.buffered_s:  # or else it has it anyway
        queue.put_nowait(Block(np.empty(0, np.float32)))


async def unless(stop: asyncio.Event, seconds: float, world: World) -> None:
    """Wait, but not beyond `stop`."""
    waiting = {asyncio.ensure_future(world.sleep(seconds)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(*waiting)


async def cancelled(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait until they have ended; their errors are of no interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
