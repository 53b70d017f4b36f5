"""Waiting for what a sink does in the background."""

import asyncio
import logging

WAIT_S = 20  # a limit for what is broken, never a waiting time for what works


async def told(caplog, words):
    """Wait until a log line says `words`."""
    arrived = asyncio.Event()

    class Waiter(logging.Handler):
        def emit(self, record):
            if words in record.getMessage():
                arrived.set()

    waiter = Waiter()
    logger = logging.getLogger("stream_match.publish")
    logger.addHandler(waiter)
    try:
        if words not in caplog.text:
            async with asyncio.timeout(WAIT_S):
                await arrived.wait()
    finally:
        logger.removeHandler(waiter)


async def drained(sink):
    async with asyncio.timeout(WAIT_S):
        while sink.waiting:  # noqa: ASYNC110  (the sink has no event for it, and needs none)
            await asyncio.sleep(0.001)
