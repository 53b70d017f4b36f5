"""How fast affinity falls with distance: given, or estimated from the distances of neighbours.

The estimates are those of librosa 0.11 (`librosa.segment.cross_similarity`). Those per pair follow
Zelnik-Manor & Perona, "Self-tuning spectral clustering" (2004), and Wang et al., "Similarity network fusion"
(2014).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Linked:
    """What is known of the links when their bandwidth is estimated.

    Parameters
    ----------
    columns : np.ndarray [shape=(n, k), dtype=int64]
        Reference frames.
    distances : np.ndarray [shape=(n, k), dtype=float64]
    present : np.ndarray [shape=(n, k), dtype=bool]
        False where the distance is zero: that is no link.
    n_ref : int
    """

    columns: Int64
    distances: Float64
    present: Bools
    n_ref: int

    def nearest(self, k: int) -> tuple[Float64, Float64]:
        """Return the distance to the `k`-th link of each frame, and the mean to the first `k`.

        Of a frame with fewer links, to the last, and to all; nan without any [shape=(n,)].
        """
        near = np.sort(np.where(self.present, self.distances, np.inf), axis=1)[:, :k]
        count = np.minimum(self.present.sum(axis=1), near.shape[1])
        last = near[np.arange(len(near)), np.maximum(count - 1, 0)]
        total = np.where(np.isfinite(near), near, 0).sum(axis=1)
        none = count == 0
        return np.where(none, np.nan, last), np.where(none, np.nan, total / np.maximum(count, 1))


def _arithmetic(own: Float64, other: Float64, _: Float64) -> Float64:
    return (own + other) / 2


def _geometric(own: Float64, other: Float64, _: Float64) -> Float64:
    mean: Float64 = np.sqrt(own * other)
    return mean


def _with_pair(own: Float64, other: Float64, pair: Float64) -> Float64:
    return (own + other + pair) / 3


_OF_PAIRS: dict[str, tuple[int, Callable[[Float64, Float64, Float64], Float64]]] = {
    "mean_k": (0, _arithmetic),
    "gmean_k": (0, _geometric),
    "mean_k_avg": (1, _arithmetic),
    "gmean_k_avg": (1, _geometric),
    "mean_k_avg_and_pair": (1, _with_pair),
}
"""Estimates per pair: which result of `Linked.nearest` they take, and how they join those of both frames."""

ESTIMATES = ("med_k_scalar", *_OF_PAIRS)


def bandwidth_of(linked: Linked, bandwidth: Any, k: int) -> Float64:
    """Return the bandwidth of each link.

    Parameters
    ----------
    linked : Linked
    bandwidth : None, str, float or np.ndarray [shape=(n, n_ref)]
        As for `cross_similarity`.
    k : int, >= 1

    Returns
    -------
    np.ndarray [shape=(n, k) or ()]

    Raises
    ------
    ParameterError
        If it is not positive, of another shape or unknown, or cannot be estimated.
    """
    if bandwidth is None:
        bandwidth = ESTIMATES[0]
    if isinstance(bandwidth, str):
        return _estimated(linked, bandwidth, k)
    if isinstance(bandwidth, np.ndarray) and bandwidth.ndim:
        return _given(linked, bandwidth)
    try:
        scalar = float(bandwidth)
    except (TypeError, ValueError):
        raise _unknown(bandwidth) from None
    if not scalar > 0:
        raise ParameterError(f"bandwidth is {scalar:g}; give a number above 0.")
    return np.asarray(scalar)


def _given(linked: Linked, bandwidth: npt.NDArray[Any]) -> Float64:
    shape = (len(linked.columns), linked.n_ref)
    if bandwidth.shape != shape:
        raise ParameterError(f"bandwidth has shape {bandwidth.shape}; give one of (n, n_ref), here {shape}.")
    if bandwidth.dtype.kind not in "buif" or not np.all(bandwidth > 0):
        raise ParameterError("bandwidth holds values that are not above 0; give positive numbers only.")
    taken: Float64 = np.take_along_axis(bandwidth, linked.columns, axis=1).astype(np.float64)
    return taken


def _estimated(linked: Linked, name: str, k: int) -> Float64:
    if name not in ESTIMATES:
        raise _unknown(name)
    nearest = linked.nearest(k)
    if name == "med_k_scalar":
        if np.all(np.isnan(nearest[0])):
            raise ParameterError(
                "All distances are zero, so that no bandwidth can be estimated; "
                "give a number, or features that are not constant."
            )
        return np.asarray(np.nanmedian(nearest[0]))
    which, joined = _OF_PAIRS[name]
    own = nearest[which]
    if np.any(np.isnan(own)):
        raise ParameterError(
            f"Frame {int(np.argmax(np.isnan(own)))} of data is at distance zero from all its neighbours, so "
            f"that bandwidth={name!r} cannot be estimated; give a number, or 'med_k_scalar'."
        )
    far = int(np.where(linked.present, linked.columns, 0).max())
    if far >= len(own):
        raise ParameterError(
            f"bandwidth={name!r} compares frames of data and data_ref that have the same number, but data "
            f"has {len(own)} frames and is linked to frame {far} of data_ref; give a number, 'med_k_scalar', "
            "or the longer sequence first."
        )
    other = own[np.where(linked.present, linked.columns, 0)]
    return joined(own[:, np.newaxis], other, linked.distances)


def _unknown(bandwidth: object) -> ParameterError:
    return ParameterError(
        f"bandwidth is {bandwidth!r}; give a number above 0, an array of shape (n, n_ref), "
        f"or one of {', '.join(ESTIMATES)}."
    )
