"""A session of an engine: its work for one opening of a source, off the event loop; no match is left open."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.errors import StreamMatchError
from stream_match.events import (
    ClusterFacts,
    Facts,
    GenreFacts,
    MatchFacts,
    OnsetClusterFacts,
    OnsetFacts,
    SoundsLikeFacts,
)
from stream_match.service.memory import Snapshot, SoundMemory
from stream_match.service.reasons import reason_of
from stream_match.service.report import Account
from stream_match.service.world import EnginePort, Offload

T = TypeVar("T")

CANDIDATE_EVERY_S = 10.0
"""Audio between two looks at the best candidate that is not claimed."""


class EngineError(StreamMatchError):
    """The engine broke, or could not be made; another one may do better."""


class Session:
    """An engine at work, and the matches that it has begun and not ended.

    Ids of matches, sounds and clusters become unique over all sources and runs; stream times go on from
    earlier openings.

    Parameters
    ----------
    engine : EnginePort
        New, without history.
    prefix : str
        Goes before the engine's own ids of matches and sounds.
    offset_s : float [seconds]
        Stream time at which this opening began.
    offload : coroutine function
        Does the engine's work elsewhere than on the event loop.
    account : Account
        Takes the costs.
    memory : SoundMemory
        Has been given to the engine; its prefix goes before ids of clusters.
    catalogue : object, optional
        What the engine was made with, or something older.

    Attributes
    ----------
    catalogue
        What it last took up.
    best_candidate_score : float or None
        Of what was never claimed; None if there is nothing.
    """

    def __init__(
        self,
        engine: EnginePort,
        prefix: str,
        offset_s: float,
        offload: Offload,
        account: Account,
        memory: SoundMemory,
        catalogue: Any = None,
    ) -> None:
        self.catalogue = catalogue
        self.best_candidate_score: float | None = None
        self._candidate_at_s = 0.0  # audio at which it is looked at again
        self._heard_s = 0.0
        self._engine = engine
        self._prefix = prefix
        self._offset_s = offset_s
        self._offload = offload
        self._account = account
        self._memory = memory
        self._running: dict[str, MatchFacts] = {}
        self._engine_in_use = asyncio.Lock()

    @property
    def onsets_suppressed(self) -> int:
        """How many onsets the engine has not told because there were too many."""
        return getattr(self._engine, "onsets_suppressed", 0)

    async def learnt(self, *, goes_on: bool = False) -> Snapshot | None:
        """Return what the engine has learnt, to be written down; None if there is nothing to be kept.

        Parameters
        ----------
        goes_on : bool
            Whether it will learn more.
        """
        async with self._engine_in_use:
            told = await self._offload(lambda: self._memory.learn(self._engine, goes_on=goes_on))
        return self._memory.snapshot(goes_on=goes_on) if told else None

    async def feed(self, block: Block) -> list[Facts]:
        """Let the engine hear a block.

        Raises
        ------
        EngineError
            If it breaks.
        """
        return await self._work(lambda: self._hear(block))

    def _hear(self, block: Block) -> list[Facts]:
        facts = self._engine.feed(block.y, gap_s=block.gap_s, discontinuity=block.discontinuity)
        self._heard_s += block.y.size / SAMPLE_RATE_HZ
        if self._heard_s >= self._candidate_at_s:
            self._candidate_at_s = self._heard_s + CANDIDATE_EVERY_S
            candidates: list[MatchFacts] = getattr(self._engine, "candidates", list)()
            self.best_candidate_score = max((candidate.score for candidate in candidates), default=None)
        return facts

    async def take_up(self, catalogue: Any) -> list[Facts]:
        """Let the engine go on with another catalogue; return the ends of matches that this brings.

        Raises
        ------
        EngineError
            If it breaks.
        """
        self.catalogue = catalogue
        return await self._work(lambda: self._engine.take_up(catalogue))

    async def near_misses(self) -> list[dict[str, Any]]:
        """Return what nearly matched of late, as JSON has it; nothing from an engine that does not say.

        Raises
        ------
        EngineError
            If it breaks.
        """
        if (ask := getattr(self._engine, "near_misses", None)) is None:
            return []
        return [
            {
                "track": miss.facts.track.model_dump(),
                "kind": miss.lane,
                "score": miss.facts.score,
                "false_alarms_per_hour": miss.facts.false_alarms_per_hour,
                "reference_s": miss.facts.reference_s,
                "speed": miss.facts.speed,
                "semitones": miss.facts.semitones,
                "stream_s": round(miss.stream_s + self._offset_s, 3),
                "rejection": miss.rejection,
                "why": miss.why,
            }
            for miss in await self._between_feeds(ask)
        ]

    async def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Let the engine claim with another budget of false alarms.

        Raises
        ------
        EngineError
            If it breaks.
        """
        if (change := getattr(self._engine, "put_up_with", None)) is not None:
            await self._between_feeds(lambda: change(max_false_alarms_per_hour))

    async def finish(self) -> list[Facts]:
        """End every match.

        An engine that breaks while it is flushed, or forgets a match, is made good: the end is then
        that of the last facts.
        """
        try:
            facts = await self._work(self._engine.flush)
        except EngineError:
            facts = []
        facts += [
            last.model_copy(update={"phase": "ended", "ended_s": last.stream_s})
            for last in self._running.values()
        ]
        self._running.clear()
        return facts

    async def _work(self, call: Callable[[], list[Facts]]) -> list[Facts]:
        def timed() -> tuple[list[Facts], float]:
            begun = time.thread_time()
            return call(), time.thread_time() - begun

        try:
            async with self._engine_in_use:
                found, cost_s = await self._offload(timed)
            noted = [self._noted(facts) for facts in found if not self._is_unheard_of(facts)]
        except Exception as error:  # whatever an engine may raise, it is the end of this one only
            raise EngineError(f"the matcher broke ({reason_of(error)})") from error
        self._account.engine_s += cost_s
        return noted

    async def _between_feeds(self, call: Callable[[], T]) -> T:
        """Ask the engine what takes no time, while it does not work in another thread."""
        try:
            async with self._engine_in_use:
                return call()
        except Exception as error:
            raise EngineError(f"the matcher broke ({reason_of(error)})") from error

    def _is_unheard_of(self, facts: Facts) -> bool:
        """Whether an engine goes on with a match whose beginning was lost when it broke."""
        if not isinstance(facts, MatchFacts) or facts.phase == "started":
            return False
        return f"{self._prefix}-{facts.match_id}" not in self._running

    def _noted(self, facts: Facts) -> Facts:
        if isinstance(facts, MatchFacts):
            return self._noted_match(facts)
        own: dict[str, object] = {"stream_s": facts.stream_s + self._offset_s}
        if isinstance(facts, OnsetFacts | OnsetClusterFacts):
            own |= {"onset_id": f"{self._prefix}-{facts.onset_id}", "onset_s": facts.onset_s + self._offset_s}
        if isinstance(facts, SoundsLikeFacts | GenreFacts):
            own["heard_s"] = facts.heard_s + self._offset_s
        if isinstance(facts, OnsetClusterFacts | ClusterFacts):
            own["cluster_id"] = self._cluster(facts.cluster_id)
        if isinstance(facts, ClusterFacts):
            own["from_"] = tuple(map(self._cluster, facts.from_))
        if isinstance(facts, OnsetClusterFacts):
            self._account.sounds += 1
        return facts.model_copy(update=own)

    def _cluster(self, cluster_id: str) -> str:
        return f"{self._memory.prefix}-{cluster_id}"

    def _noted_match(self, facts: MatchFacts) -> MatchFacts:
        ended_s = None if facts.ended_s is None else facts.ended_s + self._offset_s
        facts = facts.model_copy(
            update={
                "match_id": f"{self._prefix}-{facts.match_id}",
                "stream_s": facts.stream_s + self._offset_s,
                "started_s": facts.started_s + self._offset_s,
                "ended_s": ended_s,
            }
        )
        if facts.phase == "started":
            self._account.matches += 1
            self._account.delays_s.append(facts.stream_s - facts.started_s)
        if facts.phase == "ended":
            self._running.pop(facts.match_id, None)
        else:
            self._running[facts.match_id] = facts
        return facts
