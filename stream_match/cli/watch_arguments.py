"""The arguments of ``watch``."""

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import BROKERS, add_broker

EPILOG = (
    "example: stream-match watch --mqtt mqtt://broker.local --type match --source kitchen\n\n"
    "A listener that was killed cannot tell the end of what it told: watch does so, once its node is\n"
    f"offline.\n\nbroker:\n{BROKERS}"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``watch``."""
    parser = command(
        commands,
        "watch",
        "watch:run",
        help="print the events that listeners publish, until Ctrl-C",
        epilog=EPILOG,
    )
    add_broker(parser)
    parser.add_argument(
        "--type",
        metavar="T,T",
        help="only events of these types: match, status, onset, onset_cluster, cluster, sounds_like, genre",
    )
    parser.add_argument("--node", metavar="NAME", help="only those of this listener")
    parser.add_argument("--source", metavar="NAME", help="only those of this source")
    parser.add_argument("--json", action="store_true", help="print the events as they are, a line each")
