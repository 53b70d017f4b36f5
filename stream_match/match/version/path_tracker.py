"""Claims versions, one at a time, and follows each along its path through its track until it is lost."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream_match.events import MatchFacts, Track
from stream_match.index.harmony import HarmonyLines
from stream_match.index.tracks import GONE, Numbers
from stream_match.match import tuning
from stream_match.match.tracking.alive import Presence, least_correlation
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, State
from stream_match.match.tracking.rejection import Rejection
from stream_match.match.tracking.report import NEVER, Teller, Told
from stream_match.match.tracking.trace import TracedCandidate
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.path import VersionCandidate
from stream_match.match.version.version_match import Clock, VersionMatch


class PathTracker:
    """Starts, follows and ends the matches of the version lane.

    Parameters
    ----------
    tracks : tuple of Track
    threshold : float
        Score from which a version is claimed.
    arbiter : Arbiter
    """

    def __init__(self, tracks: tuple[Track, ...], threshold: float, arbiter: Arbiter) -> None:
        self._tracks = tracks
        self._threshold = threshold
        self._arbiter = arbiter
        self._teller = Teller(arbiter, Calibration.versions())
        self._last: VersionMatch | None = None
        self._rejections: list[Rejection | None] = []

    @property
    def _match(self) -> VersionMatch | None:
        """What sounds; what the recording lane took over goes on there."""
        here = self._last is not None and self._arbiter.follows("version", self._last.match_id)
        return self._last if here else None

    @property
    def track(self) -> int | None:
        """Number of the track that sounds."""
        return None if self._match is None else self._match.best.track

    def take_up(
        self, tracks: tuple[Track, ...], numbers: Numbers, stream_s: float, clock: Clock
    ) -> list[MatchFacts]:
        """Go on with other numbers of tracks; end what sounds if its track is gone."""
        match, facts = self._match, []
        if match is not None and numbers[match.best.track] == GONE:
            facts = self.end(Cue.REMOVED, stream_s, clock)
        elif match is not None:
            best, runner_up = match.best.renumbered(numbers), match.runner_up
            assert best is not None
            self._last = replace(match, best=best, runner_up=runner_up and runner_up.renumbered(numbers))
        self._tracks = tracks
        return facts

    def line(self, now: int) -> HarmonyLines:
        """Return the line of what sounds, if anything does, as it would be at a step."""
        match = self._match
        if match is None:
            return HarmonyLines.none()
        position = match.position + match.speed * (now - match.now)
        return HarmonyLines(
            np.array([match.best.track]),
            np.array([position]),
            np.array([match.speed]),
            np.array([match.best.key]),
        )

    def decide(
        self,
        candidates: Sequence[VersionCandidate],
        now: int,
        stream_s: float,
        clock: Clock,
        *,
        muted: bool = False,
    ) -> list[MatchFacts]:
        """Follow what sounds; if nothing does, claim the best candidate that is good enough, unless muted."""
        match = self._match
        facts = [] if match is None else self._follow(match, candidates, now, stream_s, clock)
        self._rejections = [self._rejection(candidate) or "behind" for candidate in candidates]
        if candidates and self._rejection(candidates[0]) is None:
            self._rejections[0] = "explained" if muted else None
            facts += [] if muted else self._start(candidates, now, stream_s, clock)
        return facts

    def end(self, cue: Cue, stream_s: float, clock: Clock) -> list[MatchFacts]:
        """End what sounds, if anything does."""
        match = self._match
        if match is None:
            return []
        return [self._teller.tell(match.match_id, cue, match.reading(stream_s, self._tracks, clock))]

    def describe(self, candidate: VersionCandidate, now: int, stream_s: float, clock: Clock) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        match, started_s = self._new(candidate, None, now, stream_s, clock)
        return self._teller.describe(State.VERSION, started_s, match.reading(stream_s, self._tracks, clock))

    def traced(
        self, candidates: Sequence[VersionCandidate], now: int, stream_s: float, clock: Clock
    ) -> tuple[TracedCandidate, ...]:
        """Return how the candidates stand that `decide` was last given."""
        return tuple(
            TracedCandidate(self.describe(candidate, now, stream_s, clock), rejection)
            for candidate, rejection in zip(candidates, self._rejections, strict=True)
        )

    def _rejection(self, candidate: VersionCandidate) -> Rejection | None:
        """Return why a candidate is not claimed, were it the best."""
        if self._match is not None:
            return "known" if candidate.track == self._match.best.track else "sounding"
        if candidate.score < self._threshold:
            return "score"
        if candidate.recent < tuning.VERSION_SOUNDS:
            return "past"
        return "faint" if candidate.correlation < tuning.VERSION_CORRELATION else None

    def _follow(
        self,
        match: VersionMatch,
        candidates: Sequence[VersionCandidate],
        now: int,
        stream_s: float,
        clock: Clock,
    ) -> list[MatchFacts]:
        here = next((c for c in candidates if c.track == match.best.track and c.key == match.best.key), None)
        seen = replace(match, position=match.position + match.speed * (now - match.now), now=now)
        seconds = (now - match.now) * clock.step_s
        newest = 0.0 if here is None else float(here.alike[: steps_in(tuning.VERSION_RECENT_S)].mean())
        least = least_correlation(match.best.correlation)
        presence = match.presence.after_sound(stream_s, seconds, newest, least)
        seen = replace(seen, presence=presence)
        if here is not None and here.recent > tuning.VERSION_SOUNDS:
            best = replace(here, score=max(here.score, match.best.score))
            seen = replace(
                seen, best=best, position=here.head(steps_in(tuning.VERSION_RECENT_S)), speed=_followed(here)
            )
        self._last = seen
        if presence.lost:
            return self.end(Cue.LOST, stream_s, clock)
        reading = seen.reading(stream_s, self._tracks, clock)
        if not seen.told.is_due_again(reading, tuning.UPDATE_S, tuning.VERSION_CORRECTION_S):
            return []
        self._last = replace(seen, told=Told.by(reading))
        return [self._teller.tell(seen.match_id, Cue.CORRECTED, reading)]

    def _start(
        self, candidates: Sequence[VersionCandidate], now: int, stream_s: float, clock: Clock
    ) -> list[MatchFacts]:
        best = candidates[0]
        others = (c for c in candidates if c.track != best.track and c.track not in best.same)
        match, started_s = self._new(best, next(others, None), now, stream_s, clock)
        reading = match.reading(stream_s, self._tracks, clock)
        facts = self._teller.begin(Cue.FOUND, started_s, reading)
        self._last = replace(match, match_id=facts.match_id, told=Told.by(reading))
        return [facts]

    def _new(
        self,
        best: VersionCandidate,
        runner_up: VersionCandidate | None,
        now: int,
        stream_s: float,
        clock: Clock,
    ) -> tuple[VersionMatch, float]:
        """Make a match of a candidate; find out when it began."""
        began_s = clock.begin_s + clock.centre_s(now - best.heard_steps)
        match = VersionMatch(
            match_id="",
            best=best,
            position=best.head(steps_in(tuning.VERSION_RECENT_S)),
            speed=_followed(best),
            now=now,
            presence=Presence(stream_s),
            told=NEVER,
            runner_up=runner_up,
        )
        return match, max(clock.begin_s, began_s)


def _followed(candidate: VersionCandidate) -> float:
    """Return the speed of a candidate, within reason."""
    return float(np.clip(candidate.speed, tuning.VERSION_SLOWEST, 1 / tuning.VERSION_SLOWEST))
