"""Which sources are listened to now: begun, changed and ended while the others go on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from stream_match.capture.base import Source
from stream_match.config import HeardSettings, ListenSettings, SourceSettings
from stream_match.errors import UsageError
from stream_match.service.catalogue import CurrentCatalogue
from stream_match.service.hearing import Hearing
from stream_match.service.intake import cancelled
from stream_match.service.shared import Shared
from stream_match.service.source_context import SourceContext
from stream_match.service.supervisor import Supervisor
from stream_match.service.world import World

RESERVED = frozenset({"request", "response"})
"""Names that sources cannot have: below them in the topics stand requests and their answers."""

ENDING = "The listener is about to end, and takes no changes any more."


@dataclass(frozen=True)
class Wanted:
    """A source as the settings want it, opened by nobody yet.

    Parameters
    ----------
    source : Source
    settings : SourceSettings
    heard : HeardSettings
        What it is listened to for.
    """

    source: Source
    settings: SourceSettings
    heard: HeardSettings


@dataclass
class Listened:
    """A source that is listened to, or was until it ended by itself."""

    wanted: Wanted
    hearing: Hearing
    supervisor: Supervisor


def wanted_sources(settings: ListenSettings, world: World) -> dict[str, Wanted]:
    """Make the sources that settings want, by name.

    Raises
    ------
    UsageError
        If there are none, one cannot be understood, two have the same name or one a reserved one, or there
        is nothing to listen for in one.
    """
    if not settings.sources:
        raise UsageError("There is nothing to listen to: give a source, such as --source mic: or a file.")
    wanted: dict[str, Wanted] = {}
    for one in settings.sources:
        source = world.open_source(one)
        if source.name in wanted:
            raise UsageError(
                f"Two sources are named {source.name!r}, and their events could not be told apart: "
                "name them, as in kitchen=mic:"
            )
        if source.name in RESERVED:
            raise UsageError(
                f"A source cannot be named {source.name!r}: its topics would be those of requests. "
                "Give it another name, as in kitchen=mic:"
            )
        wanted[source.name] = Wanted(source, one, settings.heard(one))
        if not wanted[source.name].heard.listens:
            raise UsageError(
                f"There is nothing to listen for in {source.name!r}: sounds are switched off, and matching "
                "needs an index (--index DIR; stream-match index build makes it)."
            )
    return wanted


class Sources:
    """The sources of a service, each with a task of its own.

    Parameters
    ----------
    shared : Shared
        What they have in common.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._listened: dict[str, Listened] = {}
        self._last: dict[str, asyncio.Task[None]] = {}  # by name, of those that still end, too
        self._group: asyncio.TaskGroup | None = None
        self._looking: dict[CurrentCatalogue[Any], asyncio.Task[None]] = {}

    @property
    def wanted(self) -> dict[str, Wanted]:
        """What is listened to, by name, as it was wanted."""
        return {name: one.wanted for name, one in self._listened.items()}

    @property
    def supervisors(self) -> list[Supervisor]:
        """Who listens to the sources of now."""
        return [one.supervisor for one in self._listened.values()]

    @property
    def failed(self) -> set[str]:
        """Names of the sources that were given up."""
        return {name for name, one in self._listened.items() if one.supervisor.state == "failed"}

    @property
    def catalogues(self) -> list[CurrentCatalogue[Any]]:
        """The catalogues of all sources, each once."""
        found = (one.hearing.catalogue for one in self._listened.values())
        return list(dict.fromkeys(catalogue for catalogue in found if catalogue is not None))

    @property
    def listened(self) -> list[Listened]:
        """What is listened to, in order."""
        return list(self._listened.values())

    async def run(self, beside: Coroutine[Any, Any, None] | None = None) -> None:
        """Listen until all sources have ended, those that have begun already first.

        Parameters
        ----------
        beside : coroutine, optional
            Begins and ends sources; the service goes on until it returns.
        """
        stopping = asyncio.create_task(self._stop_with_all(), name="stop sources")
        try:
            async with asyncio.TaskGroup() as self._group:
                for name in self._listened:
                    self._start(name)
                self.look_after_catalogues()
                if beside is not None:
                    self._group.create_task(beside, name="choose sources")
        finally:
            self._group = None
            await cancelled(stopping, *self._looking.values())

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Keep the service from ending because no source is left, while others are about to begin.

        Raises
        ------
        UsageError
            If it has ended.
        """
        if self._group is None or self._shared.stop.is_set():
            raise UsageError(ENDING)
        over = asyncio.Event()
        self._group.create_task(_until(over), name="wait for changes")
        try:
            yield
        finally:
            over.set()

    def begin(self, wanted: Wanted, hearing: Hearing) -> None:
        """Begin to listen to a source, once the one of that name has ended and `run` has begun."""
        name = wanted.source.name
        if name in self._listened:
            self.end(name)
        audio = self._shared.kept.begin(name, allowed=wanted.settings.clips)
        context = SourceContext(wanted.source, wanted.settings.title, hearing, self._shared, audio)
        self._listened[name] = Listened(wanted, hearing, Supervisor(context))
        if self._group is not None:
            self._start(name)

    def _start(self, name: str) -> None:
        assert self._group is not None
        supervisor = self._listened[name].supervisor
        running = _after(self._last.get(name), supervisor)
        self._last[name] = self._group.create_task(running, name=f"listen to {name}")
        if self._shared.stop.is_set():
            supervisor.stop()

    def change(self, wanted: Wanted, hearing: Hearing) -> None:
        """Listen to a source with other engines; it stays open."""
        one = self._listened[wanted.source.name]
        one.wanted = Wanted(one.wanted.source, wanted.settings, wanted.heard)
        one.hearing = hearing
        one.supervisor.hear_with(hearing)

    def end(self, name: str, reason: str | None = None) -> None:
        """End a source in order; a reason is told with its last words."""
        self._listened.pop(name).supervisor.stop(reason)
        self._shared.kept.forget(name)

    def is_over(self, name: str) -> bool:
        """Say whether nobody of ours listens to a source any more, to its last event."""
        last = self._last.get(name)
        return last is None or last.done()

    def look_after_catalogues(self) -> None:
        """Look for newer generations of the catalogues that are listened with, and of no others."""
        wanted = self.catalogues
        for gone in self._looking.keys() - set(wanted):
            self._looking.pop(gone).cancel()
        for catalogue in wanted:
            if catalogue not in self._looking:
                self._looking[catalogue] = asyncio.create_task(
                    catalogue.run(self._shared.world), name="look for catalogues"
                )

    async def _stop_with_all(self) -> None:
        await self._shared.stop.wait()
        for one in self._listened.values():
            one.supervisor.stop()


async def _until(over: asyncio.Event) -> None:
    await over.wait()


async def _after(before: "asyncio.Task[None] | None", supervisor: Supervisor) -> None:
    """Run a supervisor once the one of before, of the same name, has ended."""
    if before is not None:
        await asyncio.wait({before})
    await supervisor.run()
