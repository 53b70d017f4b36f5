"""``health``: how a running listener is."""

import argparse
import json
import os
from http.client import HTTPConnection, HTTPException
from typing import Any

from stream_match.cli.terminal import complain, say, say_json
from stream_match.config.web_settings import web_address
from stream_match.errors import UsageError
from stream_match.web.access import TOKEN

ANSWER_S = 5.0
"""How long a listener may take to say how it is."""


def run(args: argparse.Namespace) -> int:
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
