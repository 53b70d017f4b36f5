"""The life of one source: opened, heard, lost, opened again, paused, ended."""

import asyncio
import logging
from contextlib import suppress

from stream_match.errors import SourceError, StreamMatchError, UsageError
from stream_match.events import State
from stream_match.publish.tasks import first_of
from stream_match.service.engines import Engines
from stream_match.service.health import SourceHealth
from stream_match.service.hearing import Hearing
from stream_match.service.intake import cancelled
from stream_match.service.memory_keeper import RECALL_PATIENCE_S
from stream_match.service.opening import Opening
from stream_match.service.pause import PAUSED
from stream_match.service.reasons import reason_of
from stream_match.service.source_context import SourceContext

log = logging.getLogger(__name__)


class Supervisor:
    """Listens to one source for as long as there is something to hear.

    Parameters
    ----------
    context : SourceContext

    Attributes
    ----------
    steering : Steering
        For who wants to pause it, or ask it something.
    """

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._engines = Engines(context)
        self._source = context.source
        self._reckoning = context.reckoning
        self._teller = context.teller
        self._recalling: asyncio.Task[None] | None = None
        self._lost_for_s = 0.0  # how long ago the last opening was lost
        self.steering = context.steering

    @property
    def state(self) -> State | None:
        """The last state that was told; None before the first."""
        return self._teller.state

    def health(self) -> SourceHealth:
        """Return how the source is now."""
        return self._context.gauges.read()

    def stop(self, reason: str | None = None) -> None:
        """End in order: every match gets its end. A reason, if there is one, is told with them."""
        self._context.stop_reason = reason
        self._context.stop.set()

    def hear_with(self, hearing: Hearing) -> None:
        """Go on with other engines. The source stays open; the matches of the engine of now end."""
        self._context.hear_with(hearing)

    async def run(self) -> None:
        """Listen until the source ends, fails for good, or has to stop; never raises."""
        try:
            await self._supervise()
        except Exception as error:  # a fault of ours must not end the other sources
            log.debug("%s broke", self._source.name, exc_info=True)
            with suppress(Exception):  # it was told to the log
                await self._fail(f"its supervision broke ({reason_of(error)})")
        finally:
            if self._recalling is not None:
                await cancelled(self._recalling)
            await self._engines.close()

    async def _supervise(self) -> None:
        context = self._context
        await self._recall_pause()
        await self._teller.become("starting")
        await self._engines.recall()
        while not context.is_stopping:
            if context.is_to_be_closed():
                await self._stay_paused()
                continue
            loss = await self._hear_once()
            if context.is_to_be_closed():
                continue
            if loss is None:
                break
            reason = self._reason(loss)
            if not self._comes_back(loss):
                await self._fail(reason)
                return
            self._teller.forget()
            await context.wait_for_return(reason, self._lost_for_s)
        await self._end("stopped", context.stop_reason)

    async def _recall_pause(self) -> None:
        """Recall a pause; while the store does not tell it, listen, and ask again."""
        if (why := await self._pause_unknown()) is not None:
            log.warning(
                "whether %s was paused cannot be told yet: it is listened to until then (%s)",
                self._source.name, why,
            )  # fmt: skip
            self._recalling = asyncio.create_task(
                self._recall_pause_later(), name=f"recall the pause of {self._source.name}"
            )

    async def _recall_pause_later(self) -> None:
        while await self._pause_unknown() is not None:
            await self._context.shared.world.sleep(RECALL_PATIENCE_S)

    async def _pause_unknown(self) -> str | None:
        """Recall a pause; return why it cannot be told, None if it was."""
        try:
            async with asyncio.timeout(RECALL_PATIENCE_S):
                await self._context.pause.recall()
        except TimeoutError:
            return f"no answer of the store for {RECALL_PATIENCE_S:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is asked again
            return reason_of(error)
        return None

    async def _hear_once(self) -> Exception | None:
        """Open the source and listen until it is lost; return why, None if it ended or all has to stop."""
        opening = Opening(self._context)
        try:
            async with opening:
                await self._engines.hear(opening)
        except Exception as error:  # one bad source must never be the end of the others
            log.debug("%s broke", self._source.name, exc_info=True)
            return error
        finally:
            self._lost_for_s = opening.lost_for_s
        if self._reckoning.live and not self._context.is_stopping:
            return SourceError(f"{self._source.uri} has ended", retry=True)
        return None

    async def _stay_paused(self) -> None:
        """Wait, with the source closed, until it is to be listened to again."""
        context = self._context
        self._teller.forget()
        await self._teller.become("paused", reason=PAUSED)
        await first_of(context.stop.wait(), context.pause.until(on=False))
        self._reckoning.excuse()
        if not context.is_stopping:
            await self._teller.become("starting")

    def _comes_back(self, loss: Exception) -> bool:
        """Whether opening the source again may help."""
        can_never_work = isinstance(loss, UsageError) or (isinstance(loss, SourceError) and not loss.retry)
        if self._reckoning.live:
            # What has run once can run again, whatever a server has sent meanwhile.
            return self._reckoning.stream_s > 0 or not can_never_work
        # A recording that breaks off would begin anew: only what had not begun is worth another try.
        begun = self._reckoning.stream_s > self._reckoning.opened_s
        return isinstance(loss, SourceError) and loss.retry and not begun

    def _reason(self, loss: Exception) -> str:
        told = reason_of(loss)
        return told if isinstance(loss, StreamMatchError) else f"{self._source.uri} broke ({told})"

    async def _fail(self, reason: str) -> None:
        log.error("%s: %s", self._source.name, reason)
        self._context.shared.report.failed.append(self._source.name)
        await self._end("failed", reason)

    async def _end(self, state: State, reason: str | None = None) -> None:
        if self._teller.state == "reconnecting":
            self._reckoning.end_away()
        await self._teller.become(state, reason=reason)
