"""Whether points lie in one heap or in two."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

MIN_POINTS = 4
"""Fewer make no heap."""

ROUNDS = 10

TIGHT = 4.0
"""Two heaps lie so many times farther apart than their points lie from their middles."""


def halves(points: Float64, least: float) -> tuple[list[int], list[int]] | None:
    """Divide points into two heaps, if they are two: 2-means from the two that lie farthest apart.

    Parameters
    ----------
    points : np.ndarray [shape=(n, n_dimensions), dtype=float64]
    least : float
        How far apart the middles of two heaps are at least.

    Returns
    -------
    tuple of list of int, or None
        Indices of the larger and of the smaller heap; None if there is only one.
    """
    away = points[:, np.newaxis] - points[np.newaxis]
    apart = np.einsum("ijk,ijk->ij", away, away)
    middles = points[list(np.unravel_index(int(np.argmax(apart)), apart.shape))]
    second = np.zeros(len(points), bool)
    for _ in range(ROUNDS):
        to_middles = points[:, np.newaxis] - middles[np.newaxis]
        squares = np.einsum("ijk,ijk->ij", to_middles, to_middles)
        before, second = second, squares[:, 1] < squares[:, 0]
        if min(second.sum(), (~second).sum()) < MIN_POINTS:
            return None
        if (before == second).all():
            break
        middles = np.array([points[~second].mean(axis=0), points[second].mean(axis=0)])
    within = float(np.sqrt(squares.min(axis=1)).mean())
    between = float(np.sqrt(np.sum(np.square(middles[0] - middles[1]))))
    if between < least or between < TIGHT * within:
        return None
    heaps = [np.flatnonzero(~second).tolist(), np.flatnonzero(second).tolist()]
    heaps.sort(key=lambda heap: -len(heap))
    return heaps[0], heaps[1]
