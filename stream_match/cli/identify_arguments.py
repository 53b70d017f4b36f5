"""The arguments of ``identify``."""

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import at_least_one
from stream_match.cli.shared_options import INDEX, MILVUS, add_false_alarms
from stream_match.places import index_place

EPILOG = (
    "example: stream-match identify --index models/demo --json recording.wav\n\n"
    f"{MILVUS}\n\n"
    "exit status: 1 if a file could not be read; the others are done all the same"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``identify``."""
    parser = command(
        commands,
        "identify",
        "identify:run",
        help="say what is playing in files",
        epilog=EPILOG,
    )
    parser.add_argument("--index", type=index_place, metavar="DIR", required=True, help=INDEX)
    parser.add_argument("--json", action="store_true", help="print a line of JSON per file")
    parser.add_argument(
        "--all",
        action="store_true",
        help="add the best candidates that are not claimed; of lsh-counts, all tracks with a result",
    )
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="a file")
    parser.add_argument(
        "--method",
        choices=("engine", "lsh-counts"),
        default="engine",
        help="lsh-counts: rank the tracks by how many chroma frames share a bucket of an LSH table, a "
        "baseline that claims nothing; the index needs LSH counts (stream-match index hash)",
    )
    parser.add_argument(
        "-k", type=at_least_one, metavar="K", help="tracks that lsh-counts lists; 10 by default"
    )
    add_false_alarms(parser, "so many that one unknown file in four hundred gets a name")
