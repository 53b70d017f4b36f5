"""The arguments of ``devices``."""

from stream_match.cli.command import Parser, Subparsers, command

EPILOG = "example: stream-match devices"


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``devices``."""
    parser = command(
        commands,
        "devices",
        "devices:run",
        help="list the microphones, by the names that mic:NAME takes",
        epilog=EPILOG,
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON per microphone")
