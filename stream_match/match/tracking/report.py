"""What is told of a match, and when it is told again."""

import math
from dataclasses import dataclass, replace

from stream_match.events import Evidence, MatchFacts, Track
from stream_match.match.tracking.arbiter import Arbiter, Life
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, Phase, State


@dataclass(frozen=True)
class Reading:
    """What a lane knows of a match at a moment, by the names of `MatchFacts`: its place is on its line."""

    stream_s: float
    reference_s: float
    ended_s: float  # should it be over
    speed: float
    semitones: float
    score: float
    track: Track
    evidence: Evidence
    latest_s: float = math.inf  # where its track ends, if its line may have left it

    def is_due_after(self, told: "Reading", after_s: float, correction_s: float) -> bool:
        """Return whether to tell a match again: not told for so long, or its place was corrected so far."""
        since_s = self.stream_s - told.stream_s
        moved_s = abs(self.reference_s - self.stream_s - (told.reference_s - told.stream_s))
        return since_s >= after_s or moved_s - abs(self.speed - 1) * since_s > correction_s


class Teller:
    """Tells what happens to the matches of a lane, whose scores have a calibration."""

    def __init__(self, arbiter: Arbiter, calibration: Calibration) -> None:
        self._arbiter = arbiter
        self._calibration = calibration

    def begin(self, cue: Cue, started_s: float, reading: Reading) -> MatchFacts:
        """Tell that the lane claims a match: that it starts, or goes on from the other lane."""
        life, phase = self._arbiter.begin(cue, reading.track.id, started_s)
        return self._facts(life, phase, reading)

    def advance(self, match_id: str, cue: Cue, reading: Reading) -> list[MatchFacts]:
        """Give a cue to a match; tell what follows, if anything does."""
        ended_s = max(reading.ended_s, self._arbiter.life(match_id).started_s)
        life, phase = self._arbiter.advance(match_id, cue, reading.stream_s, ended_s)
        return [self._facts(life, phase, replace(reading, ended_s=ended_s))] if phase else []

    def describe(self, state: State, started_s: float, reading: Reading) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        return self._facts(Life("0", reading.track.id, state, started_s), "started", reading)

    def _facts(self, life: Life, phase: Phase, reading: Reading) -> MatchFacts:
        told = dict(vars(reading))
        told["reference_s"] = min(reading.reference_s, told.pop("latest_s"))
        told["ended_s"] = reading.ended_s if phase == "ended" else None
        return MatchFacts(
            **told,
            phase=phase,
            match_id=life.match_id,
            started_s=life.started_s,
            kind=life.state.kind,
            confidence=self._calibration.confidence(reading.score),
            false_alarms_per_hour=self._calibration.false_alarms_per_hour(reading.score),
        )
