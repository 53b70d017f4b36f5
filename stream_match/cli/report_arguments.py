"""The arguments of ``report``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.shared_options import index_folder

EPILOG = (
    "example: stream-match report song.mp3\n"
    "         stream-match report --index models/mine ~/Music --out music.html\n"
    "         stream-match report --table features.csv ~/Music --out music.html\n\n"
    "A recording is shown in figures: waveform, spectra, parts, centroid, MFCC, chroma. Of more than\n"
    "5 minutes, the first 5 are. A collection is shown by a map and a list of its tracks, near-\n"
    "duplicates, loudness, tempo and correlations; with the folders of its audio, tracks can be played.\n"
    "The page needs no network. Figures need matplotlib (extra: plot).\n\n"
    "exit status: 1 if the file or the index could not be read; 2 for a mistake in the arguments"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``report``."""
    parser = command(
        commands,
        "report",
        "report:run",
        help="show a recording, or a collection, on one page of HTML",
        epilog=EPILOG,
    )
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH",
        help="the recording; or files and folders of a collection, to play its tracks",
    )  # fmt: skip
    parser.add_argument("--index", type=index_folder, metavar="DIR", help="a collection: folder of its index")
    parser.add_argument(
        "--table", type=Path, action="append", default=[], metavar="FILE",
        help="a collection, or what describes that of --index: a table of features, or the published GTZAN "
        "table; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="HTML",
        help="the page; one that is there is replaced. By default NAME-report.html here, if there is none",
    )  # fmt: skip
