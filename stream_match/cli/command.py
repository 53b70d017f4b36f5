"""What the parsers of all commands have in common."""

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn

from stream_match.text import printable


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def parse_known_args(  # type: ignore[override]  # typeshed has overloads for each namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Refuse what is not known here, where the options that may have been meant are known."""
        known, strange = super().parse_known_args(args, namespace)
        if strange:
            near = difflib.get_close_matches(strange[0].partition("=")[0], self._option_string_actions, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unrecognized arguments: {' '.join(strange)}{meant}")
        return known, strange

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
