"""What a stack of means would hold of the time before anything was heard.

A code takes 1.9 s of sound. What begins with the stream, or after a gap, is recognised sooner if the older
part of its stack is taken to be what it most likely was: the best linear guess from the newer part, backward
linear prediction by the moments of music (Makhoul 1975, "Linear prediction: a tutorial review").
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from stream_match.features.learnt import music_moments
from stream_match.features.shape import stacked_moments

Float32 = npt.NDArray[np.float32]

_RIDGE = 1e-3
"""Share of their mean square that is added to what is known: no guess leans on small differences then."""


def backcast(stacked: Float32, n_steps: int, step_s: float) -> Float32:
    """Fill in what was not heard of stacked shapes.

    Parameters
    ----------
    stacked : np.ndarray [shape=(n, n_coefficients * n_steps), dtype=float32]
        Newest step first. Steps that were not heard are NaN; the newest was.
    n_steps : int
    step_s : float
        Seconds from one step to the next.

    Returns
    -------
    np.ndarray [shape=(n, n_coefficients * n_steps), dtype=float32]
        A new array; what was heard is as it was. A row does not depend on those beside it.
    """
    filled = stacked.copy()
    width = stacked.shape[1] // n_steps
    heard = n_steps - np.isnan(stacked[:, ::width]).sum(axis=1)
    for n_heard in set(heard.tolist()) - {n_steps}:
        rows = np.flatnonzero(heard == n_heard)
        known = filled[rows, : n_heard * width]
        weights = _weights(n_heard, n_steps, width, step_s)
        filled[rows, n_heard * width :] = np.einsum("ij,jk->ik", known, weights[1:]) + weights[0]
    return filled


def hold(stacked: Float32, n_steps: int) -> Float32:
    """Fill in what was not heard of stacked chroma with the oldest that was: chords last.

    Parameters
    ----------
    stacked, n_steps
        As in `backcast`.

    Returns
    -------
    np.ndarray [shape=(n, n_coefficients * n_steps), dtype=float32]
    """
    steps = stacked.reshape(len(stacked), n_steps, stacked.shape[1] // n_steps).copy()
    for older in range(1, n_steps):
        unheard = np.isnan(steps[:, older])
        steps[:, older][unheard] = steps[:, older - 1][unheard]
    return steps.reshape(stacked.shape)


@cache
def _weights(n_heard: int, n_steps: int, width: int, step_s: float) -> Float32:
    """Return the weights of 1 and of what was heard [shape=(1 + n_heard * width, rest), dtype=float32]."""
    n_coefficients = 1 + width
    lags = music_moments()[:, :n_coefficients, :n_coefficients].astype(np.float64)
    moments = stacked_moments(lags, n_steps, step_s)
    places = np.arange(n_steps * n_coefficients)
    coefficients = places[places % n_coefficients > 0]
    known = np.insert(coefficients[: n_heard * width], 0, 0)
    among = moments[np.ix_(known, known)]
    ridge = _RIDGE * np.trace(among[1:, 1:]) / (n_heard * width)
    among[1:, 1:] += ridge * np.eye(n_heard * width)
    weights: Float32 = np.linalg.solve(among, moments[np.ix_(known, coefficients[n_heard * width :])])
    return weights.astype(np.float32)
