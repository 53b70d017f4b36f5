"""What all sinks with an outbox have in common: take at once, deliver in the background, flush at the end."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from stream_match.events import Event
from stream_match.publish.backoff import Backoff
from stream_match.publish.base import Delivery
from stream_match.publish.delay import Delay
from stream_match.publish.outbox import CAPACITY, Outbox, Waiting
from stream_match.publish.policy import FIRST_WAIT_S, LONGEST_WAIT_S, AwayError, Failures, cause
from stream_match.publish.sparse import SparseLog

FLUSH_S = 5.0  # how long leaving may take: systemd and containers kill after 10 s at the earliest
_HURRY_S = 0.2  # between attempts while leaving, so that a far side that returns is still met

log = logging.getLogger(__name__)


class OutboxSink(ABC):
    """A sink whose events wait in an outbox for a task that delivers them.

    The outbox holds `CAPACITY` events; when it is full, sounds go first, then updates, states, changes of
    clusters, then beginnings, never an end; the loss is counted in `dropped` and told at most once in five
    minutes. What happens to an event that cannot be delivered is the policy of `policy`: `set_aside` counts
    those given up. Leaving delivers for at most `flush_s`, then tells how many events were lost.

    Parameters
    ----------
    uri : str
        The URI without secrets.
    backoff : Backoff, optional
        Waiting times while the far side is away.
    capacity : int
        How many events may wait.
    flush_s : float [seconds]
        How long leaving may take.
    """

    def __init__(
        self, uri: str, *, backoff: Backoff | None = None, capacity: int = CAPACITY, flush_s: float = FLUSH_S
    ) -> None:
        self._uri = uri
        self._flush_s = flush_s
        self._backoff = backoff or Backoff()
        self._outbox: Waiting = Outbox(capacity)
        self._failures = Failures()
        self._between_attempts = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._set_aside = 0
        self._delivered = 0
        self._connected = False
        self._broken: str | None = None  # what the last attempt to reach the far side said
        self._delay = Delay()
        self._leaving = asyncio.Event()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complaints = SparseLog(log)

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        return self._uri

    @property
    def far_side(self) -> str | None:
        """What a later process delivers to as well, named; None if it does not outlive this one."""
        return None

    def wait_in(self, outbox: Waiting) -> None:
        """Let events wait elsewhere than in memory; to be said before the sink is opened."""
        self._outbox = outbox

    @property
    def dropped(self) -> int:
        """How many events were given up because the outbox was full."""
        return self._outbox.dropped

    @property
    def set_aside(self) -> int:
        """How many events were given up because they failed again and again for a reason of their own."""
        return self._set_aside

    @property
    def waiting(self) -> int:
        """How many events have been taken and not yet delivered."""
        return len(self._outbox)

    def delivery(self) -> Delivery:
        """Return how the delivery goes."""
        return Delivery(
            connected=self._connected,
            away=None if self._connected else self._why_away(),
            waiting=self.waiting,
            delivered=self._delivered,
            dropped=self.dropped,
            set_aside=self.set_aside,
            delay_s=self._delay.seconds,
        )

    @property
    def undelivered(self) -> int:
        """How many events are lost for the far side if the process ends now."""
        return self._outbox.perishable + self._set_aside

    async def __aenter__(self) -> Self:
        """Open the sink and begin to deliver."""
        await self._open()
        self._task = asyncio.create_task(self._run(), name=f"deliver to {self._uri}")
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
        self._delay.taken(event.event_id)
        dropped = self._outbox.put(event)
        if dropped is not None:
            self._delay.given_up(dropped.event_id)
            self._on_given_up(dropped)
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
    async def _deliver(self) -> None:
        """Reach the far side and deliver with `_drain`; return when it does. Called again if it raises."""

    @abstractmethod
    async def _send(self, event: Event) -> None:
        """Deliver one event; raise AwayError if the far side is away, anything else if the event fails."""

    async def _close(self) -> None:  # noqa: B027  (not every sink holds something)
        """Release what `_open` opened."""

    def _why_away(self) -> str | None:
        """Say why the far side takes no events, if that is known."""
        return self._broken

    def _on_given_up(self, event: Event) -> None:  # noqa: B027  (not every sink minds)
        """Learn that `event` will not be delivered."""

    async def _after_attempt(self) -> None:  # noqa: B027  (not every sink has more to say)
        """Say what else is to be said, after every attempt to send an event."""

    async def _when_idle(self) -> None:  # noqa: B027  (not every sink has more to say)
        """Say what else is to be said while no event waits."""

    def _owes(self) -> bool:
        """Say whether the far side is still to be told something before leaving."""
        return self.waiting > 0

    async def _run(self) -> None:
        while True:
            try:
                await self._deliver()
            except Exception as error:  # noqa: BLE001 - whatever it is, delivery must go on
                self._connected = False
                self._tell_broken(error)
            else:
                return
            if self._leaving.is_set() and not self._owes():
                return
            await self._pause(self._backoff.next_s())

    async def _drain(self) -> None:
        """Send one event after another, until the sink is being left and nothing waits any more."""
        self._connected = True
        while (event := await self._next()) is not None:
            try:
                await self._send(event)
            except AwayError:
                raise
            except Exception as error:  # noqa: BLE001 - one event must not hold up the others
                await self._failed(event, error)
            else:
                self._outbox.pop()
                self._delivered += 1
                self._delay.arrived(event.event_id)
                self._failures.passed(event.event_id)
                self._between_attempts.reset()
                self._backoff.reset()
            await self._after_attempt()

    async def _failed(self, event: Event, error: Exception) -> None:
        log.debug("An event failed", exc_info=error)
        if self._failures.enough(event.event_id, error):
            self._give_up_head(event, error)
        else:
            await self._pause(self._between_attempts.next_s())

    def _give_up_head(self, event: Event, error: Exception) -> None:
        self._outbox.pop()
        self._set_aside += 1
        self._delay.given_up(event.event_id)
        self._failures.passed(event.event_id)
        self._between_attempts.reset()
        self._on_given_up(event)
        kind, said = cause(error)
        self._complaints.tell(
            f"aside {kind}",
            f"An event of type {event.type} for {self._uri} was set aside. {said} "
            f"Set aside so far: {self._set_aside}; the others go on.",
        )

    async def _next(self) -> Event | None:
        """Wait for the head of the outbox; None when leaving and nothing waits any more."""
        while True:
            self._wake.clear()  # first: what comes while the outbox is filled is looked at, too
            await self._outbox.fill()
            event = self._outbox.head()
            if event is not None or self._leaving.is_set():
                return event
            await self._when_idle()
            await self._wake.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait before another attempt; leaving cuts it short."""
        if self._leaving.is_set():
            await asyncio.sleep(min(seconds, _HURRY_S))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()

    def _tell_broken(self, error: Exception) -> None:
        kind, said = cause(error)
        if not isinstance(error, AwayError):
            said = f"Delivery to {self._uri} broke. {said}"
            log.debug("Delivery to %s broke", self._uri, exc_info=error)
        self._broken = said
        self._complaints.tell(kind, f"{said} Events waiting: {self.waiting}; it is tried again.")

    def _report(self) -> None:
        lost = self.undelivered + self.dropped
        if kept := self.waiting - self._outbox.perishable:
            log.info("%d events for %s wait in the store for the next start.", kept, self._uri)
        if lost:
            log.warning("%d events could not be delivered to %s (%s).", lost, self._uri, self._losses())

    def _losses(self) -> str:
        """Say of what kind the events are that are lost."""
        sounds = self._outbox.sounds
        others = self._outbox.perishable - sounds
        told = [
            (sounds, "single sounds, which are not kept for the next start"),
            (others, "others that still waited"),
            (self.dropped, "dropped because too many waited"),
            (self._set_aside, "set aside after failing again and again"),
        ]
        return "; ".join(f"{what}: {count}" for count, what in told if count)
