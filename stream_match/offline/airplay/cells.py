"""Cells of a table that a spreadsheet opens."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from stream_match.text import printable

FORMULA = ("=", "+", "-", "@")
"""With these, spreadsheets begin a formula, which may send the table to a stranger who named a track."""


def safe(text: str | None) -> str:
    """Return a text from outside as a cell that is no formula.

    Parameters
    ----------
    text : str or None
        Of one that a spreadsheet might take for a formula, also behind spaces, an apostrophe stands in front
        of it: the spreadsheet shows the text. Control characters become spaces.

    Examples
    --------
    >>> safe("=1+1"), safe("1+1"), safe(None)
    ("'=1+1", '1+1', '')
    """
    shown = printable(text or "")
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown


def utc(time: datetime | None) -> str:
    """Return a time as RFC 3339 has it, in UTC; empty if there is none."""
    if time is None:
        return ""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(time: datetime | None) -> str:
    """Return a time as clocks on the wall show it; empty if there is none."""
    return "" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def lines(rows: Iterable[Sequence[object]]) -> list[str]:
    """Return rows as lines of CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(rows)
    return out.getvalue().splitlines()
