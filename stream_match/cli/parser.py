"""The parser of the command line: all commands, each with its arguments."""

import argparse
from typing import NoReturn

from stream_match.cli import (
    compare_arguments,
    config_arguments,
    demo_arguments,
    devices_arguments,
    doctor_arguments,
    explain_arguments,
    features_arguments,
    genre_arguments,
    health_arguments,
    history_arguments,
    identify_arguments,
    index_arguments,
    listen_arguments,
    mark_arguments,
    name_arguments,
    onsets_arguments,
    report_arguments,
    similar_arguments,
    watch_arguments,
)
from stream_match.cli.command import Parser
from stream_match.cli.terminal import say

COMMANDS = (
    listen_arguments.add,
    identify_arguments.add,
    explain_arguments.add,
    compare_arguments.add,
    features_arguments.add,
    similar_arguments.add,
    genre_arguments.add,
    report_arguments.add,
    onsets_arguments.add,
    index_arguments.add,
    history_arguments.add,
    mark_arguments.add,
    watch_arguments.add,
    name_arguments.add,
    doctor_arguments.add,
    health_arguments.add,
    devices_arguments.add,
    config_arguments.add,
    demo_arguments.add,
)
"""What adds each command, in the order of ``stream-match --help``."""


class _Version(argparse.Action):
    """Prints the version of the installed package; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            say(f"stream-match {version('stream-match')}")
        except PackageNotFoundError:  # a checkout that is run as it stands
            say("stream-match (not installed)")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; it sets ``run`` to ``module:function`` of the command, or to None for help."""
    parser = Parser(
        prog="stream-match",
        description="Says within seconds what is playing and where in it we are.",
        epilog="example: stream-match demo",
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.set_defaults(run=None, asked=parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser
