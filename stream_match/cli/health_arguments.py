"""The arguments of ``health``."""

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import PAGE

EPILOG = (
    "example: stream-match health --web 127.0.0.1:8765\n\n"
    "The token of a page that needs one stands in STREAM_MATCH_WEB_TOKEN.\n\n"
    "exit status: 1 if it does not answer or a restart would help; with --strict, for any trouble"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``health``."""
    parser = command(
        commands,
        "health",
        "health:run",
        help="ask a running listener how it is, by its page",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--web",
        default=PAGE,
        metavar="HOST:PORT",
        help=f"where the listener shows its page; {PAGE} by default",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for any trouble")
