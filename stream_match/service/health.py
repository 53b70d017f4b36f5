"""The health of a running service, as one value: for a request, the page, metrics and the watchdog.

Each number is counted where it happens. What stands here only gathers them: reading it costs next to nothing.

`ok` says whether everything is as it should be; `troubles` says what is not. `alive` is false only where a
restart helps (`service.liveness`). A station that is off the air is no reason for one.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol

from pydantic import Field

from stream_match.events import Decibels, MatchEvent, Name, Payload, Score, Seconds, State, Track
from stream_match.fleet.status import FleetStatus
from stream_match.publish.base import Delivery, Sink
from stream_match.service.catalogue import CurrentCatalogue
from stream_match.service.journal import Journal
from stream_match.service.stamp import utc
from stream_match.service.world import World

BEHIND_S = 10.0
"""Audio in the queue of a live source [seconds] from which on its matcher is said to fall behind. HLS comes
in pieces of up to 10 s."""


class LastMatch(Payload):
    """The last word about a match."""

    track: Track
    phase: Literal["started", "updated", "ended"]
    kind: Literal["recording", "version"]
    confidence: float = Field(ge=0, le=1)
    time: datetime = Field(description="When that was heard")

    @classmethod
    def of(cls, event: MatchEvent) -> "LastMatch":
        """Make it of a match event."""
        return cls(
            track=event.track,
            phase=event.phase,
            kind=event.kind,
            confidence=event.confidence,
            time=event.time,
        )


class SourceHealth(Payload):
    """How a source is; sums are since the start of the process."""

    source: Name
    source_name: str | None
    uri: str = Field(description="Without secrets")
    live: bool
    state: State | None = Field(description="As in its status events")
    reason: str | None
    attempt: int
    since: datetime = Field(description="When the state was reached")
    hint: str | None = Field(description="As in its status events: why nothing may be detected")
    stuck: str | None = Field(description="Why a restart would help; null if it would not")
    last_audio_at: datetime | None
    level_dbfs: Decibels | None
    audio_s: Seconds = Field(description="Audio analysed")
    engine_s: Seconds = Field(description="CPU time that the analysis took")
    real_time_factor: float | None = Field(description="CPU time for one second of audio")
    queue_s: Seconds = Field(description="Audio that waits for the analysis")
    waited_s: Seconds = Field(description="Longest that live audio has waited")
    dropped_s: Seconds
    overruns: int
    outage_s: Seconds
    reconnects: int
    onsets_suppressed: int
    matches: int
    sounds: int
    last_match: LastMatch | None
    best_candidate_score: Score | None = Field(
        description="The best score that was not enough for a match, since the matcher began"
    )

    @property
    def trouble(self) -> str | None:
        """What is wrong, as the end of a sentence; None if nothing is."""
        if self.stuck is not None:
            return self.stuck
        if self.state in ("stalled", "reconnecting", "failed"):
            return f"{self.state} ({self.reason})" if self.reason else self.state
        if self.live and self.queue_s > BEHIND_S:
            return f"the matcher falls behind: {self.queue_s:.0f} s of audio wait"
        return None


class SinkHealth(Payload):
    """How a sink is; sums are since the start of the process."""

    sink: str = Field(description="Its URI without secrets")
    connected: bool | None = Field(description="Whether its far side takes events; null if there is none")
    away: str | None = Field(
        default=None, description="Why it takes none; null if it does, or that is not known yet"
    )
    waiting: int = Field(description="Events that were taken and are not delivered yet")
    delivered: int
    dropped: int = Field(description="Events that were given up because too many waited")
    set_aside: int = Field(description="Events that were given up because they failed again and again")
    publish_delay_s: Seconds | None = Field(
        description="From taking an event to its delivery, of the last one that was timed"
    )

    @property
    def trouble(self) -> str | None:
        """What is wrong, as the end of a sentence; None if nothing is."""
        if self.connected is False:
            return f"{self.away or 'It is not reached.'} Events waiting: {self.waiting}."
        return None


class StoreStatus(Payload):
    """How the store of events is."""

    path: str
    trouble: str | None = Field(description="Why it is not written; null if it is")
    unsaved: int = Field(description="Events that are in memory only")
    megabytes: float | None = Field(description="Its size on disk; null until it was first written")


class IndexStatus(Payload):
    """Which index is listened with."""

    name: str = Field(description="Its folder, or its address without secrets")
    generation: int | None
    tracks: int
    trouble: str | None = Field(description="Why a newer generation was refused; null if none was")
    degraded: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Why nothing new is recognised: the server of the index is away; absent if it is not",
    )


def _is_unset(value: object) -> bool:
    return value is None


class Health(Payload):
    """How a service is."""

    schema_: Literal["stream_match.health/1"] = Field(default="stream_match.health/1", alias="schema")
    node: Name
    version: str
    time: datetime
    uptime_s: Seconds
    ok: bool = Field(description="Whether everything is as it should be")
    alive: bool = Field(description="False where a restart would help")
    troubles: tuple[str, ...] = Field(description="What is not as it should be, one sentence each")
    sources: tuple[SourceHealth, ...]
    sinks: tuple[SinkHealth, ...]
    store: StoreStatus | None
    indexes: tuple[IndexStatus, ...] = Field(description="Those that are listened with, each once")
    fleet: FleetStatus | None = Field(
        default=None,
        exclude_if=_is_unset,
        description="What is shared with other listeners; absent if nothing is",
    )


class Watched(Protocol):
    """Somebody who knows how a source is: its supervisor."""

    def health(self) -> SourceHealth:
        """Return how it is now."""


class HealthReader:
    """Gathers the health of a service.

    Parameters
    ----------
    node : str
        Name of the listener.
    world : World
        Clocks.
    sources : callable () -> iterable of Watched
        Returns those who know the sources of now.
    sinks : sequence of Sink
    journal : Journal, optional
        Knows the store.
    catalogues : callable () -> iterable of CurrentCatalogue, optional
        Returns what knows the indexes of now.
    fleet : callable () -> FleetStatus or None, optional
        Returns what is shared with other listeners.
    """

    def __init__(
        self,
        node: str,
        world: World,
        sources: Callable[[], Iterable[Watched]],
        sinks: Sequence[Sink],
        *,
        journal: Journal | None = None,
        catalogues: Callable[[], Iterable[CurrentCatalogue[Any]]] = tuple,
        fleet: Callable[[], FleetStatus | None] = lambda: None,
    ) -> None:
        self._node = node
        self._world = world
        self._begun = world.monotonic()
        self._sources = sources
        self._sinks = sinks
        self._journal = journal
        self._catalogues = catalogues
        self._fleet = fleet

    def read(self) -> Health:
        """Return the health of now; to be called on the event loop."""
        sources = tuple(source.health() for source in self._sources())
        sinks = tuple(map(_sink_health, self._sinks))
        store, indexes = self._store(), tuple(map(_index_status, self._catalogues()))
        fleet = self._fleet()
        named = [
            *((source.source, source.trouble) for source in sources),
            *((sink.sink, sink.trouble) for sink in sinks),
            ("store", store and store.trouble),
            *((f"index {index.name}", index.degraded or index.trouble) for index in indexes),
            ("fleet", fleet and fleet.trouble),
        ]
        troubles = tuple(f"{name}: {trouble}" for name, trouble in named if trouble)
        return Health(
            node=self._node,
            version=program_version(),
            time=utc(self._world.now()),
            uptime_s=self._world.monotonic() - self._begun,
            ok=not troubles,
            alive=not any(source.stuck for source in sources),
            troubles=troubles,
            sources=sources,
            sinks=sinks,
            store=store,
            indexes=indexes,
            fleet=fleet,
        )

    async def answer(self) -> dict[str, Any]:
        """Return the health of now as JSON has it."""
        return self.read().model_dump(mode="json", by_alias=True)

    def _store(self) -> StoreStatus | None:
        journal = self._journal
        if journal is None:
            return None
        size = journal.size_bytes
        return StoreStatus(
            path=str(journal.store.path),
            trouble=journal.trouble,
            unsaved=journal.unsaved,
            megabytes=None if size is None else round(size / 1e6, 3),
        )


def _index_status(current: CurrentCatalogue[Any]) -> IndexStatus:
    return IndexStatus(
        name=current.name,
        generation=current.generation,
        tracks=current.tracks,
        trouble=current.refused,
        degraded=current.away,
    )


def _sink_health(sink: Sink) -> SinkHealth:
    # A sink of somebody else's need not count.
    of = getattr(sink, "delivery", None)
    counted = of() if of is not None else Delivery()
    return SinkHealth(
        sink=sink.uri,
        connected=counted.connected,
        away=counted.away,
        waiting=counted.waiting,
        delivered=counted.delivered,
        dropped=counted.dropped,
        set_aside=counted.set_aside,
        publish_delay_s=counted.delay_s,
    )


@cache
def program_version() -> str:
    """Return the version of this program."""
    try:
        return version("stream-match")
    except PackageNotFoundError:  # a checkout that is run as it stands
        return "0"
