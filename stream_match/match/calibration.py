"""What a score is worth: how often audio that is not in the catalogue reaches it."""

import math

ALARMS_AT_ZERO_LOG10 = 4.5
SCORE_PER_DECADE = 1.6
"""The tail of the score on unknown audio is about exponential: each step of 1.6 makes it ten times rarer.

Set by the highest score of every ten seconds against 13 hours of references. Music of other makers, 9.8 h:
6.8 an hour over 5, 1.1 over 6, 0.3 over 7, 0.1 over 8. Other tracks of the references' own soundtracks, 3 h,
which share themes, drum loops and samples with them: 18 an hour over 5, 7 over 6, 5 over 7, 2 over 8, 1 over
9. The line lies between the two. That was before each stacked frame was a mean; since, the first are 9.8,
2.4, 0.6, 0.2 and the second 25, 9.4, 5, 2.7, 1."""

_KNOWN_PER_HOUR = 10.0
_SCORES_OF_KNOWN = 30.0
"""For the confidence, ten known things are supposed to sound in an hour of which nothing else is known; their
scores are spread over about thirty, as those of five hours of broadcast are."""


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
    """Return the probability that a claim is right whose score has come to this, in [0, 1].

    Of the claims that end up about here, the share that known audio brings.
    """
    known = _KNOWN_PER_HOUR / _SCORES_OF_KNOWN
    unknown = false_alarms_per_hour(score) * math.log(10) / SCORE_PER_DECADE
    return known / (known + unknown)
