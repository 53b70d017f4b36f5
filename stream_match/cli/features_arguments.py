"""The arguments of ``features``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command
from stream_match.cli.number_types import positive
from stream_match.cli.shared_options import SETS, add_jobs

EPILOG = (
    "example: stream-match features ~/Music --set rp --out features.parquet\n\n"
    "sets:  rp     Rhythm Patterns: 24 critical bands x 60 modulations, 1440 columns\n"
    "       ssd    Statistical Spectrum Descriptors: 7 statistics x 24 bands, 168 columns\n"
    "       gtzan  the 57 columns of the published GTZAN table, by librosa\n\n"
    "A run that was broken off goes on where it was when the same command is given again.\n\n"
    "exit status: 1 if files were skipped because they could not be read or are too short (the others\n"
    "are in the table), or if nothing could be done; 2 for a mistake in the arguments"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``features``."""
    parser = command(
        commands,
        "features",
        "features:run",
        help="describe audio files and folders by what they sound like, in a table",
        epilog=EPILOG,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument("--set", choices=SETS, required=True, help="which descriptors")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", required=True,
        help="the table, ending in .csv or .parquet; the latter needs pyarrow (extra: table)",
    )  # fmt: skip
    parser.add_argument(
        "--window",
        type=positive,
        metavar="S",
        help="a row for each S seconds, and a column start_s; by default a row for the whole file",
    )
    add_jobs(parser)
