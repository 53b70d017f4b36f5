"""Airings of a time, a source and a text, each beside what the stream called it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from stream_match.events import Track
from stream_match.offline.airplay.claims import Claims, by_place
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
    return with_titles(history, airings, now)


def with_titles(history: History, airings: Sequence[Airing], now: datetime) -> list[Told]:
    """Return airings, each beside what the stream called it.

    Parameters
    ----------
    history : History
        Only what was said while they sounded is read from it.
    airings : sequence of Airing
    now : datetime
        Until when an airing lasts that goes on.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    if not airings:
        return []
    start = min(airing.started for airing in airings)
    end = max(airing.ended or now for airing in airings)
    sources = {airing.source for airing in airings}
    moments = history.moments(start, end, source=sources.pop() if len(sources) == 1 else None)
    claims = Claims(by_place(moments))
    return [(airing, claims.title_of(airing, now)) for airing in airings]


def is_about(track: Track, text: str | None) -> bool:
    """Whether a text stands in the id, title, artist or album of a track; None stands in all."""
    named = " ".join(filter(None, (track.id, track.title, track.artist, track.album)))
    return text is None or text.casefold() in named.casefold()
