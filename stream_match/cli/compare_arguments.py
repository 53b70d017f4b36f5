"""The arguments of ``compare``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import at_least_one

EPILOG = (
    "example: stream-match compare take1.wav take2.wav --plot both.png\n\n"
    "Each frame of A is linked to the nearest frames of B. The best path through the links tells where\n"
    "the two run alike. There always is one: compare its links with those of A read backwards.\n\n"
    "exit status: 1 if a file could not be read; 2 for a mistake in the arguments"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``compare``."""
    parser = command(
        commands,
        "compare",
        "compare:run",
        help="compare two recordings frame by frame: what they share, where, and how fast",
        epilog=EPILOG,
    )
    parser.add_argument("a", metavar="A", help="a file of sound")
    parser.add_argument("b", metavar="B", help="another one, the reference")
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="draw links and affinities; needs matplotlib (extra: plot)"
    )
    parser.add_argument(
        "--features",
        choices=("chroma-cqt", "chroma", "mfcc"),
        default="chroma-cqt",
        help="what is compared: pitch classes by the constant-Q transform (default) or by the Fourier "
        "transform, or the sound's colour",
    )
    parser.add_argument(
        "--mode",
        choices=("connectivity", "distance", "affinity"),
        default="affinity",
        help="what is drawn beside the links, and counted by --json; affinity by default",
    )
    parser.add_argument(
        "--k", type=at_least_one, metavar="N", help="frames of B that each frame of A is linked to"
    )
    parser.add_argument(
        "--metric",
        default="cosine",
        metavar="NAME",
        help="cosine (default), euclidean, or one of scikit-learn's",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON")
