"""What the parsers of all commands have in common."""

import argparse
from typing import NoReturn

from stream_match.text import printable


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f"stream-match: {printable(message)}; see {self.prog} --help\n")


Subparsers = argparse._SubParsersAction  # there is no public name for it


def command(commands: "Subparsers[Parser]", name: str, run: str | None, **words: str) -> Parser:
    """Add a command; `words` are its help and its epilog, which begins with an example."""
    parser = commands.add_parser(
        name,
        help=words["help"],
        description=words["help"][0].upper() + words["help"][1:] + ".",
        epilog=words["epilog"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")
    parser.set_defaults(run=run)
    return parser
