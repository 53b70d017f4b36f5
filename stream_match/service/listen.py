"""The service as a whole: what it opens, in which order, and how it ends.

The state folder comes first, then the audio that is kept, the store, the names and the sinks; then the page,
the service manager and reloads. Sources are listened to inside all of these. They are closed in the reverse
order, when every source has ended or a stop was asked for.
"""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from stream_match.capture.uri import slug
from stream_match.config import ListenSettings
from stream_match.publish.base import Sink
from stream_match.publish.delivery import OutboxSink
from stream_match.service.beside import beside_store
from stream_match.service.bus import Bus
from stream_match.service.claim import claimed
from stream_match.service.control import Powers
from stream_match.service.health import HealthReader
from stream_match.service.hearing import Hear
from stream_match.service.house import serve
from stream_match.service.journal import Journal
from stream_match.service.kept_audio import kept_audio
from stream_match.service.marking import with_marks
from stream_match.service.name_book import named
from stream_match.service.notify import Notifier, notifying
from stream_match.service.page import page_shown
from stream_match.service.reasons import reason_of
from stream_match.service.reload import Reload, reloading
from stream_match.service.report import Report
from stream_match.service.shared import Shared
from stream_match.service.sharing import Sharing
from stream_match.service.sources import Sources, wanted_sources
from stream_match.service.stamp import EventIds, event_ids
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.store.retention import Limits

log = logging.getLogger(__name__)

FLUSH_S = 8.0
"""How long all sinks together may take to deliver what waits; each gives up by itself after 5 s. systemd and
containers kill after 10 s at the earliest."""


async def listen(
    settings: ListenSettings,
    hear: Hear,
    *,
    read: Callable[[], ListenSettings] | None = None,
    reload_asked: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
    world: World | None = None,
    powers: Powers | None = None,
) -> Report:
    """Listen to all sources until they have ended.

    Parameters
    ----------
    settings : ListenSettings
        What is listened to, for what, and who is told.
    hear : Hear
        Makes what each source is heard with. Its catalogue is looked after from here on.
    read : callable () -> ListenSettings, optional
        Reads the settings anew for a reload; without, a reload only looks at the indexes.
    reload_asked : asyncio.Event, optional
        Set it to reload.
    stop : asyncio.Event, optional
        Set it to end: every match gets its end, and the sinks deliver what waits. Cancelling does the
        same and then raises CancelledError.
    world : World, optional
        Clocks and such; replaced by tests.
    powers : Powers, optional
        What can be asked for beyond what the sources themselves can do; a reload looks at the catalogue by
        default.

    Returns
    -------
    Report
        What it has cost and brought, which sources failed, and how many events could not be delivered.

    Raises
    ------
    UsageError
        If the sources or sinks cannot be understood, or the page needs a token or a package that is missing.
    SinkError
        If a sink can never work.
    StreamMatchError
        If the folder of the state or of clips cannot be made or is in use.
    """
    world = world or World()
    stop = stop or asyncio.Event()
    node = settings.node or default_node()
    wanted = wanted_sources(settings, world)
    first = [(one, hear(one.heard)) for one in wanted.values()]
    report = Report()
    # What is wrong with the state folder is told before anything is opened.
    with claimed(settings.state):
        sinks = [world.open_sink(uri, node=node) for uri in settings.sinks]
        ids = event_ids(world)
        journal = _journal(settings, ids, world)
        store = None if journal is None else journal.store
        powers = powers or Powers()
        async with (
            kept_audio(settings, store, world, stop) as kept,
            _written_down(journal, sinks),
            named(store, beside_store(world, store), powers.has_track) as names,
        ):
            bus = Bus(sinks, journal)
            shared = Shared(
                node=node,
                pace=settings.pace,
                publish=bus.publish,
                ids=ids,
                stop=stop,
                world=world,
                reconnect_max_s=settings.reconnect_max_seconds,
                report=report,
                store=store,
                heard=(lambda *_: None) if journal is None else partial(journal.heard, node),
                hints=settings.hints,
                kept=kept,
                names=names,
            )
            sources = Sources(shared)
            sharing = None
            if settings.share.servers:
                sharing = Sharing(
                    settings, wanted, {one.heard: with_ for one, with_ in first}, sources, shared
                )
                first.clear()
            while first:  # emptied: what nobody hears with later is forgotten
                sources.begin(*first.pop(0))
            notifier = Notifier.of_process()
            reload = Reload(settings, read, hear, sources, shared, notifier, sharing)
            health = HealthReader(
                node,
                world,
                lambda: sources.supervisors,
                sinks,
                journal=journal,
                catalogues=lambda: sources.catalogues,
                fleet=lambda: None if sharing is None else sharing.status,
            )
            powers = with_marks(replace(powers, health=health.answer), kept, sources, world)
            control = await serve(sinks, sources, reload, settings, shared, powers, sharing=sharing)
            async with (
                _opened(sinks, report),
                page_shown(settings, shared, bus, control, health.read),
                notifying(health.read, stop, world, notifier),
                reloading(reload, reload_asked),
            ):
                try:
                    await _to_the_end(sources.run(None if sharing is None else sharing.run()), stop)
                finally:
                    if journal is not None:
                        await journal.settled()
    return report


async def _to_the_end(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Await work that is not to be cancelled but asked to stop, lest matches stay open."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await task
        raise


def default_node() -> str:
    """Return the host's name as it fits into a topic."""
    host = slug(re.sub(r"\..*", "", socket.gethostname()))
    return host[:64] or "listener"


def _journal(settings: ListenSettings, ids: EventIds, world: World) -> Journal | None:
    if settings.state is None:
        return None
    kept = settings.store
    limits = Limits(days=kept.keep_days, bytes=round(kept.max_megabytes * 1_000_000))
    store = Store(settings.state / FILE, limits)
    return Journal(store, ids, beside_store(world, store))


@asynccontextmanager
async def _written_down(journal: Journal | None, sinks: Sequence[Sink]) -> AsyncIterator[None]:
    """Open the journal for as long as there are sinks; let events for lasting far sides wait in the store."""
    if journal is None:
        yield
        return
    lasting: dict[str, OutboxSink] = {}
    for sink in sinks:
        # Of two sinks with the same far side, the first one goes on where it was.
        if isinstance(sink, OutboxSink) and sink.far_side is not None:
            lasting.setdefault(sink.far_side, sink)
    for sink, outbox in zip(lasting.values(), await journal.open(list(lasting)), strict=True):
        sink.wait_in(outbox)
    try:
        yield
    finally:
        await journal.close()


@asynccontextmanager
async def _opened(sinks: Sequence[Sink], report: Report) -> AsyncIterator[None]:
    """Open all sinks; let all of them deliver at the same time in the end, and count what is left."""
    entered: list[Sink] = []
    try:
        for sink in sinks:
            await sink.__aenter__()
            entered.append(sink)
        yield
    finally:
        await _close(entered)
        # Only sinks that keep events for a far side that is away have any.
        report.undelivered += sum(getattr(sink, "undelivered", 0) for sink in entered)


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
            log.error("%s could not be closed: %s", leaving[task].uri, reason_of(error))
