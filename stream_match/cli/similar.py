"""``similar``: the tracks of an index or of tables that sound most like one of them, or like a file."""

import argparse
import json
from pathlib import Path

from stream_match.catalog.find import find_tracks
from stream_match.cli.terminal import complain, say, say_json
from stream_match.errors import UsageError
from stream_match.events import Track
from stream_match.offline.tables.compared import Similar
from stream_match.offline.tables.similar import similar_in_index, similar_tracks
from stream_match.offline.tables.similar_page import write_page
from stream_match.outputs import check_place


def run(args: argparse.Namespace) -> int:
    """Run ``similar``; return the exit status."""
    files = _files(args)
    options = {"metric": args.metric, "weights": args.weights, "k": args.k}
    if args.index is not None:
        found = similar_in_index(args.query, args.index, sets=args.sets, **options)
    else:
        found = similar_tracks(args.query, args.table, **options)
    for hint in found.hints:
        complain(hint)
    if args.html is not None:
        write_page(found, args.html, files)
    if args.json:
        say_json(*_lines(found))
    else:
        say(*_told(found))
    return 0


def _files(args: argparse.Namespace) -> dict[str, Path]:
    """Return the files of tracks by their ids; options that do not fit are refused before any work."""
    if args.sets is not None and args.index is None:
        raise UsageError("--sets is given, and tables hold sets of their own; give --sets with --index.")
    if args.html is None:
        if args.audio:
            raise UsageError("--audio is given, and no page to play it; give --html OUT, too.")
        return {}
    check_place("--html", args.html, example="alike.html")
    return {track.id: track.local for track in find_tracks(args.audio).tracks} if args.audio else {}


def _lines(found: Similar) -> list[str]:
    return [
        json.dumps({"track": _named(found, name), "distance": distance}, ensure_ascii=False)
        for name, distance in found.tracks
    ]


def _named(found: Similar, name: str) -> dict[str, str | None]:
    if name not in found.known:  # a table knows nothing else
        return {"id": name}
    return found.known[name].model_dump(include={"id", "title", "artist", "album"})


def _told(found: Similar) -> list[str]:
    head = f"{found.query}: {found.metric} distance by {', '.join(found.sets)}, {found.count} tracks"
    places = len(str(len(found.tracks)))
    lines = []
    for rank, (name, distance) in enumerate(found.tracks, 1):
        track = found.known.get(name, Track(id=name))
        named = " – ".join(filter(None, (track.title, track.artist, track.album)))
        lines.append(f"{rank:{places}}  {distance:10.4f}  {name}" + (f"  {named}" if named else ""))
    return [head, *lines]
