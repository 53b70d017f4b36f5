"""The arguments of ``explain``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import INDEX, MILVUS, add_false_alarms
from stream_match.places import index_place

EPILOG = (
    "example: stream-match explain recording.wav --index models/demo --out why.png\n\n"
    f"{MILVUS}\n\n"
    "exit status: 1 if the file could not be read; 2 for a mistake in the arguments, such as a track\n"
    "that the index does not have"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``explain``."""
    parser = command(
        commands,
        "explain",
        "explain:run",
        help="say and draw why a file matched, or why it did not",
        epilog=EPILOG,
    )
    parser.add_argument("file", metavar="FILE", help="a file of sound")
    parser.add_argument("--index", type=index_place, metavar="DIR", required=True, help=INDEX)
    parser.add_argument(
        "--track", metavar="ID", help="the track to explain; by default the best match, or else candidate"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PNG", required=True, help="the picture; needs matplotlib (extra: plot)"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON, as identify does")
    add_false_alarms(parser, "as of identify")
