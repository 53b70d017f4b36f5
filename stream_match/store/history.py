"""What was heard, read from a store, also while a listener writes it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_match.errors import UsageError
from stream_match.events import MatchEvent, State, Track, from_json
from stream_match.store import opening
from stream_match.store.migrations import check_to_read
from stream_match.store.names import NameKey, read_names
from stream_match.store.opening import FILE

LONGEST = timedelta(days=1)
"""An airing whose beginning was not kept is found by its end, if it was no longer than this."""

BEFORE = timedelta(hours=1)
"""What a source said of itself is told every minute; who looks for what was true then looks back so far."""

_NEVER_MS = 1 << 62


@dataclass(frozen=True)
class Airing:
    """A track that was heard.

    Attributes
    ----------
    node, source : str
    track : Track
    kind : str
        ``recording`` or ``version``.
    started : datetime
        When it began to sound, in UTC.
    ended : datetime or None
        When it ceased; None if it goes on, as far as is known.
    seconds : float
        How long it sounded, so far if it goes on; of audio, not of a clock.
    confidence : float
        Chance that it is right, at the last word.
    false_alarms_per_hour : float
    reason : str or None
        Why it ended, if that was not heard.
    told : MatchEvent
        The last word of it.
    name : str or None
        What a person calls the track today.
    """

    node: str
    source: str
    track: Track
    kind: str
    started: datetime
    ended: datetime | None
    seconds: float
    confidence: float
    false_alarms_per_hour: float
    reason: str | None
    told: MatchEvent
    name: str | None = None


@dataclass(frozen=True)
class SoundKind:
    """A kind of sound, and how often it was heard.

    Attributes
    ----------
    source, cluster_id : str
    sounds : int
    first, last : datetime
        The minutes in which it was heard first and last, of those that were asked for.
    name : str or None
        What a person calls it.
    """

    source: str
    cluster_id: str
    sounds: int
    first: datetime
    last: datetime
    name: str | None


@dataclass(frozen=True)
class Moment:
    """What a source said of itself.

    Attributes
    ----------
    time : datetime
    node, source : str
    state : str
    level_dbfs : float or None
    title : str or None
        What the stream calls what it plays.
    """

    time: datetime
    node: str
    source: str
    state: State
    level_dbfs: float | None
    title: str | None


class History:
    """A store opened for reading; a context manager.

    Parameters
    ----------
    folder : Path
        The state folder of a listener.

    Raises
    ------
    UsageError
        If there is no store in it.
    StoreError
        If the store cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        if not self._path.is_file():
            raise UsageError(
                f"There is no history in {str(folder)!r}: give the folder that listen --state writes."
            )
        with opening.naming(self._path):
            self._reader = opening.connect_to_read(self._path)
            check_to_read(self._reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def airings(
        self, start: datetime | None = None, end: datetime | None = None, *, source: str | None = None
    ) -> list[Airing]:
        """Return what began from `start` on and before `end`, in the order of beginnings.

        Parameters
        ----------
        start, end : datetime, optional
            With a time zone.
        source : str, optional
            Only of this source.
        """
        words = """
            SELECT match_id, payload FROM events
            WHERE kind IN ('started', 'ended') AND match_id IN (
                SELECT match_id FROM events
                WHERE kind IN ('started', 'ended') AND time_ms >= ? AND time_ms < ?
                    AND (? IS NULL OR source = ?)
            ) ORDER BY match_id, seq"""
        until = None if end is None else end + LONGEST
        names = self.names()
        with opening.naming(self._path):
            found = self._told(words, (_ms(start, -_NEVER_MS), _ms(until, _NEVER_MS), source, source))
            heard = [self._airing(match_id, told, names) for match_id, told in found]
        wanted = (
            airing
            for airing in heard
            if airing and (start is None or airing.started >= start) and (end is None or airing.started < end)
        )
        return sorted(wanted, key=lambda airing: (airing.started, airing.source))

    def moments(
        self, start: datetime | None = None, end: datetime | None = None, *, source: str | None = None
    ) -> list[Moment]:
        """Return what sources said of themselves from `BEFORE` the start on, by node and source, in order."""
        query = """
            SELECT time_ms, node, source, payload FROM events
            WHERE kind = 'status' AND time_ms >= ? AND time_ms < ? AND (? IS NULL OR source = ?)
            ORDER BY node, source, seq"""
        since = None if start is None else start - BEFORE
        with opening.naming(self._path):
            rows = self._reader.execute(
                query, (_ms(since, -_NEVER_MS), _ms(end, _NEVER_MS), source, source)
            ).fetchall()
        return [moment for row in rows if (moment := _moment(*row)) is not None]

    def first_plays(self) -> dict[tuple[str, str], datetime]:
        """Return when each source first told of each track; (source, id of the track) → time."""
        query = """
            SELECT source, track_id, min(time_ms) FROM events
            WHERE kind = 'started' AND track_id IS NOT NULL GROUP BY track_id, source"""
        with opening.naming(self._path):
            rows = self._reader.execute(query).fetchall()
            return {(source, track): _time(time_ms) for source, track, time_ms in rows}

    def names(self) -> dict[NameKey, str]:
        """Return what people call clusters and tracks."""
        with opening.naming(self._path):
            return read_names(self._reader)

    def sounds(self, start: datetime, end: datetime) -> list[tuple[datetime, str, int]]:
        """Return how many sounds were heard in each minute from `start` on and before `end`, by source.

        Minutes without a sound are left out. The last ones may be missing: they are counted in memory first.
        """
        query = """
            SELECT minute, source, sum(sounds) FROM sound_counts
            WHERE minute >= ? AND minute < ? GROUP BY minute, source ORDER BY minute"""
        with opening.naming(self._path):
            rows = self._reader.execute(query, (_minute(start), _minute(end))).fetchall()
            return [(_time(minute * 60_000), source, sounds) for minute, source, sounds in rows]

    def sound_kinds(self, start: datetime, end: datetime, *, most: int) -> list[SoundKind]:
        """Return which kinds of sounds were heard from `start` on and before `end`, frequent ones first."""
        query = """
            SELECT source, cluster_id, sum(sounds) AS often, min(minute), max(minute), (
                SELECT name FROM names
                WHERE source = sound_counts.source AND kind = 'cluster' AND id = cluster_id
            )
            FROM sound_counts
            WHERE minute >= ? AND minute < ? GROUP BY source, cluster_id ORDER BY often DESC LIMIT ?"""
        with opening.naming(self._path):
            rows = self._reader.execute(query, (_minute(start), _minute(end), most)).fetchall()
            return [
                SoundKind(source, cluster, sounds, _time(first * 60_000), _time(last * 60_000), name)
                for source, cluster, sounds, first, last, name in rows
            ]

    def _told(self, query: str, values: tuple[object, ...]) -> Iterator[tuple[str, list[MatchEvent]]]:
        rows = self._reader.execute(query, values)
        for match_id, told in groupby(rows, key=lambda row: row[0]):
            yield match_id, [word for _, payload in told if (word := _match(payload)) is not None]

    def _airing(self, match_id: str, told: list[MatchEvent], names: Mapping[NameKey, str]) -> Airing | None:
        if not told:
            return None
        first, last = told[0], told[-1]
        over = last.phase == "ended"
        if not over:  # it goes on: what was said last says how long
            row = self._reader.execute(
                "SELECT payload FROM events WHERE match_id = ? ORDER BY seq DESC LIMIT 1", (match_id,)
            ).fetchone()
            last = _match(row[0]) or last
        until_s = last.stream_s if last.ended_s is None else last.ended_s
        return Airing(
            node=last.node,
            source=last.source,
            track=last.track,
            kind=last.kind,
            started=_back(first.time, first.stream_s - last.started_s),
            ended=_back(last.time, last.stream_s - until_s) if over else None,
            seconds=round(max(0.0, until_s - last.started_s), 3),
            confidence=last.confidence,
            false_alarms_per_hour=last.false_alarms_per_hour,
            reason=last.reason,
            name=names.get((last.source, "track", last.track.id)),
            told=last,
        )


def _match(payload: str) -> MatchEvent | None:
    try:
        event = from_json(payload)
    except ValueError:
        return None
    return event if isinstance(event, MatchEvent) else None


def _moment(time_ms: int, node: str, source: str, payload: str) -> Moment | None:
    # Not through the model: of a year there are half a million for each source.
    try:
        told = json.loads(payload)
        level = told["level_dbfs"]
        title = told["stream_metadata"].get("StreamTitle")
        return Moment(_time(time_ms), node, source, told["state"], level, title or None)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return None


def _back(time: datetime, seconds: float) -> datetime:
    try:
        return time - timedelta(seconds=seconds)
    except OverflowError:  # at the beginning of the calendar
        return time


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _ms(time: datetime | None, otherwise: int) -> int:
    return otherwise if time is None else math.floor(time.timestamp() * 1000)


def _minute(time: datetime) -> int:
    return math.floor(time.timestamp() / 60)
