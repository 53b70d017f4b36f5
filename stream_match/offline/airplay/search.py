"""Airings of a time, a source and a text, each beside what the stream called it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from stream_match.events import Track
from stream_match.offline.airplay.claims import by_place, claimed_title
from stream_match.store.history import Airing, History

Told = tuple[Airing, str | None]
"""An airing, and what the stream called it."""


def find_airings(
    history: History,
    start: datetime | None,
    end: datetime | None,
    *,
    source: str | None,
    wanted: Callable[[Airing], bool],
    now: datetime,
) -> list[Told]:
    """Return airings, the oldest first.

    Parameters
    ----------
    history : History
    start, end : datetime or None
        In between they began.
    source : str or None
        None for all sources.
    wanted : callable (Airing) -> bool
        What else is asked of them.
    now : datetime
        Until when an airing lasts that goes on.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    airings = [airing for airing in history.airings(start, end, source=source) if wanted(airing)]
    until = None if end is None else end + timedelta(days=1)  # what began before `end` may go on
    moments = by_place(history.moments(start, until, source=source)) if airings else {}
    return [(airing, claimed_title(airing, moments, now)) for airing in airings]


def is_about(track: Track, text: str | None) -> bool:
    """Whether a text stands in the id, title, artist or album of a track; None stands in all."""
    named = " ".join(filter(None, (track.id, track.title, track.artist, track.album)))
    return text is None or text.casefold() in named.casefold()
