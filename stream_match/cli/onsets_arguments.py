"""The arguments of ``onsets``."""

import argparse
from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import at_least_one

EPILOG = (
    "example: stream-match onsets drums.wav --plot drums.png --sonify drums-beeps.wav\n"
    "         stream-match onsets --from events.jsonl --plot hour.png\n\n"
    "Before the beginning of a file there is supposed to be silence: one that begins amid noise or\n"
    "music has an onset there."
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``onsets``."""
    parser = command(
        commands,
        "onsets",
        "onsets:run",
        help="say which sounds begin in a file, and which of them are of one kind",
        epilog=EPILOG,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file of sound")
    parser.add_argument(
        "--from",
        dest="events",
        metavar="EVENTS.jsonl",
        help="what listen --sink jsonl:PATH recorded, instead",
    )
    _add_methods(parser)
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw them; needs matplotlib (extra: plot)")
    parser.add_argument(
        "--sonify",
        type=Path,
        metavar="WAV",
        help="the sound on the left, a beep for each cluster on the right: 20 pitches, then the same with "
        "two strokes, three, …",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON per sound")


def _add_methods(parser: argparse.ArgumentParser) -> None:
    """Add how onsets are found, described and grouped."""
    parser.add_argument(
        "--method",
        choices=("online", "kmeans", "affinity", "agglomerative"),
        help="how sounds are grouped; online, as by a listener, is the default",
    )
    parser.add_argument(
        "--features",
        choices=("timbre", "seed"),
        help="what is compared: spectra (default), or zero crossings and energy",
    )
    parser.add_argument(
        "--clusters", type=at_least_one, metavar="K", help="how many, for kmeans and agglomerative"
    )
    parser.add_argument(
        "--detector",
        choices=("streaming", "librosa"),
        help="how onsets are found; by default streaming, but librosa (which looks ahead) for the features "
        "seed with a method other than online",
    )
