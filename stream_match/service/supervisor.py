"""One source under supervision: opened, heard, watched, lost, opened again, ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from stream_match.capture.base import SAMPLE_RATE_HZ, Block, Source
from stream_match.capture.queue import BlockQueue
from stream_match.errors import SourceError, StreamMatchError
from stream_match.events import Event, Facts, State
from stream_match.publish.backoff import Backoff
from stream_match.publish.sparse import SparseLog
from stream_match.service import states
from stream_match.service.intake import cancelled, fill, is_recording, unless
from stream_match.service.lane import Lane, Level
from stream_match.service.memory import PREFIX_LETTERS, SoundMemory, memory_path
from stream_match.service.report import Report
from stream_match.service.stamp import EventIds, HeardClock, Stamper, utc
from stream_match.service.world import EnginePort, World

log = logging.getLogger(__name__)

PIECE_SAMPLES = SAMPLE_RATE_HZ
"""Longest stretch that an engine takes at once: a second, so that events and a stop come promptly."""


@dataclass(frozen=True)
class Shared:
    """What all sources of a service have in common.

    Attributes
    ----------
    node
        Name of this listener.
    pace
        Whether recordings come as they are heard.
    make_engine
        Makes an engine without history; called off the event loop, once per opening.
    publish
        Takes events.
    ids
        Makes ids of events and matches.
    stop
        Set when everything has to end.
    state
        Folder in which sources keep what they have learnt; None for nowhere.
    """

    node: str
    pace: Literal["real", "fast"]
    make_engine: Callable[[], EnginePort]
    publish: Callable[[Event], Awaitable[None]]
    ids: EventIds
    stop: asyncio.Event
    world: World
    report: Report = field(default_factory=Report)
    state: Path | None = None


class Supervisor:
    """Listens to one source for as long as there is something to hear.

    Parameters
    ----------
    source : Source
        What to listen to.
    source_name : str or None
        What a person calls it.
    shared : Shared
        What it has in common with the others.
    """

    def __init__(self, source: Source, source_name: str | None, shared: Shared) -> None:
        self._source = source
        self._shared = shared
        self._world = shared.world
        self._stamper = Stamper(shared.node, source.name, source_name, shared.ids)
        self._clock = HeardClock(self._world.now())
        self._backoff = Backoff(chance=self._world.chance)
        self._level = Level()
        self._metadata: dict[str, str] = {}
        self._state: State | None = None
        self._attempt = 0
        self._stream_s = 0.0
        self._opened_s = 0.0  # stream time at the last opening
        self._told_s = 0.0  # stream time of the last status
        self._dropped_s = 0.0
        self._last_audio: float | None = None  # time of day
        self._sign_of_life = 0.0  # monotonic
        self._fresh = True  # the next audio begins a new reckoning of time
        self._memory = SoundMemory(memory_path(shared.state, source.name), shared.ids()[:PREFIX_LETTERS])
        self._kept_s = 0.0  # stream time at which it was last written down
        self._suppressed = 0  # onsets of earlier openings that were not told
        self._suppressed_now = 0
        self._complaints = SparseLog(log, clock=self._world.monotonic)

    async def run(self) -> None:
        """Listen until the source ends, fails for good, or all has to stop; never raises."""
        try:
            await self._supervise()
        except Exception as error:  # a fault of ours must not end the other sources
            log.error("%s: its supervision broke (%s: %s)", self._source.name, type(error).__name__, error)  # noqa: TRY400 - the trace below
            log.debug("%s broke", self._source.name, exc_info=True)
            self._shared.report.failed.append(self._source.name)

    async def _supervise(self) -> None:
        await self._become("starting")
        while not self._shared.stop.is_set():
            loss = await self._hear_once()
            if loss is None:
                break
            if not loss.retry:
                log.error("%s: %s", self._source.name, loss)
                self._shared.report.failed.append(self._source.name)
                await self._become("failed", str(loss))
                return
            await self._wait_for_return(loss)
        await self._become("stopped")

    async def _hear_once(self) -> SourceError | None:
        """Open the source and listen until it is lost; return why, None if it ended or all has to stop."""
        self._opened_s = self._stream_s
        self._fresh = True
        self._sign_of_life = self._world.monotonic()
        queue = BlockQueue()
        lane: Lane | None = None
        ended = False
        tasks = self._start(queue)
        try:
            lane = await self._new_lane()
            await self._hear(queue, lane)
            ended = True
        except SourceError as error:
            # A recording that breaks off would begin anew: only what had not begun is worth another try.
            begun = self._stream_s > self._opened_s
            return SourceError(str(error), retry=error.retry and (self._source.live or not begun))
        except Exception as error:  # one bad source must never be the end of the others
            log.debug("%s broke", self._source.name, exc_info=True)
            if isinstance(error, StreamMatchError):
                return SourceError(str(error))
            return SourceError(f"{self._source.uri} broke ({type(error).__name__}: {error})")
        finally:
            await cancelled(*tasks)
            if lane is not None:
                await self._tell(await lane.finish())
                await lane.keep(goes_on=not ended)
                self._suppressed, self._suppressed_now = self._suppressed + self._suppressed_now, 0
        return None

    async def _new_lane(self) -> Lane:
        shared = self._shared
        engine = await self._world.offload(shared.make_engine)
        await self._world.offload(lambda: self._memory.give(engine))
        lane = Lane(engine, shared.ids(), self._opened_s, self._world.offload, shared.report, self._memory)
        await lane.keep(goes_on=True)  # before the first identity is given
        return lane

    def _start(self, queue: BlockQueue) -> list["asyncio.Task[None]"]:
        name = self._source.name
        intake = asyncio.create_task(
            fill(queue, self._source, self._shared.pace, self._world), name=f"capture {name}"
        )
        watch = asyncio.create_task(self._watch(intake, queue), name=f"watch {name}")
        ending = asyncio.create_task(self._end_capture(intake, queue), name=f"stop {name}")
        return [intake, watch, ending]

    async def _hear(self, queue: BlockQueue, lane: Lane) -> None:
        async for block in queue:
            rest_s = block.y.size / SAMPLE_RATE_HZ
            for piece in pieces(block):
                if self._shared.stop.is_set():
                    return
                rest_s -= piece.y.size / SAMPLE_RATE_HZ
                await self._take(piece, rest_s + queue.buffered_s, lane)

    async def _take(self, piece: Block, waiting_s: float, lane: Lane) -> None:
        """Hear a piece, behind which `waiting_s` wait: keep the time, tell the state, ask the engine."""
        length_s = piece.y.size / SAMPLE_RATE_HZ
        self._stream_s += piece.gap_s + length_s
        self._count_loss(piece.gap_s)
        # A gap of known length moves stream time on, and the reckoning of time stays true.
        self._keep_time(waiting_s, length_s, anew=piece.discontinuity and not piece.gap_s)
        news = self._news(piece)
        self._level.hear(piece.y)
        if length_s and self._state != "running":
            await self._become("running")
            news = False
        facts = await lane.feed(piece)
        self._shared.report.audio_s += length_s
        await self._tell(facts)
        self._notice_flood(lane)
        if self._stream_s - self._kept_s >= states.KEEP_EVERY_S:
            self._kept_s = self._stream_s
            await lane.keep(goes_on=True)
        if self._state == "running" and (news or self._stream_s - self._told_s >= states.STATUS_EVERY_S):
            await self._tell_state()
        self._sign_of_life = self._world.monotonic()
        if self._stream_s - self._opened_s >= states.STEADY_S:
            self._backoff.reset()

    def _keep_time(self, waiting_s: float, length_s: float, *, anew: bool) -> None:
        """Reckon when the end of what was just taken was heard."""
        if not self._read_fast:
            arrived = self._world.now() - waiting_s
            if self._fresh and self._source.live and self._last_audio is not None:
                self._count_loss(max(0.0, arrived - length_s - self._last_audio))
            if self._fresh or anew:
                self._clock.begin(arrived, self._stream_s)
            self._clock.hear(arrived, self._stream_s)
            self._shared.report.waited_s = max(self._shared.report.waited_s, waiting_s)
        self._fresh = False
        self._last_audio = self._clock.at(self._stream_s)

    def _count_loss(self, lost_s: float) -> None:
        self._dropped_s += lost_s
        self._shared.report.dropped_s += lost_s

    @property
    def _read_fast(self) -> bool:
        """Whether the time of day is that which it would be, had the recording been played."""
        return self._shared.pace == "fast" and is_recording(self._source)

    def _notice_flood(self, lane: Lane) -> None:
        """Say that onsets are not told, once in a while; their number is in the status events."""
        if lane.onsets_suppressed == self._suppressed_now:
            return
        self._suppressed_now = lane.onsets_suppressed
        self._complaints.tell(
            "flood",
            f"{self._source.name}: more sounds than max_onsets_per_second; "
            f"not told so far: {self._suppressed + self._suppressed_now}",
        )

    def _news(self, piece: Block) -> bool:
        """Take over what the stream says of itself; return whether it is new."""
        before = self._metadata
        self._metadata = states.kept_metadata(before, piece.metadata) if piece.metadata else before
        return self._metadata != before

    async def _watch(self, intake: "asyncio.Task[None]", queue: BlockQueue) -> None:
        """Notice silence of the line: first tell it, then close what is live."""
        while True:
            silent_s = self._world.monotonic() - self._sign_of_life
            if silent_s >= states.STALL_S and self._state == "running":
                await self._become("stalled", f"no audio for {silent_s:.0f} s")
            if silent_s >= states.LOST_S and self._source.live:
                await cancelled(intake)
                queue.close(
                    SourceError(f"{self._source.uri} has delivered nothing for {silent_s:.0f} s", retry=True)
                )
                return
            due_s = states.STALL_S if silent_s < states.STALL_S else states.LOST_S
            await self._world.sleep(max(due_s - silent_s, 1.0))

    async def _end_capture(self, intake: "asyncio.Task[None]", queue: BlockQueue) -> None:
        await self._shared.stop.wait()
        queue.close()  # the reader need not wait until the source has closed
        intake.cancel()

    async def _wait_for_return(self, loss: SourceError) -> None:
        self._attempt += 1
        wait_s = self._backoff.next_s()
        log.warning("%s: %s; trying again in %.0f s", self._source.name, loss, wait_s)
        await self._become("reconnecting", str(loss))
        await unless(self._shared.stop, wait_s, self._world)

    async def _become(self, state: State, reason: str | None = None) -> None:
        assert self._state is None or state in states.TRANSITIONS[self._state], (self._state, state)
        self._state = state
        if state == "running":
            self._attempt = 0
        await self._tell_state(reason)

    async def _tell_state(self, reason: str | None = None) -> None:
        self._told_s = self._stream_s
        event = self._stamper.status(
            self._clock.at(self._stream_s) if self._read_fast else self._world.now(),
            stream_s=round(self._stream_s, 6),
            state=self._state,
            reason=reason,
            attempt=self._attempt,
            last_audio_at=None if self._last_audio is None else utc(self._last_audio),
            dropped_s=round(self._dropped_s, 3),
            level_dbfs=self._level.dbfs,
            onsets_suppressed=self._suppressed + self._suppressed_now,
            stream_metadata=self._metadata,
        )
        await self._shared.publish(event)

    async def _tell(self, facts: list[Facts]) -> None:
        for fact in facts:
            await self._shared.publish(self._stamper.event(fact, self._clock.at(fact.stream_s)))


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
    yield replace(block, y=block.y[:PIECE_SAMPLES])
    for start in range(PIECE_SAMPLES, block.y.size, PIECE_SAMPLES):
        yield Block(block.y[start : start + PIECE_SAMPLES])
