"""What is told of a source's state: every change, and now and then that it just runs."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from stream_match.capture.base import Block
from stream_match.events import Event, Facts, GenreFacts, SoundsLikeFacts, State
from stream_match.service import states
from stream_match.service.lane import Level
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
    publish : coroutine function (Event)
        Takes the events.

    Attributes
    ----------
    state : str or None
        The last state; None before the first.
    onsets_suppressed : int
        Onsets that were not told.
    """

    def __init__(
        self, stamper: Stamper, reckoning: Reckoning, publish: Callable[[Event], Awaitable[None]]
    ) -> None:
        self.state: State | None = None
        self.onsets_suppressed = 0
        self._stamper = stamper
        self._reckoning = reckoning
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
        if piece.metadata:
            before, self._metadata = self._metadata, states.kept_metadata(self._metadata, piece.metadata)
            self._news |= self._metadata != before

    def forget(self) -> None:
        """Forget what was last heard: the next opening says it anew."""
        self._level, self._metadata = Level(), {}

    async def become(self, state: State, *, reason: str | None = None, attempt: int = 0) -> None:
        """Tell a change of state."""
        if self.state is not None and state not in states.TRANSITIONS[self.state]:
            # A fault of ours, but what is true now is worth more to a reader than our table.
            log.error(
                "%s: from %s it became %s, which is not foreseen", self._stamper.source, self.state, state
            )
        self.state = state
        await self._tell_state(reason, attempt)

    async def go_on(self) -> None:
        """Tell that the source just runs, if there is news of it or it was not told for long."""
        due = self._reckoning.stream_s - self._told_s >= states.STATUS_EVERY_S
        if self.state == "running" and (due or self._news):
            await self._tell_state(None, 0)

    async def tell(self, facts: list[Facts], *, reason: str | None = None) -> None:
        """Tell what was heard; `reason` says why matches ended, if that was not heard."""
        for fact in facts:
            if self._is_too_soon(fact):
                continue
            time = self._reckoning.moment(fact.stream_s)
            await self._publish(self._stamper.event(fact, time, reason=reason))

    def _is_too_soon(self, fact: Facts) -> bool:
        """Say whether the like was told less than a minute ago, by the engine of an earlier opening."""
        if not isinstance(fact, SoundsLikeFacts | GenreFacts):
            return False
        last_s = self._unknown_s.get(type(fact), -math.inf)
        if fact.stream_s - last_s < UNKNOWN_EVERY_S - 0.5:  # both are rounded
            return True
        self._unknown_s[type(fact)] = fact.stream_s
        return False

    async def _tell_state(self, reason: str | None, attempt: int) -> None:
        self._told_s, self._news = self._reckoning.stream_s, False
        last_audio = self._reckoning.last_audio
        event = self._stamper.status(
            self._reckoning.now,
            stream_s=self._reckoning.stream_s,
            state=self.state,
            reason=reason,
            attempt=attempt,
            last_audio_at=None if last_audio is None else utc(last_audio),
            dropped_s=self._reckoning.dropped_s,
            outage_s=self._reckoning.outage_s,
            # What was true when there was audio is not told as if it were true now.
            level_dbfs=self._level.dbfs if self.state == "running" else None,
            stream_metadata=self._metadata if self.state in states.OPEN else {},
            onsets_suppressed=self.onsets_suppressed,
        )
        await self._publish(event)

    async def _publish(self, event: Event) -> None:
        async with self._in_order:
            await self._publish_on(event)
