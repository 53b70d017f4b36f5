"""What one sound explains of the correlation with another: one rule, the semi-partial correlation.

Correlations of codes are those of signs; their sines are the cosines between what was coded, and follow the
rule. Where a candidate only resembles something known, its cosine with what is heard is the product of the
two other cosines. What is more is its own: in a mixture of two sounds with nothing in common, all of it is.
"""

import numpy as np
import numpy.typing as npt

from stream_match.index.port import Float64
from stream_match.match import tuning


def cosine_of(correlation: npt.ArrayLike) -> Float64:
    """Return the cosine between two vectors whose signs correlate so, -1 to 1 (Charikar 2002)."""
    return np.asarray(np.sin(np.pi / 2 * np.clip(correlation, -1, 1)), np.float64)


def correlation_of(cosine: npt.ArrayLike) -> Float64:
    """Return the correlation of the signs of two vectors: the inverse of `cosine_of`."""
    return np.asarray(2 / np.pi * np.arcsin(np.clip(cosine, -1, 1)), np.float64)


def own_correlation(heard: npt.ArrayLike, known: npt.ArrayLike, alike: npt.ArrayLike) -> Float64:
    """Return the correlation of what is heard with what a candidate has beyond something known.

    Given are those of what is heard with the candidate and with what is known, and that of these two.
    """
    shared, explained = cosine_of(alike), cosine_of(known)
    own = cosine_of(heard) - explained * shared
    own /= np.sqrt(np.maximum(tuning.LEAST_LEFT, 1 - shared**2))
    # Nothing has more of its own than what is known leaves.
    return correlation_of(np.minimum(own, np.sqrt(1 - explained**2)))


def share_left(known: npt.ArrayLike) -> Float64:
    """Return the share of the power of what is heard that sounds `known` [shape=(n_known, ...)] leave."""
    explained = np.square(cosine_of(known)).sum(axis=0)
    left: Float64 = np.maximum(tuning.LEAST_LEFT, 1 - explained)
    return left
