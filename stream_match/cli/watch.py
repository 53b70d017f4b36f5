"""``watch``: a subscriber that prints."""

import argparse
import asyncio
import sys
from contextlib import aclosing, suppress

from stream_match.events import to_json
from stream_match.publish.console import News, describe
from stream_match.publish.subscribe import subscribe


def run(args: argparse.Namespace) -> int:
    """Run ``watch``; return the exit status."""
    with suppress(KeyboardInterrupt):  # the way in which it ends
        asyncio.run(_watch(args.mqtt, as_json=args.json))
    return 0


async def _watch(uri: str, *, as_json: bool) -> None:
    news = News()
    async with aclosing(subscribe(uri)) as events:
        async for event in events:
            if as_json or news.is_news(event):
                _print(to_json(event) if as_json else describe(event))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
