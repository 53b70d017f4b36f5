"""One opening of a source: the queue that it fills, and the tasks that watch it meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.queue import BlockQueue
from stream_match.publish.tasks import first_of
from stream_match.service.intake import cancelled, closing, fill, rouse
from stream_match.service.source_context import SourceContext
from stream_match.service.watchdog import watch

PIECE_SAMPLES = SAMPLE_RATE_HZ
"""Longest stretch that an engine takes at once: a second, so that events and a stop come promptly."""


class Opening:
    """A source that is open; to be used with ``async with``.

    Parameters
    ----------
    context : SourceContext

    Attributes
    ----------
    lost_for_s : float [seconds]
        At the end: how long ago it was lost. What was heard since had waited in the queue.
    """

    def __init__(self, context: SourceContext) -> None:
        self.lost_for_s = 0.0
        self._context = context
        self._queue = BlockQueue(clock=context.shared.world.monotonic)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Open the source."""
        context = self._context
        context.reckoning.open()
        context.gauges.liveness.sign()
        context.gauges.queue = self._queue
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        self.lost_for_s = self._queue.closed_s
        self._context.audio.finish()
        self._context.gauges.queue = None
        await cancelled(*self._tasks)

    @property
    def silent_s(self) -> float:
        """How long ago the source last delivered anything [seconds]."""
        return self._queue.silent_s

    async def pieces(self) -> AsyncGenerator[Block, None]:
        """Yield what comes in pieces of a second at most, until all has to stop.

        Raises
        ------
        Exception
            That with which the source was lost, once what waited has been heard.
        """
        context = self._context
        async for block in self._queue:
            rest_s = block.y.size / SAMPLE_RATE_HZ
            for piece in pieces(block):
                if context.is_stopping or context.is_to_be_closed():
                    return
                rest_s -= piece.y.size / SAMPLE_RATE_HZ
                context.reckoning.take(piece, rest_s + self._queue.buffered_s)
                yield piece

    def _start(self) -> None:
        context, queue = self._context, self._queue
        filling = fill(queue, context.source, context.shared.pace, context.shared.world)
        intake = self._task("capture", filling)
        watching = watch(queue, context.source, intake, self._stalled, context.shared.world)
        self._task("watch", closing(queue, watching))
        self._task("stop", closing(queue, self._end_capture(intake)))
        self._task("rouse", closing(queue, self._rouse_for_news(context.hearing.newest)))
        self._task("pause", closing(queue, self._rouse_for_pauses()))

    def _task(self, what: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=f"{what} {self._context.source.name}")
        self._tasks.append(task)
        return task

    async def _stalled(self, reason: str) -> None:
        if self._context.teller.state == "running":
            await self._context.teller.become("stalled", reason=reason)

    async def _end_capture(self, intake: "asyncio.Task[None]") -> None:
        await self._context.stop.wait()
        self._queue.close()  # the reader need not wait until the source has closed
        intake.cancel()

    async def _rouse_for_news(self, known: object) -> None:
        """Give the reader its turn whenever there is another catalogue or engine, though all is silent."""
        context = self._context
        while True:
            await first_of(context.hearing.other_than(known), context.hearing_changed.wait())
            context.hearing_changed.clear()
            known = context.hearing.newest
            rouse(self._queue)

    async def _rouse_for_pauses(self) -> None:
        """Give the reader its turn when the source is paused or resumed: a silent one notices it, too."""
        pause = self._context.pause
        while True:
            await pause.until(on=not pause.on)
            rouse(self._queue)


def pieces(block: Block) -> Iterator[Block]:
    """Cut a block into pieces of a second at most; what precedes it goes with the first.

    Parameters
    ----------
    block : Block
        Any; may be empty.

    Yields
    ------
    Block
        One at least.
    """
    if block.y.size <= PIECE_SAMPLES:
        yield block
        return
    yield replace(block, y=block.y[:PIECE_SAMPLES])
    for start in range(PIECE_SAMPLES, block.y.size, PIECE_SAMPLES):
        yield Block(block.y[start : start + PIECE_SAMPLES])
