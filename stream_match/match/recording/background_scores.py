"""Background scores, as in t-norm: what the best lines of other tracks reach, and lines read backwards."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.index.port import Bools, Float32, Float64, Int64
from stream_match.match import tuning


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
    """Return Fisher's transformation of a correlation, bounded.

    References
    ----------
    Fisher, R. A. (1915), Frequency distribution of the values of the correlation coefficient.
    """
    bounded = np.clip(correlation, -tuning.LARGEST_CORRELATION, tuning.LARGEST_CORRELATION)
    transformed: Float32 = np.arctanh(bounded).astype(np.float32)
    return transformed


@dataclass(frozen=True)
class BackgroundScores:
    """Mean and deviation by window of the `fisher_z` that chance reaches at the moment."""

    windows: Int64
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
    evidence : np.ndarray [shape=(n_windows,), dtype=float64]
        Length of each window, in positions of the default settings.
    correlation : np.ndarray [shape=(n, n_windows), dtype=float32]
    group, shift : np.ndarray [shape=(n,), dtype=int64]
        Independent group of each place, of which the best place counts, and number of its shift.
    forward : np.ndarray [shape=(n,), dtype=bool]
        Which places are no decoys.
    levelled : float, 0 to 1
        From `levelled_share`.
    """

    def __init__(
        self,
        evidence: Float64,
        correlation: Float32,
        group: Int64,
        shift: Int64,
        forward: Bools,
        levelled: float,
    ) -> None:
        self._root = np.sqrt(evidence)
        z = fisher_z(correlation)
        self._found = self._levelled = _ordered(z, group)
        if levelled > 0:
            off = _better_at_a_shift(z, shift, forward, tuning.SHIFTED_BACKGROUND / self._root)
            self._levelled = _ordered(z - np.float32(levelled) * off, group)

    def spreads(self, excluded: Bools, shifted: Bools) -> tuple[Float32, Float32]:
        """Return mean and deviation over the places that are not excluded, for several candidates.

        Parameters
        ----------
        excluded : np.ndarray [shape=(n_candidates, n), dtype=bool]
        shifted : np.ndarray [shape=(n_candidates,), dtype=bool]
            Whether each candidate was found at a shift: then nothing is levelled.

        Returns
        -------
        mean, deviation : np.ndarray [shape=(n_candidates, n_windows), dtype=float32]
        """
        mean = np.empty((len(excluded), len(self._root)), np.float32)
        deviation = np.empty_like(mean)
        for ordered, rows in ((self._levelled, ~shifted), (self._found, shifted)):
            mean[rows], deviation[rows] = self._spread(*ordered, np.ascontiguousarray(excluded[rows]))
        return mean, deviation

    def _spread(self, z: Float32, group: Int64, order: Int64, excluded: Bools) -> tuple[Float32, Float32]:
        """Return mean and deviation over the best place of each group."""
        from stream_match.index.keyed_sums import spreads  # when matching begins, not when this is loaded

        mean_before = tuning.BACKGROUND_MEAN / self._root
        variance_before = (tuning.BACKGROUND_DEVIATION / self._root) ** 2
        prior = tuning.PRIOR_GROUPS, tuning.ENOUGH
        return spreads(z, group, order, excluded, mean_before, variance_before, *prior)


def _ordered(z: Float32, group: Int64) -> tuple[Float32, Int64, Int64]:
    """Return z and group of places by group, best first over all windows, and that order."""
    order = np.lexsort((-z.mean(axis=1), group))
    return z[order], group[order], order


def _better_at_a_shift(z: Float32, shift: Int64, forward: Bools, allowed: Float64) -> Float32:
    """Return by how much the medians at a shift are above that of shift 0, beyond what is allowed.

    Lines and decoys are compared apart. It is 0 at shift 0 [shape=(n, n_windows), dtype=float32].
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
