"""The arguments of ``listen``."""

import argparse
from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.log_lines import FORMATS
from stream_match.cli.shared_options import BROKERS, INDEX, MILVUS, PAGE, SHARE, add_false_alarms
from stream_match.places import index_place

SOURCES = (
    "sources: PATH | http(s)://… | rtsp://… | mic: | mic:NAME | demo: |\n"
    "         pcm:-?rate=48000&channels=2&format=s16le\n"
    "         name=URI gives a source its name in topics and events"
)
SINKS = (
    "sinks:   mqtt://[user:pass@]host[:port][/base] | mqtts://… | embedded: |\n"
    f"         jsonl:- | jsonl:PATH | console:\n{BROKERS}"
)
CONFIG = """\
FILE.toml, overridden by the command line (stream-match config example prints all settings):
  node = "attic"
  index = "models/demo"
  pace = "real"
  sinks = ["mqtt://broker.local/stream_match", "jsonl:events.jsonl"]
  state = "state"
  reconnect_max_seconds = 10
  [[sources]]
  uri = "https://radio.example/stream"
  name = "radio-example"
  title = "Radio Example"
  [match]
  max_false_alarms_per_hour = 0.1
  [onsets]
  enabled = true"""
EPILOG = (
    "example: stream-match listen --source kitchen=mic: --index models/demo --sink mqtt://localhost\n\n"
    f"{SOURCES}\n{SINKS}\n\n{MILVUS}\n\n{CONFIG}\n\n"
    "exit status: 0 also after SIGINT or SIGTERM; 1 if a source failed\n"
    "or events could not be delivered; 2 for a mistake in the arguments"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``listen``."""
    parser = command(
        commands,
        "listen",
        "listen:run",
        help="listen to sources and publish what is playing and which sounds begin",
        epilog=EPILOG,
    )
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; the rest overrides them")
    parser.add_argument("--source", action="append", metavar="URI", help="what to listen to; may be repeated")
    _add_lanes(parser)
    _add_outputs(parser)
    add_false_alarms(parser, "0.1")


def _add_lanes(parser: argparse.ArgumentParser) -> None:
    """Add what is looked for: tracks, similar tracks, genres, sounds."""
    parser.add_argument(
        "--index", type=index_place, metavar="DIR", help=f"{INDEX}; without one, only sounds are told"
    )
    parser.add_argument("--no-match", action="store_true", help="do not look for tracks")
    parser.add_argument("--no-onsets", action="store_true", help="do not listen for sounds that begin")
    parser.add_argument(
        "--no-sounds-like", action="store_true", help="do not say which tracks unknown music resembles"
    )
    parser.add_argument(
        "--genre-model", type=Path, metavar="DIR", help="names the genre of unknown music (train_genre.py)"
    )
    parser.add_argument(
        "--announce-onsets",
        action="store_true",
        help="tell a sound at once, too, before its cluster is known",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add where events go, at which pace and under which name; the page and the log."""
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder in which events and clusters are kept over restarts"
    )
    parser.add_argument("--sink", action="append", metavar="URI", help="where events go; console: by default")
    parser.add_argument(
        "--pace", choices=("real", "fast"), help="files as they are heard (default), or faster"
    )
    parser.add_argument("--node", metavar="NAME", help="name of this listener; the host's name by default")
    parser.add_argument(
        "--web",
        nargs="?",
        const=PAGE,
        metavar="HOST:PORT",
        help=f"show a page with what is playing; at {PAGE} if nothing else is said",
    )
    parser.add_argument(
        "--log-format", choices=FORMATS, default="text", help="json: one object a line, for log collectors"
    )
    parser.add_argument(
        "--share",
        metavar="SERVERS",
        help=f"share the sources with other listeners {SHARE}: each is heard once",
    )
    parser.add_argument(
        "--discovery", action="store_true", help="let Home Assistant know the sources by itself, over MQTT"
    )
