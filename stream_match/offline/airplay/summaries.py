"""What a day or a week was like at each source: plays, first plays, silence, unknown stretches."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Literal

from stream_match.events import Track
from stream_match.offline.airplay.claims import Place, by_place, lasting
from stream_match.offline.airplay.stretches import Stretch, Stretches, joined, seconds, without
from stream_match.store.history import LONGEST, Airing, History, Moment

Every = Literal["day", "week"]

SILENT_DBFS = -60.0
"""RMS level up to which a source counts as silent. It is told once a minute: silence is known to a minute."""

SHORTEST_S = 60.0
"""Stretches of silence and of unknown audio that are listed; shorter ones are only added up."""

AWAY = ("stalled", "reconnecting", "paused", "failed")
"""States in which a source should have been heard, and was not."""


@dataclass(frozen=True)
class Plays:
    """How often a track was heard.

    Attributes
    ----------
    track : Track
    plays : int
    seconds : float
        Together.
    first : bool
        Whether this source never told of it before.
    """

    track: Track
    plays: int
    seconds: float
    first: bool


@dataclass(frozen=True)
class Summary:
    """One source in one period.

    Attributes
    ----------
    period : str
        Such as ``2026-11-28`` or ``2026-W48``.
    start, end : datetime
    node, source : str
    heard_s, matched_s, silent_s, unknown_s, away_s : float
        Seconds of audio; of those, with a match; silent; neither; and seconds for which the source was away.
    plays : list of Plays
        Most often heard first.
    silence, unknown : list of Stretch
        Those of at least `SHORTEST_S`.
    """

    period: str
    start: datetime
    end: datetime
    node: str
    source: str
    heard_s: float
    matched_s: float
    silent_s: float
    unknown_s: float
    away_s: float
    plays: list[Plays]
    silence: list[Stretch]
    unknown: list[Stretch]


def summaries(
    history: History,
    every: Every,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    source: str | None = None,
    now: datetime,
    tz: tzinfo | None = None,
) -> Iterator[Summary]:
    """Yield a summary for each period and source with anything to tell, in order.

    Parameters
    ----------
    history : History
    every : str
        ``day`` or ``week``, which begins on Monday.
    start, end : datetime, optional
        Only this time.
    source : str, optional
        Only this source.
    now : datetime
        Until when what goes on is counted.
    tz : tzinfo, optional
        Whose days are meant; the computer's by default.
    """
    airings = history.airings(None if start is None else start - LONGEST, end, source=source)
    moments = by_place(history.moments(start, end, source=source))
    firsts = history.first_plays()
    times = [airing.started for airing in airings] + [told[0].time for told in moments.values()]
    if not times:
        return
    first = min(times) if start is None else start
    heard: dict[Place, list[Airing]] = {place: [] for place in moments}
    for airing in airings:
        heard.setdefault((airing.node, airing.source), []).append(airing)
    logs = [_Log(place, heard[place], moments.get(place, ()), now) for place in sorted(heard)]
    for label, begin, until in periods(first, end or now, every, tz):
        bounds = max(begin, start or begin), min(until, end or now)
        for log in logs:
            summary = log.summary(label, *bounds, firsts)
            if summary.plays or summary.heard_s or summary.away_s:
                yield summary


def periods(
    start: datetime, end: datetime, every: Every, tz: tzinfo | None
) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield name, beginning and end of each day or week that has a part between two times."""
    day = start.astimezone(tz).date()
    if every == "week":
        day -= timedelta(days=day.weekday())
    while (begin := _midnight(day, tz)) < end:
        label = f"{day.isocalendar().year}-W{day.isocalendar().week:02}" if every == "week" else f"{day}"
        day += timedelta(days=7 if every == "week" else 1)
        yield label, begin, _midnight(day, tz)


def _midnight(day: date, tz: tzinfo | None) -> datetime:
    # Not by adding a day to a time: two days a year have 23 and 25 hours.
    midnight = datetime.combine(day, time())
    return midnight.astimezone() if tz is None else midnight.replace(tzinfo=tz)


class _Log:
    """What is known of one source, found by time.

    Parameters
    ----------
    place : Place
    airings : sequence of Airing
        In the order of their beginnings.
    moments : sequence of Moment
    now : datetime
        Until when an airing lasts that goes on.
    """

    def __init__(
        self, place: Place, airings: Sequence[Airing], moments: Sequence[Moment], now: datetime
    ) -> None:
        self._place = place
        self._airings = airings
        self._running = Stretches(_in_states(moments, ("running",)))
        self._matched = Stretches((airing.started, airing.ended or now) for airing in airings)
        self._silent = Stretches(_silent(moments))
        self._away = Stretches(_in_states(moments, AWAY))

    def summary(
        self, label: str, start: datetime, end: datetime, firsts: Mapping[tuple[str, str], datetime]
    ) -> Summary:
        """Return what a period was like."""
        running = self._running.within(start, end)
        matched = self._matched.within(start, end)
        silent = without(self._silent.within(start, end), matched)
        unknown = without(without(running, matched), silent)
        begun = slice(
            *(bisect_left(self._airings, time, key=lambda one: one.started) for time in (start, end))
        )
        return Summary(
            label,
            start,
            end,
            *self._place,
            heard_s=seconds(joined([*running, *matched])),
            matched_s=seconds(matched),
            silent_s=seconds(silent),
            unknown_s=seconds(unknown),
            away_s=seconds(self._away.within(start, end)),
            plays=_plays(self._airings[begun], firsts),
            silence=_long(silent),
            unknown=_long(unknown),
        )


def _in_states(moments: Sequence[Moment], states: Iterable[str]) -> Iterator[Stretch]:
    return ((moment.time, end) for moment, end in lasting(moments) if moment.state in states)


def _silent(moments: Sequence[Moment]) -> Iterator[Stretch]:
    for moment, following in pairwise(moments):
        if _is_silent(moment) and _is_silent(following):
            yield moment.time, following.time


def _is_silent(moment: Moment) -> bool:
    return moment.level_dbfs is not None and moment.level_dbfs <= SILENT_DBFS


def _plays(airings: Sequence[Airing], firsts: Mapping[tuple[str, str], datetime]) -> list[Plays]:
    tracks: dict[str, list[Airing]] = {}
    for airing in airings:
        tracks.setdefault(airing.track.id, []).append(airing)
    found = [
        Plays(
            heard[-1].track,
            len(heard),
            round(sum(airing.seconds for airing in heard), 3),
            first=heard[0].started <= firsts.get((heard[0].source, track_id), heard[0].started),
        )
        for track_id, heard in tracks.items()
    ]
    return sorted(found, key=lambda plays: (-plays.plays, -plays.seconds, plays.track.id))


def _long(stretches: Iterable[Stretch]) -> list[Stretch]:
    return [stretch for stretch in stretches if seconds([stretch]) >= SHORTEST_S]
