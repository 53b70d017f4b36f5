"""What a score of the version lane is worth: how often audio that is not in the catalogue reaches it."""

import math

ALARMS_AT_ZERO_LOG10 = 3.9
SCORE_PER_DECADE = 1.3

_SHARE = 0.1
"""Share of the false alarms put up with that versions may give: most of them are for recordings."""

_TRUE_MATCHES_PER_HOUR = 0.1
"""How often a version of something known is assumed to sound, for the confidence: on the low side."""


def false_alarms_per_hour(score: float) -> float:
    """Return how often an hour of unknown audio reaches a score.

    Parameters
    ----------
    score : float
        Standard deviations above the rivals; see `stream_match.match.versions.scoring`.
    """
    return float(10 ** (ALARMS_AT_ZERO_LOG10 - score / SCORE_PER_DECADE))


def threshold_for(max_false_alarms_per_hour: float) -> float:
    """Return the score from which a version is claimed, given what is put up with in all."""
    return SCORE_PER_DECADE * (ALARMS_AT_ZERO_LOG10 - math.log10(_SHARE * max_false_alarms_per_hour))


def confidence(score: float) -> float:
    """Return the probability that a claim at this score is right, in [0, 1]."""
    return _TRUE_MATCHES_PER_HOUR / (_TRUE_MATCHES_PER_HOUR + false_alarms_per_hour(score))
