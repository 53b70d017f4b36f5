"""``mark``: a stretch of a file, or of what a listener has heard, becomes a reference of an index."""

import argparse
import asyncio
import json
from typing import Any

from stream_match.cli.terminal import say, say_json
from stream_match.errors import UsageError

PATIENCE_S = 60.0
"""How long a listener may take [seconds]: it writes the index."""


def run(args: argparse.Namespace) -> int:
    """Run ``mark``; return the exit status."""
    marked = _of_file(args) if args.audio is not None else _of_listener(args)
    if args.json:
        say_json(json.dumps(marked, ensure_ascii=False))
    else:
        say(
            f"{marked.get('index')} has the track {marked.get('track')} now, of {marked.get('seconds')} s: "
            "listeners that use it know it within seconds."
        )
    return 0


def _of_file(args: argparse.Namespace) -> dict[str, Any]:
    from stream_match.capture.base import SAMPLE_RATE_HZ
    from stream_match.catalog.marked import mark_track
    from stream_match.clips.samples import read_stretch

    if args.index is None:
        raise UsageError("A file is marked in an index: give --index DIR.")
    if args.source is not None or args.last is not None:
        raise UsageError("Of a file, give --from and --to; --source and --last are for a listener.")
    y = read_stretch(args.audio, args.start or 0.0, args.end)
    track = mark_track(args.index, y, args.name)
    seconds = round(y.size / SAMPLE_RATE_HZ, 3)
    return {"track": track, "title": args.name.strip(), "seconds": seconds, "index": str(args.index)}


def _of_listener(args: argparse.Namespace) -> dict[str, Any]:
    from stream_match.publish.ask import ask
    from stream_match.service.listen import default_node

    if args.source is None:
        raise UsageError("There is nothing to mark: give a file, or --source and --last of a listener.")
    if args.index is not None:
        raise UsageError("A listener marks in the index that it uses: leave --index out.")
    content = {"source": args.source, "name": args.name}
    stretch = {"from_s": args.start, "to_s": args.end, "last_seconds": args.last}
    content |= {key: value for key, value in stretch.items() if value is not None}
    return asyncio.run(ask(args.mqtt, args.node or default_node(), "mark", content, patience_s=PATIENCE_S))
