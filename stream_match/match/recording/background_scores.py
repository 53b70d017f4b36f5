"""Background scores, as in t-norm: what the best lines of other tracks reach, and lines read backwards."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.match import tuning

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LARGEST = 0.98
"""Correlations above are taken for this one: Fisher's z has no bound."""


def decades(catalogue_h: float) -> float:
    """Return the logarithm of a catalogue's size in `ORDINARY_H`, 0 at least."""
    return math.log10(max(catalogue_h, tuning.ORDINARY_H) / tuning.ORDINARY_H)


def levelled_share(catalogue_h: float) -> float:
    """Return by how much background scores of several kinds are levelled in a catalogue, 0 to 1.

    Kinds are lines and decoys, each found at shift 0 or at another. In a large catalogue their means move
    apart, while each kind spreads as before. All together spread wider, and true lines would lose score.
    """
    return min(decades(catalogue_h), 1.0)


def fisher_z(correlation: npt.ArrayLike) -> Float32:
    """Return Fisher's transformation of a correlation: from 0.8 to 0.9 is farther than from 0 to 0.1.

    References
    ----------
    Fisher, R. A. (1915), Frequency distribution of the values of the correlation coefficient.
    """
    transformed: Float32 = np.arctanh(np.clip(correlation, -_LARGEST, _LARGEST)).astype(np.float32)
    return transformed


@dataclass(frozen=True)
class BackgroundScores:
    """Mean and deviation by window of the `fisher_z` that chance reaches at the moment."""

    windows: npt.NDArray[np.int64]
    mean: Float32
    deviation: Float32

    def score(self, correlation: float, window: int) -> float:
        """Return the score of a correlation over `window` positions."""
        nearest = self._nearest(window)
        return float((fisher_z(correlation) - self.mean[nearest]) / self.deviation[nearest])

    def difference(self, one: npt.ArrayLike, other: npt.ArrayLike, window: int) -> Float32:
        """Return how far a correlation over `window` positions is above another, in deviations."""
        difference: Float32 = (fisher_z(one) - fisher_z(other)) / self.deviation[self._nearest(window)]
        return difference

    def level(self, score: float, window: int) -> float:
        """Return the correlation over `window` positions that has a score."""
        nearest = self._nearest(window)
        return float(np.tanh(self.mean[nearest] + score * self.deviation[nearest]))

    def _nearest(self, window: int) -> int:
        return int(np.argmin(np.abs(self.windows - window)))


class BackgroundPlaces:
    """The places of the moment, of which each candidate has its own background scores.

    Parameters
    ----------
    windows : np.ndarray [shape=(n_windows,), dtype=int64]
    evidence : np.ndarray [shape=(n_windows,), dtype=float64]
        Positions of the default settings that say as much.
    correlation : np.ndarray [shape=(n, n_windows), dtype=float32]
        Of each place, by window.
    group : np.ndarray [shape=(n,), dtype=int64]
        Independent group of each place; the best place of each counts.
    shift : np.ndarray [shape=(n,), dtype=int64]
        Number of the shift of each place.
    forward : np.ndarray [shape=(n,), dtype=bool]
        Which places are no decoys.
    levelled : float, 0 to 1
        From `levelled_share`.
    """

    def __init__(
        self,
        windows: Int64,
        evidence: Float64,
        correlation: Float32,
        group: Int64,
        shift: Int64,
        forward: Bools,
        levelled: float,
    ) -> None:
        self._windows = windows
        self._root = np.sqrt(evidence)
        z = fisher_z(correlation)
        self._found = self._levelled = _Ordered(z, group)
        if levelled > 0:
            off = _better_at_a_shift(z, shift, forward, tuning.SHIFTED_BACKGROUND / self._root)
            self._levelled = _Ordered(z - np.float32(levelled) * off, group)

    def without(self, excluded: Bools, *, shifted: bool = False) -> BackgroundScores:
        """Return the background scores of the places that are not excluded.

        Parameters
        ----------
        excluded : np.ndarray [shape=(n,), dtype=bool]
        shifted : bool
            Whether the candidate was found at a shift.
        """
        mean, deviation = self.spreads(excluded[np.newaxis], np.array([shifted]))
        return BackgroundScores(self._windows, mean[0], deviation[0])

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
    """Fisher's z of places [shape=(n, n_windows), dtype=float32], by group, best first over all windows."""

    def __init__(self, z: Float32, group: Int64) -> None:
        self._order = np.lexsort((-z.mean(axis=1), group))
        self._z, self._group = z[self._order], group[self._order]

    def spreads(self, excluded: Bools, root: Float64) -> tuple[Float32, Float32]:
        """Return mean and deviation over the best place of each group, excluded places left out."""
        from stream_match.index.keyed_sums import spreads  # when matching begins, not when this is loaded

        return spreads(
            self._z,
            self._group,
            self._order,
            np.ascontiguousarray(excluded),
            tuning.BACKGROUND_MEAN / root,
            (tuning.BACKGROUND_DEVIATION / root) ** 2,
            tuning.PRIOR_GROUPS,
            tuning.ENOUGH,
        )


def _better_at_a_shift(z: Float32, shift: Int64, forward: Bools, allowed: Float64) -> Float32:
    """Return by how much the medians at a shift are above that of shift 0, beyond what is allowed.

    Parameters
    ----------
    z : np.ndarray [shape=(n, n_windows), dtype=float32]
    shift : np.ndarray [shape=(n,), dtype=int64]
    forward : np.ndarray [shape=(n,), dtype=bool]
        Lines and decoys are compared apart.
    allowed : np.ndarray [shape=(n_windows,), dtype=float64]

    Returns
    -------
    np.ndarray [shape=(n, n_windows), dtype=float32]
        0 at shift 0.
    """
    better = np.zeros_like(z)
    kind = 2 * shift + forward
    rows = {int(one): np.flatnonzero(kind == one) for one in np.unique(kind)}
    medians = {one: _median(z[at]) for one, at in rows.items() if len(at) >= tuning.PRIOR_GROUPS}
    for one, median in medians.items():
        if one % 2 in medians and one > 1:
            better[rows[one]] = np.maximum(0, median - medians[one % 2] - allowed)
    return better


def _median(z: Float32) -> Float32:
    """Return the median of each column, the lower of two."""
    median: Float32 = np.sort(z, axis=0)[(len(z) - 1) // 2]
    return median
