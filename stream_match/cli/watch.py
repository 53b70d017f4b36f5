"""``watch``: a subscriber that prints."""

import argparse
import asyncio
import sys
from contextlib import aclosing, suppress

from stream_match.events import Event, to_json
from stream_match.publish.console import describe, is_news
from stream_match.publish.subscribe import subscribe


def run(args: argparse.Namespace) -> int:
    """Run ``watch``; return the exit status."""
    with suppress(KeyboardInterrupt):  # the way in which it ends
        asyncio.run(_watch(args.mqtt, as_json=args.json))
    return 0


async def _watch(uri: str, *, as_json: bool) -> None:
    async with aclosing(subscribe(uri)) as events:
        async for event in events:
            _print(event, as_json=as_json)


def _print(event: Event, *, as_json: bool) -> None:
    if as_json or is_news(event):
        sys.stdout.write((to_json(event) if as_json else describe(event)) + "\n")
        sys.stdout.flush()
