"""Claims versions, one at a time, and follows each along its path through its track until it is lost."""

from collections.abc import Sequence
from dataclasses import replace

from stream_match.events import MatchFacts, Track
from stream_match.index.harmony import HarmonyLines
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.tracking.alive import Presence, least_correlation
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, State
from stream_match.match.tracking.report import Teller
from stream_match.match.tracking.trace import Rejection
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.version_match import Moment, VersionCandidate, VersionMatch


class PathTracker:
    """Starts, follows and ends the matches of the version lane; claims from a threshold of the score."""

    def __init__(self, tracks: tuple[Track, ...], threshold: float, arbiter: Arbiter) -> None:
        self._tracks = tracks
        self._threshold = threshold
        self._arbiter = arbiter
        self._teller = Teller(arbiter, Calibration.versions())
        self._last: VersionMatch | None = None
        self.rejections: list[Rejection | None] = []  # of the candidates last given to `decide`

    def claim_from(self, threshold: float) -> None:
        """Claim from another threshold from now on; what was claimed stays so."""
        self._threshold = threshold

    @property
    def _match(self) -> VersionMatch | None:
        """What sounds; what the recording lane took over goes on there."""
        here = self._last is not None and self._arbiter.follows("version", self._last.match_id)
        return self._last if here else None

    @property
    def track(self) -> int | None:
        """Number of the track that sounds."""
        return None if self._match is None else self._match.best.track

    def line(self, step: int) -> HarmonyLines:
        """Return the line of what sounds, if anything does, as it would be at a step."""
        return HarmonyLines.none() if self._match is None else self._match.line_at(step)

    def take_up(self, tracks: tuple[Track, ...], numbers: Numbers, moment: Moment) -> list[MatchFacts]:
        """Go on with other numbers of tracks; end what sounds if its track is gone."""
        match = self._match
        followed = None if match is None else match.renumbered(numbers)
        facts = self.end(Cue.REMOVED, moment) if followed is None else []
        self._last, self._tracks = followed, tracks
        return facts

    def decide(
        self, candidates: Sequence[VersionCandidate], moment: Moment, *, muted: bool = False
    ) -> list[MatchFacts]:
        """Follow what sounds; if nothing does, claim the best candidate that is good enough, unless muted."""
        match = self._match
        facts = [] if match is None else self._follow(match, candidates, moment)
        self.rejections = [self._rejection(candidate) or "behind" for candidate in candidates]
        if candidates and self._rejection(candidates[0]) is None:
            self.rejections[0] = "explained" if muted else None
            facts += [] if muted else [self._start(candidates, moment)]
        return facts

    def end(self, cue: Cue, moment: Moment) -> list[MatchFacts]:
        """End what sounds, if anything does."""
        match = self._match
        if match is None:
            return []
        return self._teller.advance(match.match_id, cue, match.reading(self._tracks, moment))

    def describe(self, moment: Moment, candidate: VersionCandidate) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        reading = _match_of(candidate, None, moment).reading(self._tracks, moment)
        return self._teller.describe(State.VERSION, _started_s(candidate, moment), reading)

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
        self, match: VersionMatch, candidates: Sequence[VersionCandidate], moment: Moment
    ) -> list[MatchFacts]:
        """Look along the path of what sounds; tell an update or its end."""
        here = next((c for c in candidates if c.track == match.best.track and c.key == match.best.key), None)
        seconds = (moment.step - match.now) * moment.clock.step_s
        newest = 0.0 if here is None else float(here.alike[: steps_in(tuning.VERSION_RECENT_S)].mean())
        least = least_correlation(match.best.correlation)
        presence = match.presence.after_sound(moment.stream_s, seconds, newest, least)
        position = match.position_at(moment.step)
        seen = self._last = replace(match, position=position, now=moment.step, presence=presence)
        if here is not None and here.recent > tuning.VERSION_SOUNDS:
            seen = self._last = seen.on(replace(here, score=max(here.score, match.best.score)))
        if presence.lost:
            return self.end(Cue.LOST, moment)
        reading = seen.reading(self._tracks, moment)
        assert seen.told is not None
        if not reading.is_due_after(seen.told, tuning.UPDATE_S, tuning.VERSION_CORRECTION_S):
            return []
        self._last = replace(seen, told=reading)
        return self._teller.advance(seen.match_id, Cue.CORRECTED, reading)

    def _start(self, candidates: Sequence[VersionCandidate], moment: Moment) -> MatchFacts:
        best = candidates[0]
        others = (c for c in candidates if c.track != best.track and c.track not in best.same)
        match = _match_of(best, next(others, None), moment)
        reading = match.reading(self._tracks, moment)
        facts = self._teller.begin(Cue.FOUND, _started_s(best, moment), reading)
        self._last = replace(match, match_id=facts.match_id, told=reading)
        return facts


def _match_of(best: VersionCandidate, runner_up: VersionCandidate | None, moment: Moment) -> VersionMatch:
    """Return a candidate as a match that begins now."""
    match = VersionMatch(
        match_id="",
        best=best,
        position=best.head,
        speed=best.speed,
        now=moment.step,
        presence=Presence(moment.stream_s),
        runner_up=runner_up,
    )
    return match.on(best)


def _started_s(candidate: VersionCandidate, moment: Moment) -> float:
    """Return the stream time at which a candidate began to sound."""
    clock = moment.clock
    return max(clock.begin_s, clock.begin_s + clock.centre_s(moment.step - candidate.heard_steps))
