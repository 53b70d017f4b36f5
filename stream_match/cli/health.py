"""``health``: how a running listener is."""

import argparse
import json
import os

from stream_match.cli.terminal import say, say_json
from stream_match.config.web_settings import web_address
from stream_match.errors import UsageError
from stream_match.web.access import TOKEN
from stream_match.web.inquiry import inquire


def run(args: argparse.Namespace) -> int:
    """Run ``health``; return the exit status: 1 if the listener does not answer, or a restart would help."""
    try:
        host, port = web_address(args.web)
    except ValueError:
        raise UsageError(f"{args.web!r} is no HOST:PORT; expected one such as 127.0.0.1:8765.") from None
    found = inquire(host, port, os.environ.get(TOKEN))
    brief = found.brief
    if args.json:
        say_json(json.dumps(found.full or brief, ensure_ascii=False))
    else:
        say("ok" if brief["ok"] else "not ok" if brief["alive"] else "stuck: a restart helps")
        say(*(found.full or {}).get("troubles", ()))
        if found.full is None and not brief["ok"]:
            say(f"The page wants its token: set {TOKEN} to be told why.")
    return 0 if brief["alive"] and (brief["ok"] or not args.strict) else 1
