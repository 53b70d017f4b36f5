"""``watch``: a subscriber that prints."""

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from stream_match.events import Event
from stream_match.publish.console import ConsoleSink
from stream_match.publish.jsonl import JsonlSink
from stream_match.publish.subscribe import subscribe
from stream_match.publish.tasks import first_of
from stream_match.publish.topics import KINDS


def run(args: argparse.Namespace) -> int:
    """Run ``watch``; return the exit status."""
    # That a reader such as head goes away is an end in order, and no news.
    logging.getLogger("stream_match.publish.jsonl").setLevel(logging.WARNING)
    with suppress(KeyboardInterrupt):  # before it has begun
        asyncio.run(_watch(args))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # asked twice, it still ends in order
    return 0


async def _watch(args: argparse.Namespace) -> None:
    types = args.type.split(",") if args.type else KINDS
    events = subscribe(args.mqtt, node=args.node or "+", source=args.source or "+", types=types)
    interrupted = asyncio.Event()
    # Not by KeyboardInterrupt: a second one would come in the middle of the end.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    async with JsonlSink(None) if args.json else ConsoleSink() as sink:
        await first_of(_print(events, sink), sink.until_reader_is_gone(), interrupted.wait())


async def _print(events: AsyncGenerator[Event, None], sink: JsonlSink) -> None:
    async with aclosing(events):
        async for event in events:
            await sink.publish(event)
