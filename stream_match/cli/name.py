"""``name``: what a kind of sound or a track is called from now on."""

import argparse
import asyncio
import json

from stream_match.cli.terminal import say, say_json
from stream_match.publish.ask import ask
from stream_match.service.listen import default_node


def run(args: argparse.Namespace) -> int:
    """Run ``name``; return the exit status."""
    kind = "track" if args.track else "cluster"
    content = {"source": args.source, "name": args.name, kind: args.id}
    data = asyncio.run(ask(args.mqtt, args.node or default_node(), "name", content))
    if args.json:
        say_json(json.dumps(data, ensure_ascii=False))
    else:
        say(_sentence(data, kind))
    return 0


def _sentence(data: dict[str, object], kind: str) -> str:
    kept = "" if data.get("kept") else " The listener keeps no store (--state), and forgets it when it ends."
    what = f"The {kind} {data.get(kind)} of {data.get('source')}"
    name = data.get("name")
    return f"{what} has no name now.{kept}" if name is None else f"{what} is called {name!r} now.{kept}"
