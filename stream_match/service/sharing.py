"""Sources that are shared with other listeners: begun when their leases come, ended before they are over."""

import asyncio
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager

from stream_match.config import HeardSettings, ListenSettings
from stream_match.errors import UsageError, install_command
from stream_match.fleet.address import servers_of
from stream_match.fleet.bucket import Bucket
from stream_match.fleet.holder import Me, Surroundings
from stream_match.fleet.status import FleetStatus, SharedSource
from stream_match.fleet.worker import Worker
from stream_match.publish.sparse import SparseLog
from stream_match.publish.topics import Message, fleet_status
from stream_match.service.health import BEHIND_S
from stream_match.service.hearing import Hearing
from stream_match.service.intake import cancelled
from stream_match.service.shared import Shared
from stream_match.service.sources import Sources, Wanted
from stream_match.service.stamp import utc
from stream_match.service.world import cores

log = logging.getLogger(__name__)

BUSY = 0.7
"""Share of the cores that the analysis of all sources may take [CPU seconds per second]. Raising it lets a
listener take more sources, and leaves less for peaks, such as many songs that begin at once."""

MEASURED_S = 10.0
"""Audio that a source must have been heard for before its real-time factor counts [seconds]."""

STEADY = 0.1
"""Relative change of what a listener can take that is not worth moving sources for."""

CALM_S = 600.0
"""For how long a listener whose matchers fell behind takes no more sources than it had then [seconds]."""

PATIENCE_BEATS = 0.5
"""How long a server may take to answer, in beats."""

OF_ONE_MACHINE = ("mic:", "pcm:")


