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


def fisher_z(correlation: npt.ArrayLike) -> Float32:
    """Return Fisher's transformation (1915) of a correlation, bounded."""
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


@dataclass(frozen=True)
class BackgroundPlaces:
    """The places of the moment, of which each candidate has its own background scores.

    Of several kinds, lines and decoys, each found at shift 0 or at another, the means move apart in a large
    catalogue, while each kind spreads as before. There they are levelled, or true lines would lose score.
    """

    evidence: Float64  # length of each window, in positions of the default settings [shape=(n_windows,)]
    correlation: Float32  # of each place, by window [shape=(n, n_windows)]
    group: Int64  # independent group, of which the best place counts [shape=(n,)]
    shift: Int64
    forward: Bools  # which are no decoys
    decades: float  # of the size of the catalogue; from 1 on all is levelled

    def spreads(self, excluded: Bools, shifted: Bools) -> tuple[Float32, Float32]:
        """Return mean and deviation [shape=(n_candidates, n_windows)] of the places that are not excluded.

        These are [shape=(n_candidates, n)]; for candidates that were found at a shift, nothing is levelled.
        """
        z = fisher_z(self.correlation)
        found = self._spread(z, excluded)
        if not self.decades:
            return found
        off = np.float32(min(self.decades, 1.0)) * self._better_at_a_shift(z)
        level = self._spread(z - off, excluded)
        mean, deviation = (np.where(shifted[:, np.newaxis], *two) for two in zip(found, level, strict=True))
        return mean, deviation

    def _spread(self, z: Float32, excluded: Bools) -> tuple[Float32, Float32]:
        from stream_match.index.keyed_sums import spreads  # when matching begins, not when this is loaded

        order, root = np.lexsort((-z.mean(axis=1), self.group)), np.sqrt(self.evidence)
        before = tuning.BACKGROUND_MEAN / root, (tuning.BACKGROUND_DEVIATION / root) ** 2
        counted = tuning.PRIOR_GROUPS, tuning.ENOUGH
        return spreads(z[order], self.group[order], order, excluded, *before, *counted)

    def _better_at_a_shift(self, z: Float32) -> Float32:
        """Return by how much the medians at a shift are too high, of lines and decoys apart; 0 at shift 0."""
        better, kind = np.zeros_like(z), 2 * self.shift + self.forward
        rows = {int(one): np.flatnonzero(kind == one) for one in np.unique(kind)}
        medians = {  # the lower of two
            one: np.sort(z[at], axis=0)[(len(at) - 1) // 2]
            for one, at in rows.items()
            if len(at) >= tuning.PRIOR_GROUPS
        }
        allowed = tuning.SHIFTED_BACKGROUND / np.sqrt(self.evidence)
        for one, median in medians.items():
            if one % 2 in medians and one > 1:
                better[rows[one]] = np.maximum(0, median - medians[one % 2] - allowed)
        return better
