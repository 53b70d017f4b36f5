"""Settings that change while sources are heard: read anew, compared, and carried out where they differ."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from stream_match.config import ListenSettings
from stream_match.config.heard_settings import HeardSettings
from stream_match.errors import StreamMatchError, UsageError
from stream_match.service.beside import beside
from stream_match.service.hearing import Hear, Hearing
from stream_match.service.intake import cancelled
from stream_match.service.notify import Notifier
from stream_match.service.reasons import reason_of
from stream_match.service.shared import Shared
from stream_match.service.sharing import Sharing, check_shared
from stream_match.service.sources import ENDING, Sources, Wanted, wanted_sources
from stream_match.service.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_PATIENCE_S = 10.0
"""How long the answer waits for a look at the indexes; a disk that hangs is told by the log later."""

PER_SOURCE = frozenset(("sources", "index", "match", "onsets", "sounds_like", "genre_model"))
"""Settings that are carried out at once, for they concern single sources. All others need a restart."""


@dataclass(frozen=True)
class Plan:
    """What is to be done: names of sources, in order.

    Parameters
    ----------
    added, removed : list of str
    reopened
        Ended and begun anew: what is heard has changed, or it had failed.
    changed
        Heard with another engine; they stay open.
    unchanged
    """

    added: list[str]
    removed: list[str]
    reopened: list[str]
    changed: list[str]
    unchanged: list[str]

    def __str__(self) -> str:
        told = [
            f"{what}: {', '.join(names)}"
            for what, names in vars(self).items()
            if names and what != "unchanged"
        ]
        return "; ".join([*told, f"unchanged: {len(self.unchanged)}"])


def planned(before: Mapping[str, Wanted], after: Mapping[str, Wanted], failed: set[str]) -> Plan:
    """Compare what is listened to with what is wanted.

    Parameters
    ----------
    before, after : mapping of str to Wanted
        By name.
    failed : set of str
        Sources that were given up: they are tried again.
    """
    both = [name for name in after if name in before]
    reopened = [
        name
        for name in both
        if name in failed or not before[name].settings.is_opened_as(after[name].settings)
    ]
    changed = [name for name in both if name not in reopened and before[name].heard != after[name].heard]
    return Plan(
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        reopened=reopened,
        changed=changed,
        unchanged=[name for name in both if name not in reopened and name not in changed],
    )


class Reload:
    """Reads the settings again, and looks at the indexes.

    Parameters
    ----------
    settings : ListenSettings
        With which the service was started.
    read : callable () -> ListenSettings, or None
        Reads them anew, off the event loop; None if they cannot change.
    hear : Hear
        Makes what sources are heard with.
    sources : Sources
        What is listened to.
    shared : Shared
        What they have in common.
    notifier : Notifier, optional
        Tells a service manager.
    sharing : Sharing, optional
        Which of the sources are listened to here, if others share them.

    Attributes
    ----------
    changed : coroutine function ()
        Called when other sources are listened to, or something else in them.
    """

    def __init__(
        self,
        settings: ListenSettings,
        read: Callable[[], ListenSettings] | None,
        hear: Hear,
        sources: Sources,
        shared: Shared,
        notifier: Notifier | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self._notifier = notifier or Notifier()
        self._settings = settings
        self._read = read
        self._hear = hear
        self._sources = sources
        self._shared = shared
        self._world = beside(shared.world, "the settings and indexes that are loaded", UsageError)
        self._sharing = sharing
        self.changed: Callable[[], Awaitable[object]] = _nobody
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self) -> dict[str, Any]:
        """Reload.

        Returns
        -------
        dict
            For JSON. Names of sources under ``added``, ``removed``, ``reopened`` (ended and begun anew),
            ``changed`` (heard with another engine) and ``unchanged``; under ``needs_restart`` the settings
            that differ from those at the start and are not carried out; under ``indexes`` the number of
            ``tracks`` of each, and why what is on disk was ``refused``, or None.

        Raises
        ------
        UsageError
            If the settings cannot be read or understood, or an index cannot be loaded; then nothing has
            changed. Also if the service is about to end.
        """
        async with self._one_at_a_time, self._sources.going_on():
            with self._notifier.reloading():
                answer: dict[str, Any] = {} if self._read is None else await self._take_up(self._read)
                return answer | {"indexes": await self._look()}

    async def on_request(self, asked: asyncio.Event) -> None:
        """Reload whenever it is asked for, until cancelled; the log tells what came of it."""
        while True:
            await asked.wait()
            asked.clear()
            try:
                await self()
            except StreamMatchError as error:
                log.warning("the settings are not reloaded, and nothing has changed: %s", error)
            except Exception as error:  # a fault of ours must not end the sources
                log.debug("reloading broke", exc_info=True)
                log.error("reloading broke (%s)", reason_of(error))  # noqa: TRY400 - traces are for --debug

    async def _take_up(self, read: Callable[[], ListenSettings]) -> dict[str, Any]:
        settings, after = await self._aside(lambda: _wanted(read, self._shared.world))
        if self._sharing is not None:
            check_shared(after.values())
        hearings: dict[HeardSettings, Hearing] = {}
        # A source may fail while an index is loaded for others: until all is made, the plan is made again.
        while missing := self._to_be_made(after) - hearings.keys():
            for heard in missing:
                hearings[heard] = await self._aside(partial(self._hear, heard))
        plan = self._plan(after)  # nothing waits from here on
        self._carry_out(plan, after, hearings)
        await self.changed()
        restart = self._needing_restart(settings)
        log.info("the settings are reloaded: %s", plan)
        if restart:
            log.warning("these settings have changed and need a restart: %s", ", ".join(restart))
        return vars(plan) | {"needs_restart": restart}

    def _plan(self, after: Mapping[str, Wanted]) -> Plan:
        ours = after if self._sharing is None else self._sharing.of_ours(after)
        return planned(self._sources.wanted, ours, self._sources.failed)

    def _to_be_made(self, after: Mapping[str, Wanted]) -> set[HeardSettings]:
        """Return what hearings have to be made for; what is shared may be listened to here at any time."""
        plan = self._plan(after)
        names = [*plan.added, *plan.reopened, *plan.changed] if self._sharing is None else after
        return {after[name].heard for name in names}

    def _carry_out(
        self, plan: Plan, after: Mapping[str, Wanted], hearings: Mapping[HeardSettings, Hearing]
    ) -> None:
        """Do what is planned; nothing of it waits, so that all of it happens or nothing."""
        for name in plan.removed:
            self._sources.end(name)
        for name in (*plan.added, *plan.reopened):
            if name in self._shared.report.failed:
                self._shared.report.failed.remove(name)
            self._sources.begin(after[name], hearings[after[name].heard])
        for name in plan.changed:
            self._sources.change(after[name], hearings[after[name].heard])
        self._sources.look_after_catalogues()
        if self._sharing is not None:
            self._sharing.take_up(after, hearings)

    def _needing_restart(self, settings: ListenSettings) -> list[str]:
        keys = [key for key in ListenSettings.model_fields if key not in PER_SOURCE]
        return [key for key in keys if getattr(settings, key) != getattr(self._settings, key)]

    async def _look(self) -> dict[str, Any]:
        catalogues = self._sources.catalogues
        stopping = asyncio.ensure_future(self._shared.stop.wait())
        looking = asyncio.ensure_future(_all(catalogue.look() for catalogue in catalogues))
        await asyncio.wait({looking, stopping}, timeout=LOOK_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        await cancelled(looking, stopping)
        return {
            catalogue.name: {"tracks": catalogue.tracks, "refused": catalogue.refused}
            for catalogue in catalogues
        }

    async def _aside(self, work: Callable[[], T]) -> T:
        """Do what may wait for a disk, but not beyond the end of the service."""
        working = asyncio.ensure_future(self._world.aside(work))
        stopping = asyncio.ensure_future(self._shared.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(working, stopping)
        if working.cancelled():
            raise UsageError(ENDING)
        error = working.exception()
        if error is None or isinstance(error, UsageError):
            return working.result()
        raise UsageError(reason_of(error)) from error


@asynccontextmanager
async def reloading(reload: Reload, asked: asyncio.Event | None) -> AsyncIterator[None]:
    """Reload whenever it is asked for, for as long as this is entered."""
    task = asyncio.create_task(reload.on_request(asked or asyncio.Event()), name="reload when asked")
    try:
        yield
    finally:
        await cancelled(task)


async def _nobody() -> None:
    """Tell nobody."""


async def _all(futures: "Iterable[asyncio.Future[None]]") -> None:
    await asyncio.gather(*futures)


def _wanted(read: Callable[[], ListenSettings], world: World) -> tuple[ListenSettings, dict[str, Wanted]]:
    settings = read()
    return settings, wanted_sources(settings, world)
