"""The life of a version, from the decision to claim it to its end.

    nothing  --[score over the threshold, and it sounds now]------>  STARTED
    STARTED  --[its path goes on, or jumps within the track]------>  STARTED, told again now and then
    STARTED  --[not heard for MAX_GAP_STEPS]---------------------->  ENDED
    STARTED  --[a recording explains what sounds]----------------->  ENDED
    STARTED  --[the stream ends, or has a gap]-------------------->  ENDED

One at a time: two pieces at once are no version of either. Every start has its end.
"""

from dataclasses import replace

import numpy as np

from stream_match.events import MatchFacts, Track
from stream_match.index.harmony import HarmonyLines
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.look import Objection, Standing
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.path import VersionCandidate
from stream_match.match.version.telling import Clock, Match, tell

MAX_GAP_STEPS = 13
"""A version that has not been heard for so long, 4.8 s, has ended; each hearing looks back 6 s itself."""

UPDATE_S = 10.0
"""A version is told again after so long, or at once when its place was corrected."""

_CORRECTION_S = 2.0

_SOUNDS = 1.5
"""How far the newest few seconds stand above the rivals' when it sounds."""

_AGREES = 0.3
"""Agreement without which nothing is claimed, however poor the rivals. True ones of other pianists have 0.5
to 0.9, unknown music mostly less than 0.4."""

_SLOWEST, _FASTEST = 0.6, 1.45
"""Speeds that a path is followed at: beyond what is searched for, since performers linger."""


class Decision:
    """Starts, follows and ends a version.

    Parameters
    ----------
    tracks : tuple of Track
    threshold : float
        Score from which it is claimed.
    """

    def __init__(self, tracks: tuple[Track, ...], threshold: float) -> None:
        self._tracks = tracks
        self._threshold = threshold
        self._match: Match | None = None
        self._ended_s: dict[str, float] = {}  # by the tracks' ids: one may be removed, and come back
        self._count = 0

    def take_up(self, tracks: tuple[Track, ...], numbers: Numbers) -> None:
        """Go on with other numbers of tracks; what sounds must be among them."""
        self._tracks = tracks
        if self._match is not None:
            best, runner_up = self._match.best.renumbered(numbers), self._match.runner_up
            assert best is not None
            others = runner_up and runner_up.renumbered(numbers)
            self._match = replace(self._match, best=best, runner_up=others)

    @property
    def track(self) -> int | None:
        """Number of the track that sounds."""
        return None if self._match is None else self._match.track

    def line(self, now: int) -> HarmonyLines:
        """Return the line of what sounds, if anything does, as it would be at a step."""
        if self._match is None:
            return HarmonyLines.none()
        match = self._match
        head = match.head + match.speed * (now - match.now)
        return HarmonyLines(
            np.array([match.track]), np.array([head]), np.array([match.speed]), np.array([match.best.key])
        )

    def decide(
        self,
        candidates: list[VersionCandidate],
        now: int,
        stream_s: float,
        clock: Clock,
        *,
        muted: bool = False,
    ) -> list[MatchFacts]:
        """Follow what sounds; if nothing does, claim the best candidate that is good enough, unless muted."""
        facts = []
        if self._match is not None:
            facts += self._follow(self._match, candidates, now, stream_s, clock)
        if self._match is None and not muted:
            facts += self._start(candidates, now, stream_s, clock)
        return facts

    def hand_over(self, track: int) -> Match | None:
        """Give up what sounds, if it is of a track, and return it."""
        if self.track != track:
            return None
        given, self._match = self._match, None
        return given

    def end(self, stream_s: float, clock: Clock) -> list[MatchFacts]:
        """End what sounds, as at the end of the stream or when a recording explains it."""
        if self._match is None:
            return []
        match, self._match = self._match, None
        facts = tell(match, "ended", stream_s, self._tracks, clock)
        self._ended_s[facts.track.id] = facts.ended_s or 0.0
        return [facts]

    def describe(self, candidate: VersionCandidate, now: int, stream_s: float, clock: Clock) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        return tell(self._new(candidate, None, now, clock), "started", stream_s, self._tracks, clock)

    def standings(
        self, candidates: list[VersionCandidate], now: int, stream_s: float, clock: Clock
    ) -> tuple[Standing, ...]:
        """Return how the candidates stand that `decide` was last given."""
        return tuple(
            Standing(
                self.describe(candidate, now, stream_s, clock),
                "sounding" if self._match is not None else self._objection(candidate) or "behind",
            )
            for candidate in candidates
        )

    def _objection(self, candidate: VersionCandidate) -> Objection | None:
        """Return why a candidate is not to be claimed even if it is the best."""
        if candidate.score < self._threshold:
            return "score"
        if candidate.recent < _SOUNDS:
            return "past"
        return "faint" if candidate.correlation < _AGREES else None

    def _follow(
        self, match: Match, candidates: list[VersionCandidate], now: int, stream_s: float, clock: Clock
    ) -> list[MatchFacts]:
        here = next((c for c in candidates if c.track == match.track and c.key == match.best.key), None)
        seen = replace(match, head=match.head + match.speed * (now - match.now), now=now)
        if here is not None and here.recent > _SOUNDS:
            best = replace(here, score=max(here.score, match.best.score))
            seen = replace(
                seen,
                best=best,
                head=here.head(steps_in(tuning.VERSION_RECENT_S)),
                speed=_followed(here),
                heard=now,
            )
        self._match = seen
        if now - seen.heard > MAX_GAP_STEPS:
            return self.end(stream_s, clock)
        facts = tell(seen, "updated", stream_s, self._tracks, clock)
        drift = (seen.speed - 1) * (stream_s - seen.told_s)
        moved = abs(facts.reference_s - stream_s - seen.told_offset_s - drift)
        if stream_s - seen.told_s < UPDATE_S and moved <= _CORRECTION_S:
            return []
        self._match = _told(seen, facts)
        return [facts]

    def _start(
        self, candidates: list[VersionCandidate], now: int, stream_s: float, clock: Clock
    ) -> list[MatchFacts]:
        if not candidates or self._objection(candidates[0]) is not None:
            return []
        best = candidates[0]
        others = (c for c in candidates if c.track != best.track and c.track not in best.same)
        match = self._new(best, next(others, None), now, clock)
        facts = tell(match, "started", stream_s, self._tracks, clock)
        self._match = _told(match, facts)
        self._count += 1
        return [facts]

    def _new(
        self, best: VersionCandidate, runner_up: VersionCandidate | None, now: int, clock: Clock
    ) -> Match:
        began = clock.begin_s + clock.centre_s(now - best.heard_steps)
        return Match(
            match_id=f"v{self._count + 1}",
            best=best,
            head=best.head(steps_in(tuning.VERSION_RECENT_S)),
            speed=_followed(best),
            now=now,
            heard=now,
            started_s=max(clock.begin_s, self._ended_s.get(self._tracks[best.track].id, 0.0), began),
            told_s=0.0,
            told_offset_s=0.0,
            runner_up=runner_up,
        )


def _followed(candidate: VersionCandidate) -> float:
    """Return the speed of a candidate, within reason."""
    return float(np.clip(candidate.speed, _SLOWEST, _FASTEST))


def _told(match: Match, facts: MatchFacts) -> Match:
    """Return the match after the world was told of it."""
    return replace(match, told_s=facts.stream_s, told_offset_s=facts.reference_s - facts.stream_s)
