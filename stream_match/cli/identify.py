"""``identify``: what is playing in files."""

import argparse

from stream_match.catalog import load_index
from stream_match.cli.terminal import complain, say, say_json
from stream_match.config import MatchSettings
from stream_match.identify import Finding, Identification, identify_files

HARDLY = 0.005
HARDLY_SEMITONES = 0.1
"""A speed that is no farther from 1 than this, or a pitch from its own, is not worth telling a person."""


def run(args: argparse.Namespace) -> int:
    """Run ``identify``; return the exit status."""
    status = 0
    reference = load_index(args.index)
    asked = args.max_false_alarms_per_hour
    settings = MatchSettings(max_false_alarms_per_hour=asked) if asked else None
    for result in identify_files(reference, args.audio, settings, unclaimed=args.all):
        if result.error is not None:
            complain(result.error)
            status = 1
        if args.json:
            say_json(result.to_json())
        elif result.error is None:
            say(*table(result))
    return status


def table(result: Identification) -> list[str]:
    """Return what was found in a file, in lines for a person."""
    lines = [f"{result.file}  ({result.seconds:.1f} s)", *map(_row, result.matches)]
    if not result.matches:
        lines.append("  unknown")
    return lines


def _row(found: Finding) -> str:
    track = found.track
    name = " – ".join(filter(None, (track.title or track.id, track.artist)))
    row = (
        f"  {found.query_s:7.1f} s  {name}  at {found.reference_s:.1f} s  "
        f"({min(99, round(100 * found.confidence))} %, score {found.score:.1f}"
    )
    row += f", speed {found.speed:.2f}" if abs(found.speed - 1) >= HARDLY else ""
    row += f", {found.semitones:+.1f} semitones" if abs(found.semitones) >= HARDLY_SEMITONES else ""
    row += ", a version" if found.kind == "version" else ""
    return row + (")" if found.claimed else "; not claimed)")
