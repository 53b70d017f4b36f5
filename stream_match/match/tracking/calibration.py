"""What a score is worth: how often audio that is not in the catalogue reaches it."""

import math
from dataclasses import dataclass

from stream_match.match import tuning


@dataclass(frozen=True)
class Calibration:
    """The tail of a lane's scores on unknown audio, which is about exponential."""

    alarms_at_zero_log10: float  # false alarms an hour at score 0, if all of it were tail
    score_per_decade: float  # by which they are ten times rarer
    known_per_hour: float  # true claims that are supposed to stand against them
    share: float = 1.0  # of the false alarms put up with that is for this lane

    @classmethod
    def recordings(cls) -> "Calibration":
        """Return that of the recording lane: known recordings are spread evenly over the scores."""
        per_decade = tuning.RECORDING_SCORE_PER_DECADE
        known = tuning.RECORDING_KNOWN_PER_SCORE * per_decade / math.log(10)
        return cls(tuning.RECORDING_ALARMS_LOG10, per_decade, known)

    @classmethod
    def versions(cls) -> "Calibration":
        """Return that of the version lane."""
        alarms, per_decade = tuning.VERSION_ALARMS_LOG10, tuning.VERSION_SCORE_PER_DECADE
        return cls(alarms, per_decade, tuning.VERSION_KNOWN_PER_HOUR, tuning.VERSION_SHARE)

    def false_alarms_per_hour(self, score: float) -> float:
        """Return how often an hour of unknown audio reaches a score."""
        return float(10 ** (self.alarms_at_zero_log10 - score / self.score_per_decade))

    def score_for(self, max_false_alarms_per_hour: float) -> float:
        """Return the score from which the lane claims, given the false alarms put up with in all."""
        alarms = self.share * max_false_alarms_per_hour
        return self.score_per_decade * (self.alarms_at_zero_log10 - math.log10(alarms))

    def confidence(self, score: float) -> float:
        """Return the probability that a claim with this score is right, in [0, 1]."""
        return self.known_per_hour / (self.known_per_hour + self.false_alarms_per_hour(score))
