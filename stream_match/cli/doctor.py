"""``doctor`` and ``health``."""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from typing import Any

from stream_match.cli.terminal import complain, say, say_json
from stream_match.config import ListenSettings, read_settings
from stream_match.config.web_settings import web_address
from stream_match.doctor.check import Check
from stream_match.doctor.examination import examine
from stream_match.errors import StreamMatchError, UsageError
from stream_match.web.access import TOKEN

ANSWER_S = 5.0
"""How long a listener may take to say how it is."""


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
        yield Check("settings", ok=False, said=str(error), do="Correct the settings and run doctor again.")
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
    return read_settings(args.config, flags)


def run_health(args: argparse.Namespace) -> int:
    """Run ``health``; return the exit status: 1 if the listener does not answer, or a restart would help."""
    try:
        host, port = web_address(args.web)
    except ValueError:
        raise UsageError(f"{args.web!r} is no HOST:PORT; expected one such as 127.0.0.1:8765.") from None
    try:
        brief = _asked(host, port, "/healthz")
        full = _asked(host, port, "/api/health", os.environ.get(TOKEN))
    except (OSError, HTTPException, ValueError) as error:
        complain(f"The listener at {args.web} does not say how it is ({error}): it needs --web, and to run.")
        return 1
    if brief is None:
        complain(f"What answers at {args.web} is no listener of this version.")
        return 1
    if args.json:
        say_json(json.dumps(full or brief, ensure_ascii=False))
    else:
        say("ok" if brief["ok"] else "not ok" if brief["alive"] else "stuck: a restart helps")
        say(*(full or {}).get("troubles", ()))
    return 0 if brief["alive"] and (brief["ok"] or not args.strict) else 1


def _asked(host: str, port: int, path: str, token: str | None = None) -> dict[str, Any] | None:
    """Return what a listener answers; None if it does not want to, or answers something else."""
    connection = HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        said = json.loads(answer.read(1 << 20)) if answer.status in (200, 503) else None
    finally:
        connection.close()
    return said if isinstance(said, dict) and {"alive", "ok"} <= said.keys() else None
