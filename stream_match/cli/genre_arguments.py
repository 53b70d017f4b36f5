"""The arguments of ``genre``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command

EPILOG = (
    "example: stream-match genre song.mp3 --model my-genres\n\n"
    "No model comes with stream-match. scripts/train_genre.py makes one of a folder that has a folder\n"
    "of music for each genre. A file whose likeliest genre is not likely enough is unsure. One that is\n"
    "unlike all music trained on is unfamiliar. The card of the model says how both are decided.\n\n"
    "exit status: 1 if a file could not be described (the others are done all the same), or the model\n"
    "cannot be read; 2 if there is none, or for a mistake in the arguments"
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``genre``."""
    parser = command(
        commands,
        "genre",
        "genre:run",
        help="name the genre of files, by a model that you have trained",
        epilog=EPILOG,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file of sound")
    parser.add_argument("--model", type=Path, metavar="DIR", help="its folder; models/genre by default")
    parser.add_argument("--json", action="store_true", help="print a line of JSON per file")
