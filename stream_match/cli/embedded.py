"""What the embedded broker hears, on standard output: nothing else on this computer knows its port."""

import asyncio
import contextlib
from collections import deque
from contextlib import aclosing
from types import TracebackType
from typing import Self

from stream_match import publish
from stream_match.cli.terminal import say
from stream_match.events import Event
from stream_match.publish.base import Sink
from stream_match.publish.console import Screen
from stream_match.publish.embedded import EmbeddedSink
from stream_match.publish.serving import Offer
from stream_match.publish.subscribe import subscribe

HEAR_S = 3.0
"""How long the end waits until the subscriber has heard the last event."""

MAX_HELD = 1000
"""Events that wait for the subscriber to be there; it takes milliseconds."""


def open_sink(uri: str, *, node: str) -> Sink:
    """Make a sink; an embedded broker comes with a subscriber that prints what it hears.

    Parameters
    ----------
    uri : str
        As `publish.open_sink` takes it.
    node : str
        Name of this listener.
    """
    sink = publish.open_sink(uri, node=node)
    return OverheardSink(sink) if isinstance(sink, EmbeddedSink) else sink


class OverheardSink:
    """An embedded broker and a real MQTT subscriber on it, who prints what arrives.

    A broker keeps no matches for those who come late. So the first event, a status, which it does keep, goes
    first; the others follow when the subscriber has heard it.

    Parameters
    ----------
    sink : EmbeddedSink
        The broker, and the sink that publishes to it.
    """

    def __init__(self, sink: EmbeddedSink) -> None:
        self._sink = sink
        self._held: deque[Event] = deque(maxlen=MAX_HELD)
        self._first: str | None = None
        self._last: str | None = None
        self._listening = False
        self._heard_last = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        return self._sink.uri

    def serve(self, offer: Offer) -> None:
        """Answer requests, and tell what the offer says; to be said before the sink is opened."""
        self._sink.serve(offer)

    def tell_again(self) -> None:
        """Take note that what the offer says has changed."""
        self._sink.tell_again()

    async def __aenter__(self) -> Self:
        """Start the broker and the subscriber."""
        await self._sink.__aenter__()
        self._task = asyncio.create_task(self._overhear(), name="subscriber of the embedded broker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until the last event was heard, then stop both."""
        if self._last is not None and self._task is not None and not self._task.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard_last.wait(), HEAR_S)
        await self._release()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._sink.__aexit__(kind, error, trace)

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once."""
        self._last = event.event_id
        self._heard_last.clear()
        if self._first is None:
            self._first = event.event_id
            await self._sink.publish(event)
        elif self._listening:
            await self._sink.publish(event)
        else:
            self._held.append(event)

    async def _overhear(self) -> None:
        screen = Screen()
        async with aclosing(subscribe(self._sink.broker_uri, patient=True)) as events:
            async for event in events:
                self._listening = True
                await self._release()
                if (line := screen.line(event)) is not None:
                    _print(line)
                if event.event_id == self._last:
                    self._heard_last.set()

    async def _release(self) -> None:
        while self._held:
            await self._sink.publish(self._held.popleft())


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the reader went away; the broker has others
        say(line)
