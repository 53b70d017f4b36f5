"""``similar``: the tracks of a table that sound most like one of them, or like a file."""

import argparse
import json

from stream_match.cli.terminal import complain, say, say_json
from stream_match.offline.tables.similar import Similar, similar_tracks


def run(args: argparse.Namespace) -> int:
    """Run ``similar``; return the exit status."""
    found = similar_tracks(args.query, args.table, metric=args.metric, weights=args.weights, k=args.k)
    if found.left_out:
        complain(f"tracks that are not in every table are left out: {found.left_out}")
    if args.json:
        say_json(
            *(json.dumps({"track": {"id": name}, "distance": distance}) for name, distance in found.tracks)
        )
    else:
        say(*_told(found))
    return 0


def _told(found: Similar) -> list[str]:
    head = f"{found.query}: {found.metric} distance by {', '.join(found.sets)}, {found.count} tracks"
    places = len(str(len(found.tracks)))
    lines = [
        f"{rank:{places}}  {distance:10.4f}  {name}" for rank, (name, distance) in enumerate(found.tracks, 1)
    ]
    return [head, *lines]
