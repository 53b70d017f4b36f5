"""The service as a whole: its sinks, its sources, its end."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from stream_match.capture.base import Source
from stream_match.capture.uri import slug
from stream_match.config import ListenSettings
from stream_match.errors import UsageError
from stream_match.events import Event
from stream_match.publish.base import Sink
from stream_match.publish.sparse import SparseLog
from stream_match.service.catalogue import CurrentCatalogue
from stream_match.service.claim import claimed
from stream_match.service.intake import cancelled
from stream_match.service.report import Report
from stream_match.service.shared import Shared
from stream_match.service.stamp import event_ids
from stream_match.service.supervisor import Supervisor
from stream_match.service.world import EnginePort, World

log = logging.getLogger(__name__)

FLUSH_S = 8.0
"""How long all sinks together may take to deliver what waits; each gives up by itself after 5 s. systemd and
containers kill after 10 s at the earliest."""


async def listen(
    settings: ListenSettings,
    make_engine: Callable[[], EnginePort],
    *,
    catalogue: CurrentCatalogue[Any] | None = None,
    stop: asyncio.Event | None = None,
    world: World | None = None,
) -> Report:
    """Listen to all sources until they have ended.

    Parameters
    ----------
    settings : ListenSettings
        Sources, sinks, pace, node.
    make_engine : callable () -> Engine
        Makes an engine without history, one for every opening of a source.
    catalogue : CurrentCatalogue, optional
        What `make_engine` takes the newest one from. It is looked after from here on, and every engine takes
        up what is newer; without, engines keep what they were made with.
    stop : asyncio.Event, optional
        Set it to end: every match gets its end, and the sinks deliver what waits. Cancelling does the
        same and then raises CancelledError.
    world : World, optional
        Clocks and such; replaced by tests.

    Returns
    -------
    Report
        What it has cost and brought, which sources failed, and how many events could not be delivered.

    Raises
    ------
    UsageError
        If the sources or sinks cannot be understood, or the state folder cannot be made or is in use.
    SinkError
        If a sink can never work.
    """
    world = world or World()
    stop = stop or asyncio.Event()
    node = settings.node or default_node()
    sources = _sources(settings, world)
    report = Report()
    # What is wrong with the state folder is told before anything is opened.
    with claimed(settings.state, [source.name for source, _ in sources]):
        async with _opened([world.open_sink(uri, node=node) for uri in settings.sinks], report) as sinks:
            shared = Shared(
                node=node,
                pace=settings.pace,
                make_engine=make_engine,
                publish=_Fan(sinks).publish,
                ids=event_ids(world),
                stop=stop,
                world=world,
                reconnect_max_s=settings.reconnect_max_seconds,
                report=report,
                state=settings.state,
                catalogue=catalogue,
            )
            await _to_the_end(_run(sources, shared), stop)
    return report


async def _run(sources: Iterable[tuple[Source, str | None]], shared: Shared) -> None:
    looking = _looked_after(shared)
    try:
        async with asyncio.TaskGroup() as group:
            for source, title in sources:
                group.create_task(Supervisor(source, title, shared).run(), name=f"listen to {source.name}")
    finally:
        await cancelled(*looking)


def _looked_after(shared: Shared) -> list["asyncio.Task[None]"]:
    """Begin to look for newer catalogues, if there is one that may change."""
    if shared.catalogue is None:
        return []
    return [asyncio.create_task(shared.catalogue.run(shared.world), name="look for catalogues")]


async def _to_the_end(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Await work that is not to be cancelled but asked to stop, lest matches stay open."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await task
        raise


def _sources(settings: ListenSettings, world: World) -> list[tuple[Source, str | None]]:
    if not settings.sources:
        raise UsageError("There is nothing to listen to: give a source, such as --source mic: or a file.")
    sources = [(world.open_source(wanted), wanted.title) for wanted in settings.sources]
    names = [source.name for source, _ in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"Two sources are named {twice!r}, and their events could not be told apart: "
            "name them, as in kitchen=mic:"
        )
    return sources


def default_node() -> str:
    """Return the host's name as it fits into a topic."""
    host = slug(re.sub(r"\..*", "", socket.gethostname()))
    return host[:64] or "listener"


@asynccontextmanager
async def _opened(sinks: Sequence[Sink], report: Report) -> AsyncIterator[Sequence[Sink]]:
    """Open all sinks; let all of them deliver at the same time in the end, and count what is left."""
    entered: list[Sink] = []
    try:
        for sink in sinks:
            await sink.__aenter__()
            entered.append(sink)
        yield entered
    finally:
        await _close(entered)
        # Only sinks that keep events for a far side that is away have any waiting or set aside.
        report.undelivered += sum(
            getattr(sink, "waiting", 0) + getattr(sink, "set_aside", 0) for sink in entered
        )


async def _close(sinks: Sequence[Sink]) -> None:
    leaving = {asyncio.ensure_future(sink.__aexit__(None, None, None)): sink for sink in sinks}
    if not leaving:
        return
    done, late = await asyncio.wait(leaving, timeout=FLUSH_S)
    for task in late:
        log.error("%s did not end within %.0f s and is left", leaving[task].uri, FLUSH_S)
        task.cancel()
    for task in done:
        if (error := task.exception()) is not None:
            log.error("%s could not be closed: %s", leaving[task].uri, error)


class _Fan:
    """Hands every event to every sink; a broken one does not keep it from the others."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._complaints = SparseLog(log)

    async def publish(self, event: Event) -> None:
        for sink in self._sinks:
            try:
                await sink.publish(event)
            except Exception as error:  # noqa: BLE001 - a fault of one sink is not one of the others
                self._complaints.tell(
                    sink.uri, f"{sink.uri} refuses an event ({type(error).__name__}: {error})"
                )
