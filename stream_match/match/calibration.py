"""What a score is worth: how often audio that is not in the catalogue reaches it."""

import math

ALARMS_AT_ZERO_LOG10 = 5.3
SCORE_PER_DECADE = 1.4
"""The tail of the score on unknown audio is exponential: each step of 1.4 makes it ten times rarer.

Set by the highest score of every ten seconds of 3 hours of music against 13 hours that do not hold it: 38 an
hour over 5, 9.4 over 6, 3 over 7, 2 over 8, 0.7 over 9. Five pairs of tracks of one soundtrack, which share
drum loops and samples and hence are no chance, gave all of those over 7; without them 33 over 5, 4.7 over 6
and none over 7. The line lies between the two."""

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
