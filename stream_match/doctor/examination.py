"""All checks, one after the other."""

from collections.abc import AsyncIterator
from pathlib import Path

from stream_match.config import ListenSettings
from stream_match.doctor.broker import broker_checks
from stream_match.doctor.check import Check
from stream_match.doctor.computer import computer_checks
from stream_match.doctor.fleet import fleet_checks
from stream_match.doctor.page import page_check
from stream_match.doctor.sources import source_checks
from stream_match.doctor.storage import file_check, storage_checks
from stream_match.errors import StreamMatchError
from stream_match.publish import open_sink
from stream_match.publish.jsonl import JsonlSink
from stream_match.service.listen import default_node


async def examine(settings: ListenSettings) -> AsyncIterator[Check]:
    """Check everything that a listener with these settings needs.

    Parameters
    ----------
    settings : ListenSettings

    Yields
    ------
    Check
        As soon as it is made.
    """
    node = settings.node or default_node()
    async for check in computer_checks(settings):
        yield check
    async for check in storage_checks(settings):
        yield check
    for number, sink in enumerate(settings.sinks, 1):
        async for check in _understood(f"sink {number}", sink_checks(sink, node, settings.state)):
            yield check
    if settings.web.listen is not None:
        yield await page_check(settings, node)
    async for check in _understood("fleet", fleet_checks(settings, node)):
        yield check
    for number, source in enumerate(settings.sources, 1):
        async for check in _understood(f"source {number}", source_checks(source)):
            yield check


async def sink_checks(sink: str, node: str, state: Path | None) -> AsyncIterator[Check]:
    """Check a sink: talk to a broker, try whether a file can be written; others are only understood."""
    made = open_sink(sink, node=node)
    if isinstance(made, JsonlSink) and made.path is not None:
        yield await file_check(f"sink {made.uri}", made.path)
        return
    if not sink.lower().startswith(("mqtt:", "mqtts:")):
        yield Check(f"sink {made.uri}", ok=True, said="It is understood.")
        return
    async for check in broker_checks(sink, node, state):
        yield check


async def _understood(name: str, checks: AsyncIterator[Check]) -> AsyncIterator[Check]:
    """Yield checks; what cannot even be understood is one that failed."""
    try:
        async for check in checks:
            yield check
    except StreamMatchError as error:
        yield Check(name, ok=False, said=str(error), do="Correct it in the settings.")
