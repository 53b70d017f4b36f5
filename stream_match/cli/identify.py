"""``identify``: what is playing in files."""

import argparse
from collections.abc import Iterator

from stream_match.cli.indexes import load_catalogue, required_folder
from stream_match.cli.terminal import complain, say, say_json
from stream_match.config import MatchSettings
from stream_match.errors import UsageError
from stream_match.events import Track
from stream_match.identify import Finding, Identification, identify_files
from stream_match.offline.music_search import K, Ranking, rank_files

HARDLY = 0.005
HARDLY_SEMITONES = 0.1
"""A speed that is no farther from 1 than this, or a pitch from its own, is not worth telling a person."""


def run(args: argparse.Namespace) -> int:
    """Run ``identify``; return the exit status."""
    status = 0
    for result in _ranked(args) if args.method == "lsh-counts" else _identified(args):
        if result.error is not None:
            complain(result.error)
            status = 1
        if args.json:
            say_json(result.to_json())
        elif result.error is None:
            say(*(ranking(result) if isinstance(result, Ranking) else table(result)))
    return status


def _identified(args: argparse.Namespace) -> Iterator[Identification]:
    if args.k is not None:
        raise UsageError("-k is of --method lsh-counts: give --all for what is not claimed")
    asked = args.max_false_alarms_per_hour
    settings = MatchSettings(max_false_alarms_per_hour=asked) if asked else None
    return identify_files(load_catalogue(args.index), args.audio, settings, unclaimed=args.all)


def _ranked(args: argparse.Namespace) -> Iterator[Ranking]:
    if args.max_false_alarms_per_hour is not None:
        raise UsageError("--method lsh-counts claims nothing: leave --max-false-alarms-per-hour out")
    if args.all and args.k is not None:
        raise UsageError("-k and --all exclude each other: --all lists every track with a result")
    folder = required_folder(args.index, "--method lsh-counts")
    return rank_files(folder, args.audio, k=None if args.all else args.k or K)


def ranking(result: Ranking) -> list[str]:
    """Return the ranking of a file, in lines for a person: rank, results per frame, name."""
    ranked = enumerate(result.matches, 1)
    return [
        f"{result.file}  ({result.seconds:.1f} s)  {result.results} results",
        *(f"  {rank:3}  {match.score:10.3f}  {_named(match.track)}" for rank, match in ranked),
    ]


def table(result: Identification) -> list[str]:
    """Return what was found in a file, in lines for a person."""
    lines = [f"{result.file}  ({result.seconds:.1f} s)", *map(_row, result.matches)]
    if not result.matches:
        lines.append("  unknown")
    return lines


def _row(found: Finding) -> str:
    row = (
        f"  {found.query_s:7.1f} s  {_named(found.track)}  at {found.reference_s:.1f} s  "
        f"({min(99, round(100 * found.confidence))} %, score {found.score:.1f}"
    )
    row += f", speed {found.speed:.2f}" if abs(found.speed - 1) >= HARDLY else ""
    row += f", {found.semitones:+.1f} semitones" if abs(found.semitones) >= HARDLY_SEMITONES else ""
    row += ", a version" if found.kind == "version" else ""
    return row + (")" if found.claimed else "; not claimed)")


def _named(track: Track) -> str:
    return " – ".join(filter(None, (track.title or track.id, track.artist)))
