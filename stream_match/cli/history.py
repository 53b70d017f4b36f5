"""``history``: what was heard and when, and what a day or a week was like."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from stream_match.cli.terminal import say, say_json
from stream_match.errors import UsageError
from stream_match.offline.airplay.airing_forms import COLUMNS, airing_cells, airing_fields, airing_line
from stream_match.offline.airplay.cells import lines
from stream_match.offline.airplay.search import Told, find_airings, is_about
from stream_match.offline.airplay.summaries import Summary, summaries
from stream_match.offline.airplay.summary_forms import (
    REPORT_COLUMNS,
    summary_cells,
    summary_fields,
    summary_lines,
)
from stream_match.store.history import History


def run(args: argparse.Namespace) -> int:
    """Run ``history``; return the exit status."""
    now = datetime.now(UTC)
    start = None if args.start is None else moment(args.start, now)
    end = None if args.end is None else moment(args.end, now, end=True)
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--from {args.start} is not before --to {args.end}.")
    with History(args.state) as history:
        if args.report is None:
            told = find_airings(
                history,
                start,
                end,
                source=args.source,
                wanted=lambda airing: is_about(airing.track, args.track),
                now=now,
            )
            _print_airings(told, args)
        else:
            found = summaries(history, args.report, start, end, source=args.source, now=now)
            _print_report([_of_track(one, args.track) for one in found], args)
    return 0


def moment(text: str, now: datetime, *, end: bool = False) -> datetime:
    """Return the time that a person means.

    Parameters
    ----------
    text : str
        ``2026-11-28``, ``2026-11-28T20:15``, with ``Z`` or ``+01:00`` or else in local time; ``today``,
        ``yesterday``.
    now : datetime
    end : bool
        Whether a day means its end.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    today = now.astimezone().date()
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = named[text] if text in named else date.fromisoformat(text)
    except ValueError:
        return _clock(text)
    try:
        return datetime.combine(day + timedelta(days=1) if end else day, time()).astimezone()
    except (OverflowError, ValueError, OSError):
        raise UsageError(f"{text!r} is beyond the calendar.") from None


def _clock(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text!r} is no time: write 2026-11-28, 2026-11-28T20:15 (with Z for UTC), today or yesterday."
        ) from None


def _print_airings(told: Iterable[Told], args: argparse.Namespace) -> None:
    if args.json:
        say_json(*(json.dumps(airing_fields(*one), ensure_ascii=False) for one in told))
    elif args.csv:
        say(*lines([COLUMNS, *(airing_cells(*one) for one in told)]))
    else:
        say(*(airing_line(*one) for one in told))


def _of_track(summary: Summary, text: str | None) -> Summary:
    return replace(summary, plays=[plays for plays in summary.plays if is_about(plays.track, text)])


def _print_report(found: Iterable[Summary], args: argparse.Namespace) -> None:
    if args.json:
        say_json(*(json.dumps(summary_fields(summary), ensure_ascii=False) for summary in found))
    elif args.csv:
        say(*lines([REPORT_COLUMNS, *(row for summary in found for row in summary_cells(summary))]))
    else:
        say(*(line for summary in found for line in summary_lines(summary)))
