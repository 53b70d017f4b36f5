"""The arguments of ``similar``."""

import argparse
from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import at_least_one, finite
from stream_match.cli.shared_options import SETS, index_folder

EPILOG = (
    "example: stream-match similar album/one --index models/mine --html out.html --audio ~/Music\n"
    "         stream-match similar album/one --table features.parquet --metric cosine\n\n"
    "An index needs descriptors, which stream-match index describe DIR AUDIO adds. A table is what\n"
    "stream-match features writes, or the published GTZAN table. Several tables of the same tracks,\n"
    "each of other sets, are joined by name. Each column is brought to mean 0 and deviation 1 first.\n\n"
    "metrics: weighted  Euclidean; each set counts by its weight, whatever its number of columns\n"
    "         scaled    the same, all weights 1\n"
    "         l2, l1    Euclidean, sum of absolute differences\n"
    "         cosine    1 less the cosine of the angle\n\n"
    "exit status: 1 if the file could not be described; 2 for a mistake in the arguments, such as a\n"
    "name that is not there, or an index without descriptors"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``similar``."""
    parser = command(
        commands,
        "similar",
        "similar:run",
        help="list the tracks of an index, or of a table, that sound most like one of them, or like a file",
        epilog=EPILOG,
    )
    parser.add_argument("query", metavar="TRACK_OR_FILE", help="the id of a track, or a file of sound")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--index", type=index_folder, metavar="DIR", help="folder of an index with descriptors"
    )
    where.add_argument(
        "--table", type=Path, action="append", metavar="FILE",
        help="instead: a table ending in .csv or .parquet; may be repeated",
    )  # fmt: skip
    _add_distance(parser)
    parser.add_argument("-k", type=at_least_one, metavar="N", help="how many tracks; 10 by default")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per track")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write the list as a page, too")
    parser.add_argument(
        "--audio", type=Path, nargs="+", metavar="PATH",
        help="files and folders with the audio, so that the page has a player for each track",
    )  # fmt: skip


def _add_distance(parser: argparse.ArgumentParser) -> None:
    """Add what is compared, and how."""
    parser.add_argument(
        "--sets", type=_sets, metavar="SET,…",
        help="what is compared of an index; rp,ssd by default, and there is gtzan",
    )  # fmt: skip
    parser.add_argument(
        "--metric", choices=("l1", "l2", "scaled", "weighted", "cosine"),
        help="how distances are measured; weighted by default",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=_weights, metavar="SET=W,…",
        help="of the sets, for the metric weighted; rp=0.5,ssd=0.9 by default, and 1 for gtzan",
    )  # fmt: skip


def _sets(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    strange = [name for name in names if name not in SETS]
    if strange or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} names no sets as rp,ssd,gtzan does")
    return names


def _weights(text: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for word in text.split(","):
        name, _, number = word.partition("=")
        weight = finite(number)
        if not name or name in weights or not weight >= 0:
            raise argparse.ArgumentTypeError(
                f"{text!r} does not give sets and numbers as rp=0.5,ssd=0.9 does"
            )
        weights[name] = weight
    return weights
