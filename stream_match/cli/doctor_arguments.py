"""The arguments of ``doctor``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import INDEX, SHARE
from stream_match.places import index_place

EPILOG = (
    "example: stream-match doctor --config stream_match.toml\n\n"
    "Clock, libraries, index, state folder, disk and store; each broker: name, connection, encryption,\n"
    "login, messages there and back; each source: opens, level, silence, title; each server that sources\n"
    "are shared over: reached, lets us in, keeps leases.\n\n"
    "exit status: 1 if a check failed"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``doctor``."""
    parser = command(
        commands,
        "doctor",
        "doctor:run",
        help="check what a listener needs, one by one, and say what to do",
        epilog=EPILOG,
    )
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; the rest overrides them")
    parser.add_argument("--source", action="append", metavar="URI", help="what to listen to; may be repeated")
    parser.add_argument("--sink", action="append", metavar="URI", help="where events go; may be repeated")
    parser.add_argument("--index", type=index_place, metavar="DIR", help=INDEX)
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder of the state")
    parser.add_argument("--share", metavar="SERVERS", help=f"share the sources {SHARE}")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per check")
