"""The arguments of ``history``."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command

EPILOG = (
    "example: stream-match history --state /var/lib/stream_match --from yesterday --csv\n"
    "         stream-match history --state /var/lib/stream_match --report week\n\n"
    "times: 2026-11-28 | 2026-11-28T20:15 (local time; with Z or +01:00 as told) | today | yesterday\n"
    "       An airing is in the period in which it began. A day behind --to is included.\n\n"
    "The state folder may be in use by a listener. In CSV, an apostrophe stands before names that a\n"
    "spreadsheet would take for a formula."
)


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``history``."""
    parser = command(
        commands,
        "history",
        "history:run",
        help="say what was heard and when: the airplay log that a listener with --state keeps",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", required=True, help="the folder that listen --state writes"
    )
    parser.add_argument("--from", dest="start", metavar="T", help="only what began then or later")
    parser.add_argument("--to", dest="end", metavar="T", help="only what began before")
    parser.add_argument("--source", metavar="NAME", help="only this source")
    parser.add_argument(
        "--track", metavar="TEXT", help="only tracks with this in their id, title, artist or album"
    )
    parser.add_argument(
        "--report",
        choices=("day", "week"),
        help="plays per track, first plays, silence and unknown stretches, instead",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print a table, with times in UTC and local time")
    form.add_argument("--json", action="store_true", help="print a line of JSON per airing, or per report")
