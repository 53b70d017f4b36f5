"""What one sound explains of the correlation with another: one rule, the semi-partial correlation.

Correlations of codes are those of signs. Their sines are the cosines between what was coded, and follow the
rule. Three sounds: what is heard, a candidate, and something known. Where the candidate only resembles what
is known, its cosine with what is heard is the product of the two other cosines. What is more is its own. In
a mixture of two sounds that have nothing in common, all of it is its own.
"""

import numpy as np
import numpy.typing as npt

from stream_match.match import tuning

Float64 = npt.NDArray[np.float64]


def cosine_of(correlation: npt.ArrayLike) -> Float64:
    """Return the cosine between two vectors whose signs correlate so.

    Parameters
    ----------
    correlation : array_like of float
        Share of the signs that agree less the share of those that do not: -1 to 1.

    References
    ----------
    Charikar, M. S. (2002), Similarity estimation techniques from rounding algorithms.
    """
    return np.asarray(np.sin(np.pi / 2 * np.clip(correlation, -1, 1)), np.float64)


def correlation_of(cosine: npt.ArrayLike) -> Float64:
    """Return the correlation of the signs of two vectors: the inverse of `cosine_of`."""
    return np.asarray(2 / np.pi * np.arcsin(np.clip(cosine, -1, 1)), np.float64)


def own_correlation(heard: npt.ArrayLike, known: npt.ArrayLike, alike: npt.ArrayLike) -> Float64:
    """Return the correlation of what is heard with what a candidate has beyond something known.

    Parameters
    ----------
    heard : array_like of float
        Correlation of what is heard with the candidate.
    known : array_like of float
        Correlation of what is heard with what is known.
    alike : array_like of float
        Correlation of the candidate with what is known.
    """
    shared, explained = cosine_of(alike), cosine_of(known)
    own = cosine_of(heard) - explained * shared
    own /= np.sqrt(np.maximum(tuning.LEAST_LEFT, 1 - shared**2))
    # Nothing has more of its own than what is known leaves.
    return correlation_of(np.minimum(own, np.sqrt(1 - explained**2)))


def share_left(known: npt.ArrayLike) -> Float64:
    """Return what several known sounds leave of what is heard, as a share of its power: 1 if there are none.

    Parameters
    ----------
    known : array_like of float [shape=(n_known, ...)]
        Correlation of what is heard with each.

    Returns
    -------
    np.ndarray [shape=(...), dtype=float64]
        `tuning.LEAST_LEFT` at least.
    """
    explained = np.square(cosine_of(known)).sum(axis=0)
    left: Float64 = np.maximum(tuning.LEAST_LEFT, 1 - explained)
    return left
