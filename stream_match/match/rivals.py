"""What a candidate has to stand out of: the best lines elsewhere, and the best lines read backwards."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_PRIOR_MEAN = 0.5
_PRIOR_DEVIATION = 0.08
_PRIOR_WEIGHT = 4.0
_ENOUGH_RIVALS = 48
"""What is taken for granted of rivals before any is seen: their best similarity over `n` positions is
0.5 / sqrt(n), as if one had been seen, give or take 0.08 / sqrt(n), as if four had, or as many as there are
too few. In a large catalogue the best lines of wrong tracks have just that mean; their deviation is between
0.03 / sqrt(n) in noise and 0.08 / sqrt(n). It keeps a small catalogue from claiming lightly."""

_SUREST = 0.98
"""More similarity than this says no more."""


def strength(similarity: npt.ArrayLike) -> Float32:
    """Return Fisher's transformation of a similarity: from 0.8 to 0.9 is farther than from 0 to 0.1.

    References
    ----------
    Fisher, R. A. (1915), Frequency distribution of the values of the correlation coefficient.
    """
    transformed: Float32 = np.arctanh(np.clip(similarity, -_SUREST, _SUREST)).astype(np.float32)
    return transformed


@dataclass(frozen=True)
class Rivals:
    """What chance gives at the moment: mean and deviation of the `strength` of the rivals, by window."""

    windows: npt.NDArray[np.int64]
    mean: Float32
    deviation: Float32

    def scores(self, similarity: Float32) -> Float32:
        """Return how far a similarity over each window stands above the rivals."""
        scores: Float32 = (strength(similarity) - self.mean) / self.deviation
        return scores

    def score(self, similarity: float, window: int) -> float:
        """Return how far a similarity over `window` steps stands above the rivals."""
        nearest = int(np.argmin(np.abs(self.windows - window)))
        return float((strength(similarity) - self.mean[nearest]) / self.deviation[nearest])

    def difference(self, one: npt.ArrayLike, other: npt.ArrayLike, window: int) -> Float32:
        """Return how far a similarity over `window` steps stands above another, in deviations."""
        nearest = int(np.argmin(np.abs(self.windows - window)))
        difference: Float32 = (strength(one) - strength(other)) / self.deviation[nearest]
        return difference

    def level(self, score: float, window: int) -> float:
        """Return the similarity over `window` steps that has a score."""
        nearest = int(np.argmin(np.abs(self.windows - window)))
        return float(np.tanh(self.mean[nearest] + score * self.deviation[nearest]))


class Rivalry:
    """The places of the moment, out of which each candidate's rivals are taken.

    Parameters
    ----------
    windows : np.ndarray [shape=(n_windows,), dtype=int64]
    evidence : np.ndarray [shape=(n_windows,), dtype=float64]
        Positions of the default settings that say as much.
    similarity : np.ndarray [shape=(n, n_windows), dtype=float32]
        Of each place, by window.
    unit : np.ndarray [shape=(n,), dtype=int64]
        The best place of each unit is a rival.
    """

    def __init__(self, windows: Int64, evidence: Float64, similarity: Float32, unit: Int64) -> None:
        order = np.lexsort((-similarity.mean(axis=1), unit))
        self._windows = windows
        self._root = np.sqrt(evidence)
        self._in_order = order
        self._strength = strength(similarity[order])
        self._unit = unit[order]

    def without(self, excluded: Bools) -> Rivals:
        """Return the rivals among the places that are not excluded [shape=(n,), dtype=bool]."""
        rows = np.flatnonzero(~excluded[self._in_order])
        unit, first = self._unit[rows], np.ones(len(rows), np.bool_)
        first[1:] = unit[1:] != unit[:-1]  # In each unit, the best comes first.
        rows = rows[first]
        best, root = self._strength[rows], self._root
        mean = (best.sum(axis=0) + _PRIOR_MEAN / root) / (len(rows) + 1)
        supposed = max(_PRIOR_WEIGHT, _ENOUGH_RIVALS - len(rows))
        squares = ((best - mean) ** 2).sum(axis=0) + supposed * (_PRIOR_DEVIATION / root) ** 2
        deviation = np.sqrt(squares / (len(rows) + supposed))
        return Rivals(self._windows, mean.astype(np.float32), deviation.astype(np.float32))
