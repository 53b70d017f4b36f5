"""``mark``: a stretch of a clip or of any audio file becomes a reference of an index."""

import argparse
import json

from stream_match.catalog.marked import mark_track
from stream_match.cli.terminal import complain, say_json
from stream_match.clips.samples import read_stretch


def run(args: argparse.Namespace) -> int:
    """Run ``mark``; return the exit status."""
    y = read_stretch(args.audio, args.start or 0.0, args.end)
    track = mark_track(args.index, y, args.name)
    if args.json:
        say_json(json.dumps({"track": track, "title": args.name.strip(), "index": str(args.index)}))
    else:
        complain(f"{args.index} has the track {track!r} now: listeners that use it know it within seconds")
    return 0
