"""``doctor``: what a listener needs, checked."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from stream_match.cli.terminal import say, say_json
from stream_match.config import ListenSettings, read_settings
from stream_match.doctor.check import Check
from stream_match.doctor.examination import examine
from stream_match.errors import StreamMatchError


def run(args: argparse.Namespace) -> int:
    """Run ``doctor``; return the exit status."""
    return asyncio.run(_examine(args))


async def _examine(args: argparse.Namespace) -> int:
    passed = 0
    failed = 0
    async for check in _checks(args):
        passed += check.ok
        failed += not check.ok
        if args.json:
            say_json(json.dumps(asdict(check), ensure_ascii=False))
        else:
            say(*_lines(check))
    if not args.json:
        say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


async def _checks(args: argparse.Namespace) -> AsyncIterator[Check]:
    try:
        settings = _settings(args)
    except StreamMatchError as error:
        do = "Correct the settings, or what they name, and run doctor again."
        yield Check("settings", ok=False, said=str(error), do=do)
        return
    many = f"sources: {len(settings.sources)}, sinks: {len(settings.sinks)}"
    hint = None if settings.sources else "Name what to listen to: --config FILE.toml or --source URI."
    yield Check("settings", ok=bool(settings.sources), said=f"They are understood; {many}.", do=hint)
    async for check in examine(settings):
        yield check


def _lines(check: Check) -> list[str]:
    mark = "✓" if check.ok and check.do is None else "!" if check.ok else "✗"
    return [f"{mark} {check.check}: {check.said}", *([f"    → {check.do}"] if check.do else [])]


def _settings(args: argparse.Namespace) -> ListenSettings:
    flags: dict[str, Any] = {
        key: value for key in ("index", "state") if (value := getattr(args, key)) is not None
    }
    flags |= {"sources": [{"uri": uri} for uri in args.source]} if args.source else {}
    flags |= {"sinks": args.sink} if args.sink else {}
    flags |= {"share": {"servers": args.share}} if args.share is not None else {}
    return read_settings(args.config, flags)
