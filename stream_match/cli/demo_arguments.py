"""The arguments of ``demo``."""

from stream_match.cli.command import Parser, Subparsers, command

EPILOG = (
    "example: stream-match demo --pace fast\n\n"
    "At real pace it has a page meanwhile (extra web), whose address is printed."
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``demo``."""
    parser = command(
        commands,
        "demo",
        "demo:run",
        help="listen to a broadcast made on the spot, and print what arrives at a broker of its own",
        epilog=EPILOG,
    )
    parser.add_argument("--pace", choices=("real", "fast"), help="as it is heard (default), or faster")
