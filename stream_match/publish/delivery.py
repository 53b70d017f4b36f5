"""What all sinks with an outbox have in common: take at once, deliver in the background, flush at the end."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from stream_match.events import Event
from stream_match.publish.outbox import CAPACITY, Outbox
from stream_match.publish.sparse import SparseLog

FLUSH_S = 5.0  # how long leaving may take: systemd and containers kill after 10 s at the earliest
_HURRY_S = 0.2  # between attempts while leaving, so that a far side that returns is still met

log = logging.getLogger(__name__)


class OutboxSink(ABC):
    """A sink whose events wait in an outbox for a task that delivers them.

    Policy: the outbox holds `CAPACITY` events; when it is full, sounds go first, then updates, states,
    changes of clusters, then beginnings, never an end; the loss is counted in `dropped` and told at most once
    in five minutes. Leaving delivers for at most `flush_s`, then tells how many events were left.

    Parameters
    ----------
    uri : str
        The URI without secrets.
    capacity : int
        How many events may wait.
    flush_s : float [seconds]
        How long leaving may take.
    """

    def __init__(self, uri: str, *, capacity: int = CAPACITY, flush_s: float = FLUSH_S) -> None:
        self._uri = uri
        self._flush_s = flush_s
        self._outbox = Outbox(capacity)
        self._leaving = asyncio.Event()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complaints = SparseLog(log)

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        return self._uri

    @property
    def dropped(self) -> int:
        """How many events were given up because the outbox was full."""
        return self._outbox.dropped

    @property
    def waiting(self) -> int:
        """How many events have been taken and not yet delivered; after leaving, those lost."""
        return len(self._outbox)

    async def __aenter__(self) -> Self:
        """Open the sink and begin to deliver."""
        await self._open()
        self._task = asyncio.create_task(self._run(), name=f"deliver to {self._uri}")
        self._task.add_done_callback(self._told_if_broken)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what waits, for at most `flush_s`, then close."""
        self._leaving.set()
        self._wake.set()
        assert self._task is not None
        try:
            await asyncio.wait({self._task}, timeout=self._flush_s)
        finally:
            self._task.cancel()
            await asyncio.wait({self._task})
            await self._close()
            self._report()

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once."""
        dropped = self._outbox.put(event)
        if dropped is not None:
            self._on_drop(dropped)
            self._complaints.tell(
                "full",
                f"The outbox for {self._uri} is full: {self.dropped} events were dropped so far; "
                "the ends of matches are kept.",
            )
        self._wake.set()

    @abstractmethod
    async def _open(self) -> None:
        """Open what must be there from the start; raise SinkError if it can never work."""

    @abstractmethod
    async def _run(self) -> None:
        """Deliver until `_next` returns None."""

    async def _close(self) -> None:  # noqa: B027  (not every sink holds something)
        """Release what `_open` opened."""

    def _on_drop(self, event: Event) -> None:  # noqa: B027  (not every sink minds)
        """Learn that `event` will not be delivered."""

    async def _next(self) -> Event | None:
        """Wait for the head of the outbox; None when leaving and nothing waits any more."""
        while (event := self._outbox.head()) is None and not self._leaving.is_set():
            self._wake.clear()
            await self._wake.wait()
        return event

    async def _pause(self, seconds: float) -> None:
        """Wait before another attempt; leaving cuts it short."""
        if self._leaving.is_set():
            await asyncio.sleep(min(seconds, _HURRY_S))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()

    def _told_if_broken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Delivery to %s broke off, events wait in vain.", self._uri, exc_info=error)

    def _report(self) -> None:
        if self.waiting or self.dropped:
            log.warning(
                "%d events could not be delivered to %s, of which %d because the outbox was full.",
                self.waiting + self.dropped,
                self._uri,
                self.dropped,
            )
