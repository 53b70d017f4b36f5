"""The arguments of ``mark``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import positive, seconds
from stream_match.cli.shared_options import BROKERS, add_listener, index_folder

EPILOG = (
    "example: stream-match mark bell.flac --index models/mine --from 2.5 --to 8 --name Doorbell\n"
    "         stream-match mark --source hall --last 10 --name Doorbell --mqtt mqtt://broker.local\n\n"
    "A file may be a clip. A listener holds what it has heard if its settings say buffer_seconds in\n"
    "[clips]. The stretch must be 3 s long at least. The track is marked/NAME, and listeners that use\n"
    f"the index know it within seconds.\n\nbroker:\n{BROKERS}"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``mark``."""
    parser = command(
        commands,
        "mark",
        "mark:run",
        help="make a stretch of audio a reference of an index: find this ever after",
        epilog=EPILOG,
    )
    parser.add_argument(
        "audio", nargs="?", type=Path, metavar="AUDIO", help="a file; else a listener is asked"
    )
    parser.add_argument("--name", metavar="TEXT", required=True, help="its title")
    parser.add_argument(
        "--from", dest="start", type=seconds, metavar="S", help="its start: of the file, or in stream_s"
    )
    parser.add_argument("--to", dest="end", type=seconds, metavar="S", help="its end")
    parser.add_argument("--index", type=index_folder, metavar="DIR", help="folder of the index, for a file")
    parser.add_argument("--source", metavar="NAME", help="the source of a listener")
    parser.add_argument("--last", type=positive, metavar="S", help="the newest seconds of that source")
    add_listener(parser)
