"""The engines that hear one source, one after the other."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.errors import UsageError
from stream_match.events import Facts
from stream_match.publish.sparse import SparseLog
from stream_match.service import states
from stream_match.service.beside import beside_store
from stream_match.service.hearing import Hearing
from stream_match.service.intake import is_recording
from stream_match.service.memory import PREFIX_LETTERS, SoundMemory
from stream_match.service.memory_keeper import MemoryKeeper, recalled
from stream_match.service.opening import Opening
from stream_match.service.pause import PAUSED
from stream_match.service.reasons import reason_of
from stream_match.service.recent import RecentEnds
from stream_match.service.session import EngineError, Session
from stream_match.service.source_context import SourceContext
from stream_match.store.sounds import SoundShelf

log = logging.getLogger(__name__)


class Engines:
    """Lets engines hear a source, and tells what they hear.

    Each opening has a new engine. An engine that breaks is replaced: the next one goes on where it broke.
    An engine whose settings have changed is replaced, too. What was learnt of sounds, and which tracks have
    ended lately, goes from each to the next.

    Parameters
    ----------
    context : SourceContext
    """

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._memory = SoundMemory(None, context.shared.ids()[:PREFIX_LETTERS])
        self._keeper: MemoryKeeper | None = None
        self._recent = RecentEnds()
        self._begun_s = 0.0  # stream time at which the engine of now began
        self._kept_s = 0.0  # stream time at which what was learnt was last written down
        self._breaks = 0  # engines that broke in a row
        self._suppressed = 0  # onsets of earlier engines that were not told
        self._complaints = SparseLog(log, clock=context.shared.world.monotonic)

    async def recall(self) -> None:
        """Read what was learnt of the sounds of this source before, if that is kept."""
        shared, name = self._context.shared, self._context.source.name
        if (store := shared.store) is not None:
            world = beside_store(shared.world, store)
            self._memory = await recalled(SoundShelf(store, name), self._memory.prefix, world)
            self._keeper = MemoryKeeper(name, self._memory, world, self._context.stop)

    async def close(self) -> None:
        """Let be written what was learnt, for a short while."""
        if self._keeper is not None:
            await self._keeper.close()

    async def hear(self, opening: Opening) -> None:
        """Hear all that comes through an opening, with another engine when one breaks.

        Raises
        ------
        Exception
            That with which the source was lost; `EngineError` if all engines break with a recording.
        """
        # The pieces are the same for all engines: the next one goes on where the last one broke.
        async with aclosing(opening.pieces()) as heard:
            while True:
                try:
                    if await self._hear_with_one(heard, opening):
                        return
                except EngineError as error:
                    await self._after_break(error)

    async def _hear_with_one(self, heard: AsyncIterator[Block], opening: Opening) -> bool:
        """Hear with one engine; return whether all was heard, and not just all that this one is for."""
        context = self._context
        self._begun_s = context.reckoning.stream_s
        hearing = context.hearing
        session = await self._new_session(hearing)
        whole = False
        try:
            # After each piece: one that was taken from the queue is heard by somebody.
            async for piece in heard:
                await self._hear_piece(piece, session, hearing, opening)
                if hearing is not context.hearing:
                    whole = True
                    return False
            whole = True
        finally:
            context.steering.session = None
            await self._tell(
                await session.finish(), reason=PAUSED if context.pause.on else context.stop_reason
            )
            await self._keep(session, goes_on=not whole)
            self._suppressed += session.onsets_suppressed
            context.teller.onsets_suppressed = self._suppressed
        return True

    async def _new_session(self, hearing: Hearing) -> Session:
        context, shared, catalogue = self._context, self._context.shared, hearing.newest
        try:
            engine = await shared.world.offload(hearing.make_engine)
        except UsageError:
            raise
        except Exception as error:
            raise EngineError(f"the matcher could not be made ({reason_of(error)})") from error
        if (refusal := await shared.world.offload(lambda: self._memory.give(engine))) is not None:
            self._memory.begin_without(refusal)
        self._recent.give(engine, self._begun_s)
        session = Session(
            engine,
            shared.ids(),
            self._begun_s,
            shared.world.offload,
            context.account,
            self._memory,
            catalogue,
        )
        context.gauges.session = session
        await context.steering.take(session)
        await self._keep(session, goes_on=True)
        if self._keeper is not None:
            await self._keeper.settled()  # before the first identity is given
        return session

    async def _after_break(self, error: EngineError) -> None:
        """Wait before the next engine; raise the error of a recording with which all of them break."""
        self._breaks += 1
        if self._breaks >= states.GIVE_UP_AFTER_BREAKS and self._is_over_alone():
            raise error
        if self._breaks == states.FORGET_AFTER_BREAKS:
            self._memory.begin_without(f"{self._breaks} matchers in a row broke with them")
        await self._context.wait_for_return(reason_of(error))

    def _is_over_alone(self) -> bool:
        """Whether it comes to an end by itself: no station, and no pipe, whose writer goes on."""
        return is_recording(self._context.source) and not self._context.reckoning.live

    async def _hear_piece(self, piece: Block, session: Session, hearing: Hearing, opening: Opening) -> None:
        """Tell the state, ask the engine, tell what it heard; while paused, let it pass."""
        context = self._context
        if context.pause.on:
            await self._let_pass(piece, session)
            return
        piece = context.pause.after(piece)
        context.teller.hear(piece)
        context.audio.hear(piece)
        context.shared.chroma.hear(context.source.name, piece, self._heard_until)
        if piece.y.size and self._is_back(opening):
            context.retry.back()
            await context.teller.become("running")
        await self._tell(await self._facts(piece, session, hearing))
        context.audio.go_on()
        if not context.source.live:
            await context.shared.kept.room()
        self._notice_flood(session)
        await self._keep_now_and_then(session)
        await context.teller.go_on()
        if context.reckoning.stream_s - self._begun_s >= states.STEADY_S:
            context.retry.steady()
            self._breaks = 0

    async def _facts(self, piece: Block, session: Session, hearing: Hearing) -> list[Facts]:
        """Return what the engine hears in a piece, with the newest catalogue."""
        context, length_s = self._context, piece.y.size / SAMPLE_RATE_HZ
        try:
            if hearing.newest is not session.catalogue:
                # This ends matches: told first, whatever becomes of the piece.
                await self._tell(await session.take_up(hearing.newest))
            facts = await session.feed(piece)
        except EngineError:
            context.reckoning.lose(length_s)  # nobody has heard it to the end
            raise
        context.account.audio_s += length_s
        context.gauges.liveness.sign()
        if piece.y.size:
            context.shared.heard(context.source.name, self._heard_until(), context.reckoning.stream_s)
        return facts

    def _heard_until(self) -> float:
        return self._context.reckoning.moment(self._context.reckoning.stream_s)

    async def _let_pass(self, piece: Block, session: Session) -> None:
        """Hear nothing of what a file or a pipe goes on to say."""
        context = self._context
        if context.teller.state != "paused":
            await self._tell(await session.finish(), reason=PAUSED)
            context.audio.finish()
            context.teller.forget()
            await context.teller.become("paused", reason=PAUSED)
        context.pause.let_pass(piece)

    def _is_back(self, opening: Opening) -> bool:
        """Whether audio tells that the source runs again; what only waited in the queue does not."""
        state = self._context.teller.state
        return state != "running" and not (state == "stalled" and opening.silent_s >= states.STALL_S)

    async def _tell(self, facts: list[Facts], *, reason: str | None = None) -> None:
        self._recent.note(facts)
        await self._context.teller.tell(facts, reason=reason)

    async def _keep_now_and_then(self, session: Session) -> None:
        if self._context.reckoning.stream_s - self._kept_s >= states.KEEP_EVERY_S:
            self._kept_s = self._context.reckoning.stream_s
            await self._keep(session, goes_on=True)

    async def _keep(self, session: Session, *, goes_on: bool) -> None:
        """Hand over what an engine has learnt; that it is written is waited for by nobody who hears."""
        snapshot = await session.learnt(goes_on=goes_on)
        if snapshot is not None and self._keeper is not None:
            self._keeper.keep(snapshot)

    def _notice_flood(self, session: Session) -> None:
        """Say that onsets are not told, once in a while; their number is in the status events."""
        teller, name = self._context.teller, self._context.source.name
        suppressed = self._suppressed + session.onsets_suppressed
        if suppressed > teller.onsets_suppressed:
            teller.onsets_suppressed = suppressed
            told = f"{name}: more sounds than max_onsets_per_second; not told so far: {suppressed}"
            self._complaints.tell("flood", told)
