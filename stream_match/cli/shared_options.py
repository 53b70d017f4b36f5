"""Options that several commands have."""

import argparse
from pathlib import Path

from stream_match.cli.number_types import at_least_one, positive
from stream_match.places import index_place

BROKERS = (
    "         user and password may stand in STREAM_MATCH_MQTT_USERNAME and STREAM_MATCH_MQTT_PASSWORD, or\n"
    "         the password in the file that STREAM_MATCH_MQTT_PASSWORD_FILE names\n"
    "         mqtts:// encrypts, and takes ?OPTION&OPTION…: cafile=PEM (whom to trust, instead of the\n"
    "         system's authorities), certfile=PEM and keyfile=PEM (our own certificate, for brokers\n"
    "         that ask for one), insecure=1 (any certificate of the broker is accepted)"
)
"""For the epilogs of commands that connect to a broker."""

SETS = ("rp", "ssd", "gtzan")
"""Of descriptors."""

PAGE = "127.0.0.1:8765"
"""Where a listener shows its page if nothing else is said."""


INDEX = "folder of the index, or its address on a Milvus server"

FOLDER = "folder of the index"

SHARE = "over nats://HOST[,HOST…] or tls://…"

MILVUS = (
    "DIR may be milvus://[user:password@]HOST[:PORT]/NAME, an index on a Milvus server; milvuss:// is TLS.\n"
    "User and password may stand in STREAM_MATCH_MILVUS_TOKEN, as USER:PASSWORD, or in the file that\n"
    "STREAM_MATCH_MILVUS_TOKEN_FILE names."
)
"""For the epilogs of commands that take an index."""


def index_folder(text: str) -> Path:
    """Return the folder of an index. An address on a server is refused, and not told: passwords."""
    place = index_place(text)
    if isinstance(place, str):
        raise argparse.ArgumentTypeError(
            "this needs an index folder, such as the one that was pushed to the server"
        )
    return place


def add_broker(parser: argparse.ArgumentParser) -> None:
    """Add the broker that listeners publish to."""
    parser.add_argument(
        "--mqtt",
        metavar="URI",
        default="mqtt://localhost",
        help="mqtt://[user:pass@]host[:port][/base] or mqtts://…; mqtt://localhost by default",
    )


def add_listener(parser: argparse.ArgumentParser) -> None:
    """Add which running listener is asked, and how its answer is printed."""
    parser.add_argument("--node", metavar="NAME", help="the listener; the one of this computer by default")
    add_broker(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_false_alarms(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the false-alarm budget; `default` is what its help says of the default."""
    parser.add_argument(
        "--max-false-alarms-per-hour",
        type=positive,
        metavar="N",
        help=f"claims put up with in an hour of audio that is not in the index; by default {default}",
    )


def add_jobs(parser: argparse.ArgumentParser | argparse._MutuallyExclusiveGroup) -> None:
    """Add the number of processes."""
    parser.add_argument("--jobs", type=at_least_one, metavar="N", help="processes; one per core by default")
