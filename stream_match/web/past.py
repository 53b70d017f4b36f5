"""What was heard before: the day, the history, the kinds of sounds; read from the store for each question."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from stream_match.errors import StoreError, UsageError
from stream_match.offline.airplay.airing_forms import COLUMNS, airing_cells, airing_fields
from stream_match.offline.airplay.cells import lines
from stream_match.offline.airplay.claims import Claims, Place, by_place, lasting
from stream_match.offline.airplay.search import Told, find_airings, is_about, with_titles
from stream_match.store.history import Airing, History, Moment
from stream_match.web.port import Answer, Aside

T = TypeVar("T")

LONGEST_DAY = timedelta(days=8)
MOST_KINDS = 300
READERS = 2
"""Questions that are answered at the same time: the disk belongs to the listener first."""

WAITING = 8
"""Questions that wait for their turn. Of more, the oldest is refused: its reader has most likely typed on."""


@dataclass(frozen=True)
class Asked:
    """Which part of the history is asked for.

    Attributes
    ----------
    start, end : datetime or None
        With a time zone.
    source : str or None
    text : str or None
        Stands in the id, title, artist or album.
    kind : str or None
        ``recording`` or ``version``.
    """

    start: datetime | None = None
    end: datetime | None = None
    source: str | None = None
    text: str | None = None
    kind: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """Return what a query asks for.

        Raises
        ------
        UsageError
            If a time is none.
        """
        return cls(
            _moment(query, "from"), _moment(query, "to"), query.get("source") or None, query.get("q") or None,
            query.get("kind") or None,
        )  # fmt: skip

    def wants(self, airing: Airing) -> bool:
        """Whether an airing of the time and source is asked for."""
        return self.kind in (None, airing.kind) and is_about(airing.track, self.text)


class Past:
    """Reads the history of a listener.

    Parameters
    ----------
    folder : Path
        Its state folder.
    aside : coroutine function
        Does what waits for a disk.
    """

    def __init__(self, folder: Path, aside: Aside) -> None:
        self._folder = folder
        self._aside = aside
        self._turn = asyncio.Semaphore(READERS)
        self._waiting: deque[asyncio.Timeout] = deque()

    async def day(self, asked: Asked) -> Answer:
        """Return what the timeline of a day shows: airings, states, levels, sounds of each minute.

        Raises
        ------
        UsageError
            If it is not told from when to when, or that is too long.
        StoreError
            If the store cannot be read.
        """
        start, end = asked.start, asked.end
        if start is None or end is None or not start < end <= start + LONGEST_DAY:
            raise UsageError(f"Expected from and to, at most {LONGEST_DAY.days} days apart.")
        return await self._read(lambda history: _day(history, start, end))

    async def airings(self, asked: Asked, *, offset: int, limit: int) -> Answer:
        """Return a part of the history, the newest first."""
        return await self._read(lambda history: _part(history, asked, offset, limit))

    async def table(self, asked: Asked) -> str:
        """Return the history as CSV, as ``history --csv`` prints it."""
        found = await self._read(lambda history: _told(history, asked))
        return "".join(f"{line}\r\n" for line in lines([COLUMNS, *(airing_cells(*one) for one in found)]))

    async def sound_kinds(self, asked: Asked) -> Answer:
        """Return which kinds of sounds were heard."""
        start = asked.start or datetime.fromtimestamp(0, UTC)
        end = asked.end or datetime.max.replace(tzinfo=UTC)
        found = await self._read(lambda history: history.sound_kinds(start, end, most=MOST_KINDS))
        return {
            "kinds": [
                {
                    "source": kind.source,
                    "cluster_id": kind.cluster_id,
                    "sounds": kind.sounds,
                    "first": _ms(kind.first),
                    "last": _ms(kind.last),
                    "name": kind.name,
                }
                for kind in found
            ]
        }

    async def _read(self, work: Callable[[History], T]) -> T:
        def read() -> T:
            with History(self._folder) as history:
                return work(history)

        await self._wait()
        try:
            return await self._aside(read)
        finally:
            self._turn.release()

    async def _wait(self) -> None:
        """Wait for a turn; whoever waits longest gives up when too many wait."""
        try:
            async with asyncio.timeout(None) as patience:
                self._waiting.append(patience)
                if len(self._waiting) > WAITING:
                    self._waiting.popleft().reschedule(asyncio.get_running_loop().time())
                try:
                    await self._turn.acquire()
                finally:
                    if patience in self._waiting:
                        self._waiting.remove(patience)
        except TimeoutError:
            raise StoreError("busy", "Newer questions about the history came first: ask again.") from None


def _day(history: History, start: datetime, end: datetime) -> Answer:
    moments = by_place(history.moments(start, end))
    claims = Claims(moments)
    sounds: dict[str, list[list[int]]] = defaultdict(list)
    for minute, source, count in history.sounds(start, end):
        sounds[source].append([_ms(minute), count])
    airings = history.airings(start - timedelta(hours=1), end)  # what began before may go on
    sources = {source for _, source in moments} | set(sounds) | {airing.source for airing in airings}
    return {
        "sources": {
            source: {
                "states": _states(moments, source, start, end),
                "levels": _levels(moments, source, start),
                "sounds": sounds.get(source, []),
            }
            for source in sorted(sources)
        },
        "airings": [
            _airing(airing, claims.title_of(airing, end))
            for airing in airings
            if airing.ended is None or airing.ended > start
        ],
    }


def _states(
    moments: Mapping[Place, list[Moment]], source: str, start: datetime, end: datetime
) -> list[list[Any]]:
    """Return stretches of one state each: beginning, end, state."""
    found: list[list[Any]] = []
    for (_, owner), own in moments.items():
        for moment, until in lasting(own) if owner == source else ():
            begin_ms, until_ms = _ms(max(moment.time, start)), _ms(min(until, end))
            if begin_ms >= until_ms:
                continue
            if found and found[-1][2] == moment.state and found[-1][1] >= begin_ms - 1000:
                found[-1][1] = until_ms
            else:
                found.append([begin_ms, until_ms, moment.state])
    return found


def _levels(moments: Mapping[Place, list[Moment]], source: str, start: datetime) -> list[list[float]]:
    return [
        [_ms(moment.time), moment.level_dbfs]
        for (_, owner), own in moments.items()
        for moment in own
        if owner == source and moment.level_dbfs is not None and moment.time >= start
    ]


def _part(history: History, asked: Asked, offset: int, limit: int) -> Answer:
    airings = history.airings(asked.start, asked.end, source=asked.source)
    found = [airing for airing in airings if asked.wants(airing)]
    part = found[::-1][offset : offset + limit]
    return {
        "total": len(found),
        "airings": [_airing(*one) for one in with_titles(history, part, datetime.now(UTC))],
    }


def _told(history: History, asked: Asked) -> list[Told]:
    return find_airings(
        history, asked.start, asked.end, source=asked.source, wanted=asked.wants, now=datetime.now(UTC)
    )


def _airing(airing: Airing, title: str | None) -> Answer:
    return {**airing_fields(airing, title), "told": airing.told.model_dump(mode="json", by_alias=True)}


def _moment(query: Mapping[str, str], key: str) -> datetime | None:
    text = query.get(key)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year < 9999:
        raise UsageError(f"{key} is no time with its zone, such as 2026-11-28T20:15:00Z.")
    return moment


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
