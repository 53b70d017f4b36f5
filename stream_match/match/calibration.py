"""What a score is worth: how often audio that is not in the catalogue reaches it."""

import math

ALARMS_AT_ZERO_LOG10 = 5.1
SCORE_PER_DECADE = 1.25
"""The tail of the score on unknown audio is exponential: each step of 1.25 makes it ten times rarer.

Fitted to the highest score of every ten seconds of 2.7 hours of music against a catalogue of 13 hours
that does not hold it (13 an hour over 5, 1.5 over 6, none over 6.5); pieces that the catalogue holds in
another arrangement were left out, for they are neither the recording nor unrelated."""

_TRUE_MATCHES_PER_HOUR = 1.0
"""How often something known is assumed to sound, for the confidence: on the low side."""


def false_alarms_per_hour(score: float) -> float:
    """Return how often an hour of unknown audio reaches a score.

    Parameters
    ----------
    score : float
        Standard deviations above the rivals; see `stream_match.match.scoring`.
    """
    return float(10 ** (ALARMS_AT_ZERO_LOG10 - score / SCORE_PER_DECADE))


def score_for(alarms_per_hour: float) -> float:
    """Return the score that unknown audio reaches so often per hour."""
    return SCORE_PER_DECADE * (ALARMS_AT_ZERO_LOG10 - math.log10(alarms_per_hour))


def confidence(score: float) -> float:
    """Return the probability that a claim at this score is right, in [0, 1]."""
    return _TRUE_MATCHES_PER_HOUR / (_TRUE_MATCHES_PER_HOUR + false_alarms_per_hour(score))
