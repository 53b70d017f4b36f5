"""What a stack of means would hold of the time before anything was heard.

A code spans 1.9 s of sound. What begins with the stream, or after a gap, is recognised sooner if the older
part of its stack is taken to be what it most likely was: the best linear guess from the newer part, backward
linear prediction by the moments of music (Makhoul 1975, "Linear prediction: a tutorial review").
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_match.features.learnt import music_moments
from stream_match.features.shape import moments_apart

Float32 = npt.NDArray[np.float32]

_RIDGE = 1e-3
"""Share of their mean square that is added to what is known: no guess leans on small differences then."""

_MOST_KNOWN = 8
"""Steps from which the older ones are guessed at most: the oldest of those heard."""


def backcast(stacked: Float32, n_steps: int, step_s: float) -> Float32:
    """Fill in what was not heard of stacked shapes.

    Parameters
    ----------
    stacked : np.ndarray [shape=(n, n_coefficients * n_steps), dtype=float32]
        Newest step first. The oldest steps are NaN where they were not heard.
    n_steps : int
    step_s : float
        Seconds from one step to the next.

    Returns
    -------
    np.ndarray [shape=(n, n_coefficients * n_steps), dtype=float32]
        The array given, if all was heard. A row does not depend on those beside it.
    """
    heard = _heard(stacked, n_steps)
    if (heard == n_steps).all():
        return stacked
    filled, width = stacked.copy(), stacked.shape[1] // n_steps
    for n_heard in set(heard.tolist()) - {n_steps}:
        rows, first = np.flatnonzero(heard == n_heard), max(0, n_heard - _MOST_KNOWN)
        weights = _weights(n_heard - first, n_steps - n_heard, width, step_s)
        known = filled[rows, first * width : n_heard * width]
        filled[rows, n_heard * width :] = np.einsum("ij,jk->ik", known, weights[1:]) + weights[0]
    return filled


def hold(stacked: Float32, n_steps: int, fewest: int) -> Float32:
    """Fill in what was not heard of stacked chroma: chords last.

    Parameters
    ----------
    stacked : np.ndarray [shape=(n, 12 * n_steps), dtype=float32]
        Newest step first; all zero in silence. The oldest steps are NaN where they were not heard.
    n_steps : int
    fewest : int
        So many steps must have been heard, and more than half of them sound.

    Returns
    -------
    np.ndarray [shape=(n, 12 * n_steps), dtype=float32]
        With the oldest step that sounds in place of those not heard, or all zero there if that is not so. The
        array given, if all was heard.
    """
    heard = _heard(stacked, n_steps)
    if (heard == n_steps).all():
        return stacked
    steps = stacked.reshape(len(stacked), n_steps, stacked.shape[1] // n_steps).copy()
    for row in np.flatnonzero(heard < n_steps):
        own = steps[row, : heard[row]]
        sounding = np.flatnonzero(own.any(axis=1))
        enough = heard[row] >= fewest and 2 * len(sounding) > heard[row]
        steps[row, heard[row] :] = own[sounding[-1]] if enough else 0
    return steps.reshape(stacked.shape)


def _heard(stacked: Float32, n_steps: int) -> npt.NDArray[np.int64]:
    """Return how many steps of each row were heard."""
    heard: npt.NDArray[np.int64] = n_steps - np.isnan(stacked[:, :: stacked.shape[1] // n_steps]).sum(axis=1)
    return heard


@lru_cache(maxsize=16)
def _weights(n_known: int, n_unheard: int, width: int, step_s: float) -> Float32:
    """Return the weights of 1 and of what is known, newest first.

    Returns
    -------
    np.ndarray [shape=(1 + n_known * width, n_unheard * width), dtype=float32]
    """
    lags = music_moments()[:, : 1 + width, : 1 + width].astype(np.float64)
    if n_known == 0:
        return np.tile(lags[0, 0, 1:], (1, n_unheard)).astype(np.float32)
    apart = [moments_apart(lags, later * step_s) for later in range(n_known + n_unheard)]
    known = [[_between(newer, older, apart) for older in range(n_known)] for newer in range(n_known)]
    unheard = [[apart[older - newer].T for older in range(n_known, len(apart))] for newer in range(n_known)]
    # The products with 1 stand in each block; one row and one column of them are enough.
    once = np.r_[0, np.flatnonzero(np.arange(n_known * (1 + width)) % (1 + width))]
    among = np.block(known)[np.ix_(once, once)]
    among[1:, 1:] += _RIDGE * np.trace(among[1:, 1:]) / (n_known * width) * np.eye(n_known * width)
    wanted = np.flatnonzero(np.arange(n_unheard * (1 + width)) % (1 + width))
    weights: Float32 = np.linalg.solve(among, np.block(unheard)[np.ix_(once, wanted)]).astype(np.float32)
    return weights


def _between(one: int, other: int, apart: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return the moments of a step with another, of which the higher number is the older."""
    return apart[other - one].T if other >= one else apart[one - other]
