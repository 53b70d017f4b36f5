"""What is told of a source's state: every change, and now and then that it just runs."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from stream_match.capture.base import Block
from stream_match.events import Event, Facts, GenreFacts, MatchEvent, SoundsLikeFacts, State
from stream_match.publish.sparse import SparseLog
from stream_match.service import states
from stream_match.service.hints import Cause, Hints
from stream_match.service.level import Level
from stream_match.service.reckoning import Reckoning
from stream_match.service.stamp import Stamper, utc

log = logging.getLogger(__name__)

UNKNOWN_EVERY_S = 60.0
"""Least time between two events of a type about unknown music. An engine keeps to it, but knows nothing of
the one before."""


class Teller:
    """Publishes the state of a source and what was heard in it.

    Events go out in the order in which they were made, whoever made them.

    Parameters
    ----------
    stamper : Stamper
        Makes the events.
    reckoning : Reckoning
        Has the times and losses.
    hints : Hints
        Says why nothing may be detected.
    publish : coroutine function (Event)
        Takes the events.
    monotonic : callable () -> float
        Seconds that never go back.
    degraded : callable () -> str or None, optional
        Says why nothing new is recognised; None if that is not so.

    Attributes
    ----------
    state : str or None
        The last state; None before the first.
    reason : str or None
        What was told with it.
    attempt : int
        What was told with it.
    since : float
        Monotonic time at which it was reached.
    last_match : MatchEvent or None
        The last word about a match.
    onsets_suppressed : int
        Onsets that were not told.
    """

    def __init__(
        self,
        stamper: Stamper,
        reckoning: Reckoning,
        hints: Hints,
        publish: Callable[[Event], Awaitable[None]],
        monotonic: Callable[[], float],
        degraded: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.state: State | None = None
        self.reason: str | None = None
        self.attempt = 0
        self.since = monotonic()
        self.last_match: MatchEvent | None = None
        self._monotonic = monotonic
        self.onsets_suppressed = 0
        self._stamper = stamper
        self._reckoning = reckoning
        self._hints = hints
        self._hinted: Cause | None = None  # what the last status says
        self._degraded = degraded
        self._told_degraded = False  # whether the last status says so
        self._complaints = SparseLog(log, clock=monotonic)
        self._publish_on = publish
        self._in_order = asyncio.Lock()
        self._level = Level()
        self._metadata: dict[str, str] = {}
        self._told_s = 0.0  # stream time of the last status
        self._news = False
        self._unknown_s: dict[type[Facts], float] = {}  # stream times of what was last told of unknown music

    def hear(self, piece: Block) -> None:
        """Take note of a piece's level, and of what the stream says of itself."""
        self._level.hear(piece.y)
        self._hints.hear(piece.y)
        if piece.metadata:
            before, self._metadata = self._metadata, states.kept_metadata(self._metadata, piece.metadata)
            self._news |= self._metadata != before

    def forget(self) -> None:
        """Forget what was last heard: the next opening says it anew."""
        self._level, self._metadata = Level(), {}
        self._hints.forget()

    async def become(self, state: State, *, reason: str | None = None, attempt: int = 0) -> None:
        """Tell a change of state."""
        if self.state is not None and state not in states.TRANSITIONS[self.state]:
            # A fault of ours, but what is true now is worth more to a reader than our table.
            log.error(
                "%s: from %s it became %s, which is not foreseen", self._stamper.source, self.state, state
            )
        if state != self.state:
            self.since = self._monotonic()
        self.state, self.reason, self.attempt = state, reason, attempt
        await self._tell_state()

    async def go_on(self) -> None:
        """Tell that the source just runs, if there is news of it or it was not told for long."""
        due = self._reckoning.stream_s - self._told_s >= states.STATUS_EVERY_S
        news = self._news or self._hints.cause != self._hinted
        news |= self._told_degraded != (self._degraded() is not None)
        if self.state == "running" and (due or news):
            await self._tell_state()

    async def tell(self, facts: list[Facts], *, reason: str | None = None) -> None:
        """Tell what was heard; `reason` says why matches ended, if that was not heard."""
        self._hints.note(facts)
        for fact in facts:
            if self._is_too_soon(fact):
                continue
            event = self._stamper.event(fact, self._reckoning.moment(fact.stream_s), reason=reason)
            if isinstance(event, MatchEvent):
                self.last_match = event
            await self._publish(event)

    def _is_too_soon(self, fact: Facts) -> bool:
        """Say whether the like was told less than a minute ago, by the engine of an earlier opening."""
        if not isinstance(fact, SoundsLikeFacts | GenreFacts):
            return False
        last_s = self._unknown_s.get(type(fact), -math.inf)
        if fact.stream_s - last_s < UNKNOWN_EVERY_S - 0.5:  # both are rounded
            return True
        self._unknown_s[type(fact)] = fact.stream_s
        return False

    @property
    def level_dbfs(self) -> float | None:
        """The level; what was true when there was audio is not told as if it were true now."""
        return self._level.dbfs if self.state == "running" else None

    @property
    def hint(self) -> str | None:
        """Why nothing may be detected; None where the state says why."""
        return self._hints.text if self.state == "running" else None

    async def _tell_state(self) -> None:
        self._note_hint()
        self._told_s, self._news = self._reckoning.stream_s, False
        last_audio = self._reckoning.last_audio
        degraded = self._degraded() if self.state == "running" else None
        self._told_degraded = degraded is not None
        event = self._stamper.status(
            self._reckoning.now,
            stream_s=self._reckoning.stream_s,
            state=self.state,
            reason=self.reason,
            attempt=self.attempt,
            last_audio_at=None if last_audio is None else utc(last_audio),
            dropped_s=self._reckoning.dropped_s,
            outage_s=self._reckoning.outage_s,
            level_dbfs=self.level_dbfs,
            hint=self.hint,
            degraded=degraded,
            stream_metadata=self._metadata if self.state in states.OPEN else {},
            onsets_suppressed=self.onsets_suppressed,
        )
        await self._publish(event)

    def _note_hint(self) -> None:
        """Log a hint when it appears, and when it is withdrawn."""
        before, self._hinted = self._hinted, self._hints.cause
        if self.state != "running" or self._hinted == before:
            return
        if self._hinted is not None:
            self._complaints.tell(self._hinted, f"{self._stamper.source}: {self._hints.text}")
        else:
            log.info("%s: the hint is withdrawn (%s)", self._stamper.source, before)

    async def _publish(self, event: Event) -> None:
        async with self._in_order:
            await self._publish_on(event)
