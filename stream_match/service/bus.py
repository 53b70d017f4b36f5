"""Where events come together, and who hears of them: sinks, and whoever subscribes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from stream_match.events import Event
from stream_match.publish.base import Sink
from stream_match.publish.outbox import Outbox, Waiting
from stream_match.publish.sparse import SparseLog
from stream_match.service.journal import Journal
from stream_match.service.reasons import reason_of

log = logging.getLogger(__name__)

CAPACITY = 1000
"""Events that wait for a subscriber who is slow; when there are more, the least worth are dropped first."""


class Bus:
    """Hands every event to every sink and subscriber, in order; a broken one keeps it from no other.

    Parameters
    ----------
    sinks : sequence of Sink
        Have queues of their own; `publish` returns at once.
    journal : Journal, optional
        Writes events down before they are handed out.
    """

    def __init__(self, sinks: Sequence[Sink], journal: Journal | None = None) -> None:
        self._sinks = sinks
        self._journal = journal
        self._subscribers: list[_Subscriber] = []
        self._complaints = SparseLog(log)
        if journal is not None:
            journal.hand_out = self._hand_out

    async def publish(self, event: Event) -> None:
        """Take an event."""
        if self._journal is None:
            await self._hand_out(event)
        else:
            await self._journal.append(event)

    @asynccontextmanager
    async def subscribed(
        self, *, after: str | None = None, capacity: int = CAPACITY
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Give the events from now on, at the reader's pace.

        Parameters
        ----------
        after : str, optional
            Id of an event. With a store, those that came after it are told first; of sounds, and without a
            store, only what is new is told.
        capacity : int, >= 2
            How many events may wait in memory. With a store, these are sounds alone: the others wait there.

        Yields
        ------
        async iterator of Event
            It never ends by itself.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        journal = self._journal
        waiting = Outbox(capacity) if journal is None else await journal.reader(after, capacity)
        subscriber = _Subscriber(waiting)
        self._subscribers.append(subscriber)
        try:
            yield subscriber.events()
        finally:
            self._subscribers.remove(subscriber)

    async def _hand_out(self, event: Event) -> None:
        for subscriber in self._subscribers:
            subscriber.put(event)
        for sink in self._sinks:
            try:
                await sink.publish(event)
            except Exception as error:  # noqa: BLE001 - a fault of one sink is not one of the others
                self._complaints.tell(sink.uri, f"{sink.uri} refuses an event ({reason_of(error)})")


class _Subscriber:
    """A queue, and who waits for it."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        self._waiting.put(event)
        self._news.set()

    async def events(self) -> AsyncIterator[Event]:
        while True:
            self._news.clear()  # first: what comes while the queue is filled is looked at, too
            await self._waiting.fill()
            event = self._waiting.head()
            if event is None:
                await self._news.wait()
            else:
                self._waiting.pop()
                yield event