class Sharing:
    """Listens to those of the wanted sources whose leases this listener has.

    Parameters
    ----------
    settings : ListenSettings
    wanted : mapping of str to Wanted
        All sources that are shared, by name.
    hearings : mapping of HeardSettings to Hearing
        What they are heard with.
    sources : Sources
        What is listened to.
    shared : Shared
        What sources have in common.

    Attributes
    ----------
    changed : coroutine function ()
        Called when something else is listened to, or known of the fleet.

    Raises
    ------
    UsageError
        If a server cannot be understood, nats-py is missing, or a source belongs to one machine.
    """

    def __init__(
        self,
        settings: ListenSettings,
        wanted: Mapping[str, Wanted],
        hearings: Mapping[HeardSettings, Hearing],
        sources: Sources,
        shared: Shared,
    ) -> None:
        self.changed: Callable[[], Awaitable[object]] = _nobody
        self._settings = settings.share
        self._wanted = dict(wanted)
        self._hearings = dict(hearings)
        self._sources = sources
        self._shared = shared
        self._affordable: int | None = None
        self._measured_at = self._behind_at = -math.inf
        self._news = asyncio.Event()
        self._told: FleetStatus | None = None
        check_shared(wanted.values())
        world = shared.world
        me = self._me = Me(shared.node, secrets.token_hex(8), self._settings.lease_seconds)
        surroundings = Surroundings(
            monotonic=world.monotonic,
            now=lambda: utc(world.now()),
            sleep=world.sleep,
            chance=world.chance,
            complain=SparseLog(log, clock=world.monotonic).tell,
        )
        self._worker = Worker(me, self, _opener(settings, me), surroundings)
        self._worker.after_turn = self._notice

    @property
    def wanted(self) -> Mapping[str, Wanted]:
        """All sources that are shared, by name."""
        return self._wanted

    @property
    def most(self) -> int | None:
        """How many sources can be listened to here; None while that is not known.

        The setting limits it, and the CPU time that the sources of now take.
        """
        limits = (self._affordable, self._settings.max_sources)
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def status(self) -> FleetStatus:
        """What is told of the fleet."""
        worker = self._worker
        return FleetStatus(
            fleet=self._settings.fleet,
            node=self._shared.node,
            since=worker.present_since,
            max_sources=self.most,
            sources=tuple(SharedSource(source=name, since=since) for name, since in worker.sources.items()),
            others=tuple(worker.others),
            free=tuple(worker.free),
            trouble=worker.trouble,
        )

    def of_ours(self, wanted: Mapping[str, Wanted]) -> dict[str, Wanted]:
        """Return those sources that are listened to here now."""
        return {name: wanted[name] for name in self._sources.wanted if name in wanted}

    def take_up(self, wanted: Mapping[str, Wanted], hearings: Mapping[HeardSettings, Hearing]) -> None:
        """Share other sources from now on. Those that are listened to here are changed by who calls this."""
        self._wanted, self._hearings = dict(wanted), dict(hearings)

    def begin(self, name: str) -> None:
        """Begin to listen to a source."""
        wanted = self._wanted[name]
        self._sources.begin(wanted, self._hearings[wanted.heard])
        self._sources.look_after_catalogues()

    def end(self, name: str, reason: str) -> None:
        """End a source in order; nothing happens if it is not listened to."""
        if name in self._sources.wanted:
            self._sources.end(name, reason)

    def is_over(self, name: str) -> bool:
        """Say whether a source has ended to the last event."""
        return self._sources.is_over(name)

    def retained(self, base: str) -> list[Message]:
        """Return what is to stand on a broker, given the base of the topics there."""
        return [fleet_status(base, self._shared.node, self.status.model_dump_json(by_alias=True))]

    async def run(self) -> None:
        """Share until the service has to stop and every lease is released."""
        telling = asyncio.create_task(self._tell_for_ever(), name="tell of the fleet")
        try:
            await self._worker.run(self._shared.stop)
        finally:
            await cancelled(telling)
        await self.changed()

    def _measure(self) -> None:
        """Reckon how many sources the CPU allows, by the real-time factors of those that are heard."""
        now = self._shared.world.monotonic()
        heard = [supervisor.health() for supervisor in self._sources.supervisors]
        if any(one.live and one.queue_s > BEHIND_S for one in heard):
            self._behind_at, self._affordable = now, max(1, len(heard) - 1)
            return
        factors = [
            one.real_time_factor
            for one in heard
            if one.real_time_factor is not None and one.audio_s >= MEASURED_S
        ]
        if not any(factors) or now - self._behind_at < CALM_S:
            return
        mean = sum(factors) / len(factors)
        found = max(1, math.floor(BUSY * cores() / mean))
        if self._affordable is None or abs(found - self._affordable) > STEADY * self._affordable:
            self._affordable = found

    def _notice(self) -> None:
        """Look at what each turn of the worker has changed."""
        now = self._shared.world.monotonic()
        if now - self._measured_at >= self._me.beat_s:
            self._measured_at = now
            self._measure()
        if (status := self.status) != self._told:
            self._told = status
            self._news.set()

    async def _tell_for_ever(self) -> None:
        """Tell what has changed, once a beat at most."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.changed()
            await self._shared.world.sleep(self._me.beat_s)


def check_shared(wanted: Iterable[Wanted]) -> None:
    """Refuse sources that are another thing on every machine.

    Raises
    ------
    UsageError
        If there is one.
    """
    for one in wanted:
        if one.source.uri.startswith(OF_ONE_MACHINE):
            raise UsageError(
                f"The source {one.source.name!r} belongs to one machine and cannot be shared: leave out "
                f"{one.source.uri.partition(':')[0]}: sources, or listen to them without --share."
            )


def _opener(settings: ListenSettings, me: Me) -> "Callable[[], AbstractAsyncContextManager[Bucket]]":
    servers = servers_of(settings.share)
    try:
        from stream_match.fleet.jetstream import JetStream
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Sharing needs {error.name}, which is not installed: {install_command('nats')}."
        ) from error
    return JetStream(settings.share, servers, node=me.node, patience_s=PATIENCE_BEATS * me.beat_s).open


async def _nobody() -> None:
    """Tell nobody."""
