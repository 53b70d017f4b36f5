"""The page that shows what the service does; it costs nothing where none is asked for."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stream_match.config import ListenSettings
from stream_match.errors import UsageError, install_command
from stream_match.service.beside import beside
from stream_match.service.bus import Bus
from stream_match.service.control import Control
from stream_match.service.health import Health
from stream_match.service.shared import Shared

if TYPE_CHECKING:
    from stream_match.web.server import PageServer


@asynccontextmanager
async def page_shown(
    settings: ListenSettings,
    shared: Shared,
    bus: Bus,
    control: Control,
    health: Callable[[], Health],
) -> AsyncIterator["PageServer | None"]:
    """Show the page for as long as this is entered, if the settings ask for it.

    Parameters
    ----------
    settings : ListenSettings
    shared : Shared
        What the sources have in common.
    bus : Bus
        Has the events.
    control : Control
        Does what is asked for.
    health : callable () -> Health
        Returns how everything is.

    Raises
    ------
    UsageError
        If starlette or uvicorn is not installed, or a token is missing.
    """
    if settings.web.listen is None:
        yield None
        return
    try:
        from stream_match.web.application import shown
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The page needs {error.name}, which is not installed: {install_command('web')}."
        ) from error
    from stream_match.service.metrics import exposition
    from stream_match.web.port import Listener
    from stream_match.web.probes import probe_routes

    listener = Listener(
        node=shared.node,
        now=shared.world.now,
        events=bus.subscribed,
        chroma=shared.chroma.watched,
        aside=beside(shared.world, "the history").aside,
        aside_files=beside(shared.world, "the clips and the report").aside,
        state=settings.state,
        control=control,
        clips=shared.kept.folder,
        report=settings.web.report,
        held_s=shared.kept.buffer_s,
    )
    probes = probe_routes(
        lambda: health().model_dump(mode="json", by_alias=True), lambda: exposition(health())
    )
    async with shown(settings.web, listener, probes) as server:
        yield server
