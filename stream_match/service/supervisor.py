"""One source under supervision: opened, heard, watched, lost, opened again, ended."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace

from stream_match.capture.base import SAMPLE_RATE_HZ, Block, Source
from stream_match.capture.queue import BlockQueue
from stream_match.errors import SourceError, StreamMatchError, UsageError
from stream_match.events import Facts, State
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of
from stream_match.service import states
from stream_match.service.gauges import Gauges
from stream_match.service.health import SourceHealth
from stream_match.service.hearing import Hearing
from stream_match.service.hints import Expected, Hints
from stream_match.service.intake import cancelled, closing, fill, is_recording, rouse, unless
from stream_match.service.lane import EngineError, Lane
from stream_match.service.memory import PREFIX_LETTERS, SoundMemory
from stream_match.service.pause import PAUSED, Pause
from stream_match.service.reasons import reason_of
from stream_match.service.recent import RecentEnds
from stream_match.service.reckoning import Reckoning
from stream_match.service.retry import Retry
from stream_match.service.shared import Shared
from stream_match.service.stamp import Stamper
from stream_match.service.status import Teller
from stream_match.service.steering import Steering
from stream_match.service.watchdog import watch
from stream_match.store.pauses import PauseShelf
from stream_match.store.sounds import SoundShelf

log = logging.getLogger(__name__)

PIECE_SAMPLES = SAMPLE_RATE_HZ
"""Longest stretch that an engine takes at once: a second, so that events and a stop come promptly."""


class Supervisor:
    """Listens to one source for as long as there is something to hear.

    Parameters
    ----------
    source : Source
        What to listen to.
    source_name : str or None
        What a person calls it.
    hearing : Hearing
        What it is heard with, to begin with.
    shared : Shared
        What it has in common with the others.

    Attributes
    ----------
    steering : Steering
        For who wants to pause it, or ask it something.
    """

    def __init__(self, source: Source, source_name: str | None, hearing: Hearing, shared: Shared) -> None:
        self._source = source
        self._hearing = hearing
        self._another = asyncio.Event()  # it is to be heard with something else
        self._stop = asyncio.Event()
        self._shared = shared
        self._world = shared.world
        self._account = shared.report.account(source.name)
        self._reckoning = Reckoning(source, shared.pace, shared.world, self._account)
        stamper = Stamper(shared.node, source.name, source_name, shared.ids, shared.names.hear)
        hints = self._hints = Hints(self._expected(), source.uri)
        self._teller = Teller(stamper, self._reckoning, hints, shared.publish, shared.world.monotonic)
        self._gauges = Gauges(source, source_name, self._account, self._reckoning, self._teller, shared.world)
        always_max_s = getattr(source, "reconnect_max_s", math.inf)  # a device may be asked often
        self._retry = Retry(source.name, shared.reconnect_max_s, shared.world, always_max_s=always_max_s)
        self._memory = SoundMemory(None, shared.ids()[:PREFIX_LETTERS])
        self._recent = RecentEnds()
        self._kept_s = 0.0  # stream time at which it was last written down
        self._begun_s = 0.0  # stream time at which the engine of now began
        self._breaks = 0  # engines that broke in a row
        self._lost_for_s = 0.0  # how long ago the last opening was lost
        self._suppressed = 0  # onsets of earlier engines that were not told
        self._complaints = SparseLog(log, clock=self._world.monotonic)
        pauses = None if shared.store is None else PauseShelf(shared.store)
        self._pause = Pause(source.name, pauses, shared.world)
        self.steering = Steering(
            source.name, self._pause, lambda: self._teller.state, hearing.settings.max_false_alarms_per_hour
        )

    @property
    def state(self) -> State | None:
        """The last state that was told; None before the first."""
        return self._teller.state

    @property
    def _is_stopping(self) -> bool:
        return self._stop.is_set() or self._shared.stop.is_set()

    def stop(self) -> None:
        """End in order: every match gets its end."""
        self._stop.set()

    def hear_with(self, hearing: Hearing) -> None:
        """Go on with other engines. The source stays open; the matches of the engine of now end."""
        self._hearing = hearing
        self._hints.expected = self._expected()
        self.steering.made_with(hearing.settings.max_false_alarms_per_hour)
        self._another.set()

    async def run(self) -> None:
        """Listen until the source ends, fails for good, or has to stop; never raises."""
        try:
            await self._supervise()
        except Exception as error:  # a fault of ours must not end the other sources
            log.debug("%s broke", self._source.name, exc_info=True)
            with suppress(Exception):  # it was told to the log
                await self._fail(f"its supervision broke ({reason_of(error)})")

    def _expected(self) -> Expected:
        """Return what is looked for now, for hints."""
        hearing, hints = self._hearing, self._shared.hints
        return Expected(
            tracks=lambda: None if hearing.catalogue is None else hearing.catalogue.tracks,
            sounds=hearing.settings.onsets.enabled,
            after_s=hints.after_hours * 3600,
            silence_s=hints.silence_minutes * 60,
        )

    def health(self) -> SourceHealth:
        """Return how the source is now."""
        return self._gauges.read()

    async def _supervise(self) -> None:
        await self._pause.recall()
        await self._teller.become("starting")
        await self._world.store(self._remember)
        while not self._is_stopping:
            if self._is_to_be_closed():
                await self._stay_paused()
                continue
            loss = await self._hear_once()
            if self._is_to_be_closed():
                continue
            if loss is None:
                break
            reason = self._reason(loss)
            if not self._comes_back(loss):
                await self._fail(reason)
                return
            self._teller.forget()
            await self._wait_for_return(reason, self._lost_for_s)
        await self._end("stopped")

    def _is_to_be_closed(self) -> bool:
        """Whether a pause closes the source: what is not live would begin anew, and is let pass instead."""
        unknown = "://" in self._source.uri and not self._reckoning.stream_s
        return self._pause.on and (self._reckoning.live or unknown)

    async def _stay_paused(self) -> None:
        """Wait, with the source closed, until it is to be listened to again."""
        self._teller.forget()
        await self._teller.become("paused", reason=PAUSED)
        await first_of(self._stop.wait(), self._pause.until(on=False))
        self._reckoning.excuse()
        if not self._is_stopping:
            await self._teller.become("starting")

    def _remember(self) -> None:
        """Read what was learnt of the sounds of this source before, if that is kept."""
        if self._shared.store is not None:
            shelf = SoundShelf(self._shared.store, self._source.name)
            self._memory = SoundMemory(shelf, self._memory.prefix)

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

    async def _hear_once(self) -> Exception | None:
        """Open the source and listen until it is lost; return why, None if it ended or all has to stop."""
        self._reckoning.open()
        self._gauges.liveness.sign()
        queue = self._gauges.queue = BlockQueue(clock=self._world.monotonic)
        tasks = self._start(queue)
        try:
            await self._listen(queue)
        except Exception as error:  # one bad source must never be the end of the others
            log.debug("%s broke", self._source.name, exc_info=True)
            return error
        finally:
            self._lost_for_s = queue.closed_s
            self._gauges.queue = None
            await cancelled(*tasks)
        return self._ended()

    def _ended(self) -> Exception | None:
        """Return why an opening has ended; None if that is how it should be."""
        if self._reckoning.live and not self._is_stopping:
            return SourceError(f"{self._source.uri} has ended", retry=True)
        return None

    def _start(self, queue: BlockQueue) -> list["asyncio.Task[None]"]:
        name = self._source.name
        intake = asyncio.create_task(
            fill(queue, self._source, self._shared.pace, self._world), name=f"capture {name}"
        )
        watching = watch(queue, self._source, intake, self._stalled, self._world)
        rousing = self._rouse_for_news(queue, self._hearing.newest)
        pausing = self._rouse_for_pauses(queue)
        return [
            intake,
            asyncio.create_task(closing(queue, watching), name=f"watch {name}"),
            asyncio.create_task(closing(queue, self._end_capture(intake, queue)), name=f"stop {name}"),
            asyncio.create_task(closing(queue, rousing), name=f"rouse {name}"),
            asyncio.create_task(closing(queue, pausing), name=f"pause {name}"),
        ]

    async def _listen(self, queue: BlockQueue) -> None:
        """Hear what comes through a queue, with another engine when one breaks."""
        # The pieces are the same for all engines: the next one goes on where the last one broke.
        async with aclosing(self._pieces(queue)) as heard:
            while True:
                try:
                    if await self._hear_with_one_engine(heard, queue):
                        return
                except EngineError as error:
                    await self._replace_engine(error)

    async def _replace_engine(self, error: EngineError) -> None:
        """Wait before the next engine; raise the error of a recording with which all of them break."""
        self._breaks += 1
        if self._breaks >= states.GIVE_UP_AFTER_BREAKS and self._is_over_alone():
            raise error
        if self._breaks == states.FORGET_AFTER_BREAKS:
            self._memory.begin_without(f"{self._breaks} matchers in a row broke with them")
        await self._wait_for_return(reason_of(error))

    def _is_over_alone(self) -> bool:
        """Whether it comes to an end by itself: no station, and no pipe, whose writer goes on."""
        return is_recording(self._source) and not self._reckoning.live

    async def _hear_with_one_engine(self, heard: AsyncIterator[Block], queue: BlockQueue) -> bool:
        """Hear with one engine; return whether all was heard, and not just all that this one is for."""
        self._begun_s = self._reckoning.stream_s
        hearing = self._hearing
        lane = await self._new_lane(hearing)
        whole = False
        try:
            # After each piece: one that was taken from the queue is heard by somebody.
            async for piece in heard:
                await self._feed(piece, lane, hearing, queue)
                if hearing is not self._hearing:
                    whole = True
                    return False
            whole = True
        finally:
            self.steering.lane = None
            await self._tell(await lane.finish(), reason=PAUSED if self._pause.on else None)
            await lane.keep(goes_on=not whole)
            self._suppressed += lane.onsets_suppressed
            self._teller.onsets_suppressed = self._suppressed
        return True

    async def _new_lane(self, hearing: Hearing) -> Lane:
        shared, catalogue = self._shared, hearing.newest
        try:
            engine = await self._world.offload(hearing.make_engine)
        except UsageError:
            raise
        except Exception as error:
            raise EngineError(f"the matcher could not be made ({reason_of(error)})") from error
        await self._world.store(lambda: self._memory.give(engine))
        self._recent.give(engine, self._begun_s)
        lane = Lane(
            engine,
            shared.ids(),
            self._begun_s,
            self._world.offload,
            self._world.store,
            self._account,
            self._memory,
            catalogue,
        )
        self._gauges.lane = lane
        await self.steering.take(lane)
        await lane.keep(goes_on=True)  # before the first identity is given
        return lane

    async def _pieces(self, queue: BlockQueue) -> AsyncGenerator[Block, None]:
        """Yield what comes through a queue in pieces of a second at most, until all has to stop."""
        async for block in queue:
            rest_s = block.y.size / SAMPLE_RATE_HZ
            for piece in pieces(block):
                if self._is_stopping or self._is_to_be_closed():
                    return
                rest_s -= piece.y.size / SAMPLE_RATE_HZ
                self._reckoning.take(piece, rest_s + queue.buffered_s)
                yield piece

    async def _feed(self, piece: Block, lane: Lane, hearing: Hearing, queue: BlockQueue) -> None:
        """Tell the state, ask the engine, tell what it heard; while paused, let it pass."""
        if self._pause.on:
            await self._let_pass(piece, lane)
            return
        piece = self._pause.after(piece)
        self._teller.hear(piece)
        self._shared.chroma.hear(self._source.name, piece, self._heard_until)
        if piece.y.size and self._is_back(queue):
            self._retry.back()
            await self._teller.become("running")
        length_s = piece.y.size / SAMPLE_RATE_HZ
        try:
            await self._take_up_news(lane, hearing.newest)
            facts = await lane.feed(piece)
        except EngineError:
            self._reckoning.lose(length_s)  # nobody has heard it to the end
            raise
        self._account.audio_s += length_s
        self._gauges.liveness.sign()
        await self._tell(facts)
        self._notice_flood(lane)
        await self._keep_now_and_then(lane)
        await self._teller.go_on()
        if self._reckoning.stream_s - self._begun_s >= states.STEADY_S:
            self._retry.steady()
            self._breaks = 0

    def _heard_until(self) -> float:
        return self._reckoning.moment(self._reckoning.stream_s)

    async def _let_pass(self, piece: Block, lane: Lane) -> None:
        """Hear nothing of what a file or a pipe goes on to say."""
        if self._teller.state != "paused":
            await self._tell(await lane.finish(), reason=PAUSED)
            self._teller.forget()
            await self._teller.become("paused", reason=PAUSED)
        self._pause.let_pass(piece)

    async def _rouse_for_pauses(self, queue: BlockQueue) -> None:
        """Give the reader its turn when the source is paused or resumed: a silent one notices it, too."""
        while True:
            await self._pause.until(on=not self._pause.on)
            rouse(queue)

    async def _tell(self, facts: list[Facts], *, reason: str | None = None) -> None:
        self._recent.note(facts)
        await self._teller.tell(facts, reason=reason)

    async def _take_up_news(self, lane: Lane, newest: object) -> None:
        """Let the engine go on with the newest catalogue, and tell which matches that has ended."""
        if newest is not lane.catalogue:
            await self._tell(await lane.take_up(newest))

    async def _rouse_for_news(self, queue: BlockQueue, known: object) -> None:
        """Give the reader its turn whenever there is another catalogue or engine, though all is silent."""
        while True:
            hearing = self._hearing
            await first_of(hearing.other_than(known), self._another.wait())
            self._another.clear()
            known = self._hearing.newest
            rouse(queue)

    def _is_back(self, queue: BlockQueue) -> bool:
        """Whether audio tells that the source runs again; what only waited in the queue does not."""
        state = self._teller.state
        return state != "running" and not (state == "stalled" and queue.silent_s >= states.STALL_S)

    async def _keep_now_and_then(self, lane: Lane) -> None:
        if self._reckoning.stream_s - self._kept_s >= states.KEEP_EVERY_S:
            self._kept_s = self._reckoning.stream_s
            await lane.keep(goes_on=True)

    def _notice_flood(self, lane: Lane) -> None:
        """Say that onsets are not told, once in a while; their number is in the status events."""
        suppressed = self._suppressed + lane.onsets_suppressed
        if suppressed > self._teller.onsets_suppressed:
            self._teller.onsets_suppressed = suppressed
            told = (
                f"{self._source.name}: more sounds than max_onsets_per_second; not told so far: {suppressed}"
            )
            self._complaints.tell("flood", told)

    async def _stalled(self, reason: str) -> None:
        if self._teller.state == "running":
            await self._teller.become("stalled", reason=reason)

    async def _end_capture(self, intake: "asyncio.Task[None]", queue: BlockQueue) -> None:
        await self._stop.wait()
        queue.close()  # the reader need not wait until the source has closed
        intake.cancel()

    async def _wait_for_return(self, reason: str, ago_s: float = 0.0) -> None:
        wait_s = self._retry.lost(reason, ago_s=ago_s)
        self._account.reconnects += 1
        self._gauges.liveness.sign(wait_s=wait_s)
        await self._teller.become("reconnecting", reason=reason, attempt=self._retry.attempt)
        await first_of(unless(self._stop, wait_s, self._world), self._pause.until(on=True))

    async def _fail(self, reason: str) -> None:
        log.error("%s: %s", self._source.name, reason)
        self._shared.report.failed.append(self._source.name)
        await self._end("failed", reason)

    async def _end(self, state: State, reason: str | None = None) -> None:
        if self._teller.state == "reconnecting":
            self._reckoning.end_away()
        await self._teller.become(state, reason=reason)


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
