"""What a candidate has to stand out of: the best lines elsewhere, and the best lines read backwards."""

import math
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

_BETTER_AT_A_SHIFT = 0.05
"""Of rivals found at a shift, the median strength over `n` positions that is left to them: so much above the
median of those found at none, divided by sqrt(n). That is what half a semitone has in 13 h of references. In
larger catalogues it has more, 0.08 to 0.17. Raising it makes scores smaller there. Measured on 300 excerpts
against 13 h and 122 h; see docs/figures.md, Growth."""

_FEWEST_OF_A_KIND = 4
"""Fewer rivals of one shift and direction have no median worth the name, and are left as they are."""

ORDINARY_H, _LARGE_H = 16.0, 160.0
"""Hours of catalogue up to which nothing is levelled, and from which all is; between, by their logarithm.
The calibration was made against 13 h of references, with rivals as they were found."""

_SUREST = 0.98
"""More similarity than this says no more."""


def levelled_share(catalogue_h: float) -> float:
    """Return by how much the kinds of rivals are levelled in a catalogue of so many hours, 0 to 1.

    Rivals are of several kinds: found as it sounds or at a shift, lines or decoys. Each has its own mean. The
    best lines of a larger catalogue agree better, but not those of each kind by as much. So the kinds move
    apart, and all together spread wider, while each of them spreads as before. True lines would lose score by
    what says nothing about them.
    """
    share = math.log(max(catalogue_h, ORDINARY_H) / ORDINARY_H) / math.log(_LARGE_H / ORDINARY_H)
    return min(share, 1.0)


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
    shift : np.ndarray [shape=(n,), dtype=int64]
        Number of the shift at which each place was found.
    forward : np.ndarray [shape=(n,), dtype=bool]
        Which places are no decoys.
    levelled : float, 0 to 1
        From `levelled_share`.
    """

    def __init__(
        self,
        windows: Int64,
        evidence: Float64,
        similarity: Float32,
        unit: Int64,
        shift: Int64,
        forward: Bools,
        levelled: float,
    ) -> None:
        self._windows = windows
        self._root = np.sqrt(evidence)
        found = strength(similarity)
        self._found = self._levelled = _Ordered(found, unit)
        if levelled > 0:
            off = _better_at_a_shift(found, shift, forward, _BETTER_AT_A_SHIFT / self._root)
            self._levelled = _Ordered(found - np.float32(levelled) * off, unit)

    def without(self, excluded: Bools, *, shifted: bool = False) -> Rivals:
        """Return the rivals among the places that are not excluded.

        Parameters
        ----------
        excluded : np.ndarray [shape=(n,), dtype=bool]
        shifted : bool
            Whether they are those of a candidate that was found at a shift.
        """
        mean, deviation = self.spreads(excluded[np.newaxis], np.array([shifted]))
        return self.rivals(mean[0], deviation[0])

    def rivals(self, mean: Float32, deviation: Float32) -> Rivals:
        """Return rivals with a mean and a deviation [shape=(n_windows,), dtype=float32]."""
        return Rivals(self._windows, mean, deviation)

    def spreads(self, excluded: Bools, shifted: Bools) -> tuple[Float32, Float32]:
        """Return what `without` does, for several candidates at once.

        Parameters
        ----------
        excluded : np.ndarray [shape=(n_candidates, n), dtype=bool]
        shifted : np.ndarray [shape=(n_candidates,), dtype=bool]

        Returns
        -------
        mean, deviation : np.ndarray [shape=(n_candidates, n_windows), dtype=float32]
        """
        if self._found is self._levelled:
            return self._found.spreads(excluded, self._root)
        mean = np.empty((len(excluded), len(self._windows)), np.float32)
        deviation = np.empty_like(mean)
        for ordered, rows in ((self._levelled, ~shifted), (self._found, shifted)):
            mean[rows], deviation[rows] = ordered.spreads(excluded[rows], self._root)
        return mean, deviation


class _Ordered:
    """Strengths of places [shape=(n, n_windows), dtype=float32], by unit, and best first over all windows."""

    def __init__(self, found: Float32, unit: Int64) -> None:
        self._order = np.lexsort((-found.mean(axis=1), unit))
        self._strength, self._unit = found[self._order], unit[self._order]

    def spreads(self, excluded: Bools, root: Float64) -> tuple[Float32, Float32]:
        """Return mean and deviation of the best of each unit, of the places that are not excluded."""
        from stream_match.index.keyed_sums import spreads  # when matching begins, not when this is loaded

        return spreads(
            self._strength,
            self._unit,
            self._order,
            np.ascontiguousarray(excluded),
            _PRIOR_MEAN / root,
            (_PRIOR_DEVIATION / root) ** 2,
            _PRIOR_WEIGHT,
            _ENOUGH_RIVALS,
        )


def _better_at_a_shift(found: Float32, shift: Int64, forward: Bools, allowed: Float64) -> Float32:
    """Return by how much places found at a shift are better, by their medians, than is allowed.

    Parameters
    ----------
    found : np.ndarray [shape=(n, n_windows), dtype=float32]
    shift : np.ndarray [shape=(n,), dtype=int64]
    forward : np.ndarray [shape=(n,), dtype=bool]
        Lines and decoys are compared apart.
    allowed : np.ndarray [shape=(n_windows,), dtype=float64]

    Returns
    -------
    np.ndarray [shape=(n, n_windows), dtype=float32]
        0 for places found at no shift.
    """
    better = np.zeros_like(found)
    kind = 2 * shift + forward
    rows = {int(one): np.flatnonzero(kind == one) for one in np.unique(kind)}
    medians = {one: _median(found[at]) for one, at in rows.items() if len(at) >= _FEWEST_OF_A_KIND}
    for one, median in medians.items():
        if one % 2 in medians and one > 1:
            better[rows[one]] = np.maximum(0, median - medians[one % 2] - allowed)
    return better


def _median(found: Float32) -> Float32:
    """Return the median of each column, the lower of two."""
    median: Float32 = np.sort(found, axis=0)[(len(found) - 1) // 2]
    return median
