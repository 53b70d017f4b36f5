"""Measure how listening changes as a catalogue grows from a folder of audio to thousands of hours.

Run it as .venv/bin/python scripts/evaluate_growth.py AUDIO --work DIR --unknown FOLDER. The folder of audio
is indexed; tracks that resemble its own and are none of them are added, until a catalogue has the hours asked
for. What has been made is kept in DIR: 1 MB per hour, and 200 MB for each hour of AUDIO. Of tracks that are
sounded, the likest, there are nine times AUDIO, and what is stretched follows. `--then permuted` is quicker.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from growing.catalogues import Folder, catalogue_of_tracks, hours_of
from growing.material import MOST_SOUNDED
from growing.measuring import (
    BUDGETS,
    background_by_shift,
    cost,
    excerpts,
    false_claims,
    memory_mb,
    recalled,
    stream_mb,
)

from stream_match.catalog import build_index, load_index
from stream_match.errors import StreamMatchError
from stream_match.index.catalogue import Catalogue
from stream_match.match.recording.query import shifts_semitones
from stream_match.threads import one_thread

COLUMNS = (
    "hours", "tracks", "score bias", "load s", "MB", "MB a stream", "known %", "ms", "95 % ms", "unknown %",
    "ms", "95 % ms", "claims at 10", "at 1", "unknown h", "recall at 10", "at 1",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Make catalogues, measure, print a table row for each; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _arguments(argv)
    try:
        with one_thread():
            _measure(args)
    except StreamMatchError as error:
        print(f"evaluate_growth: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, help="folder of the first catalogue's audio")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="what is made is kept there")
    parser.add_argument("--index", type=Path, metavar="DIR", help="index of AUDIO; made in WORK by default")
    parser.add_argument("--hours", type=float, nargs="+", default=[0.0], help="0, the default: AUDIO alone")
    parser.add_argument("--then", choices=("sounded", "stretched", "permuted"), default="sounded")
    parser.add_argument(
        "--of", choices=("all", "even", "odd"), default="all", help="tracks others are made of"
    )
    parser.add_argument("--copies", type=int, nargs="+", metavar="N", help="which are sounded, 0 to 8; all")
    parser.add_argument("--unknown", type=Path, nargs="+", required=True, help="folders of other audio")
    parser.add_argument("--longest", type=float, default=240, metavar="S", help="heard of an unknown file")
    parser.add_argument("--queries", type=Path, metavar="CSV", help="excerpts: columns path and track")
    parser.add_argument("--seconds", type=float, default=160, help="of audio by which costs are measured")
    parser.add_argument("--only-cost", action="store_true", help="leave claims and recall out")
    parser.add_argument(
        "--background", action="store_true", help="only tell the background scores of QUERIES, by shift"
    )
    args = parser.parse_args(argv)
    if args.background and not args.queries:
        parser.error("--background needs --queries: it tells what is proposed beside the right track of each")
    if not set(args.copies or ()) <= set(range(MOST_SOUNDED)):
        parser.error(f"--copies: {args.copies} given; a track is sounded as 0 to {MOST_SOUNDED - 1}")
    return args


def _measure(args: argparse.Namespace) -> None:
    index = args.index or args.work / "index"
    if not index.exists():
        args.work.mkdir(parents=True, exist_ok=True)
        build_index([args.audio], index, progress=False)
    own = load_index(index)
    copies = range(MOST_SOUNDED) if args.copies is None else args.copies
    folder = Folder(args.audio, args.work, own.planes, own.settings, copies, args.of)
    if args.background:
        _tell_background(args, own, folder)
        return
    known = excerpts([args.audio], seconds=args.seconds)
    unknown = excerpts(args.unknown, seconds=args.seconds)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    for hours in args.hours:
        before, began = memory_mb(), time.process_time()
        catalogue = _catalogue(args, own, folder, hours)
        row = [f"{hours_of(catalogue):.1f}", str(len(catalogue.tracks)), f"{catalogue.score_bias:.2f}"]
        row.append("-" if hours else f"{time.process_time() - began:.2f}")
        row += [f"{memory_mb() - before:.0f}", f"{stream_mb(catalogue, unknown):.1f}"]
        for y in (known, unknown):
            spent = cost(catalogue, y)
            row += [f"{100 * spent.share:.2f}", f"{spent.decision_ms:.1f}", f"{spent.slowest_ms:.1f}"]
        if not args.only_cost:
            claims, heard = false_claims(catalogue, args.unknown, args.longest)
            row += [str(sum(rate <= budget for rate in claims)) for budget in BUDGETS] + [f"{heard:.2f}"]
            if args.queries:
                row += [f"{recalled(catalogue, args.queries, budget)[0]:.3f}" for budget in BUDGETS]
        print("| " + " | ".join(row) + " |", flush=True)
        del catalogue


def _catalogue(args: argparse.Namespace, own: Catalogue, folder: Folder, hours: float) -> Catalogue:
    if not hours:
        return load_index(args.index or args.work / "index")
    return catalogue_of_tracks(folder.tracks(hours, args.then), own.planes, own.settings)


def _tell_background(args: argparse.Namespace, own: Catalogue, folder: Folder) -> None:
    """Print for each size how high background scores are at each shift."""
    print("| hours | " + " | ".join(f"{shift:+g}" for shift in shifts_semitones()) + " |")
    print("|---" * (len(shifts_semitones()) + 1) + "|", flush=True)
    for hours in args.hours:
        catalogue = _catalogue(args, own, folder, hours)
        found = background_by_shift(catalogue, args.queries)
        row = [f"{hours_of(catalogue):.1f}", *(f"{one:.3f}" for one in found)]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
