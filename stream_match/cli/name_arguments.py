"""The arguments of ``name``."""

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import BROKERS, add_listener

EPILOG = (
    'example: stream-match name 01KB4Z6M9S0D3-7 "doorbell" --node attic --source hall\n\n'
    "The running listener is asked over MQTT, and its answer is printed.\n"
    f"An empty NAME takes the name away.\n\nbroker:\n{BROKERS}"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``name``."""
    parser = command(
        commands,
        "name",
        "name:run",
        help="name a kind of sound or a track, so that its events say so from then on",
        epilog=EPILOG,
    )
    parser.add_argument("id", metavar="ID", help="cluster_id of an event; with --track, id of a track")
    parser.add_argument("name", metavar="NAME", help="what to call it")
    parser.add_argument("--track", action="store_true", help="ID is that of a track")
    parser.add_argument("--source", metavar="NAME", required=True, help="the source that hears it")
    add_listener(parser)
