"""Exact nearest frames: FAISS searches in float32, and float64 decides where float32 cannot.

The frames are centred and scaled, which changes no order of distances. FAISS returns a few more neighbours
than are wanted. The error of its squared distances has a bound (Higham 2002, chapter 3: sums of products).
Neighbours are taken as they are where the bound cannot change the choice. Within twice the bound of the last
place, distances are computed again in float64, by differences and not by products. Where the bound reaches
beyond what FAISS has returned, the frame is compared with all others by products in float64, and decided in
the same way.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.index.faiss_index import nearest_vectors, squared_distances

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MARGIN, _MARGIN_SHARE = 8, 32
"""Neighbours searched beyond the wanted ones, and one more for so many of them: the more there are, the
closer they lie together."""

_SELECTED_FROM = 100
"""Neighbours from which FAISS computes distances and we select: its own selection takes longer than the
distances then, ours half as long."""

_SAMPLED = 16
"""Every so many-th distance is looked at, for a limit below which the nearest lie."""

_ROOM = 1.5
"""Distances below the limit for which there is room, as a multiple of how many the sample lets expect."""

_ROWS_AT_ONCE, _ROWS_SELECTED_AT_ONCE = 2048, 128
"""Frames searched at once: results of FAISS, and distances to all frames."""

_FEW_PAIRS = 4_000_000
"""FAISS searches for fewer than about 1,200 vectors without BLAS, seven times slower. Beyond so many pairs,
we select then, too."""

_AT_ONCE = 1 << 20
"""Numbers held at once where distances are computed in float64: 8 MB, which caches hold."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference frames of each frame.

    Parameters
    ----------
    columns : np.ndarray [shape=(n, k), dtype=int64]
        Reference frames, ascending. Of those that are equally far, the first ones.
    distances : np.ndarray [shape=(n, k)] or None
        How far they are; None where nobody asked.
    """

    columns: Int64
    distances: npt.NDArray[np.floating] | None


def nearest_euclidean(data: Float64, reference: Float64, k: int, *, distances: bool) -> Neighbours:
    """Find the nearest frames by Euclidean distance.

    Parameters
    ----------
    data : np.ndarray [shape=(n, d), dtype=float64]
        Finite.
    reference : np.ndarray [shape=(n_ref, d), dtype=float64]
        Finite.
    k : int, 1 <= k <= n_ref
    distances : bool
        Whether the distances are wanted too; they cost as much again.
    """
    scale = _scale(data, reference)
    data, reference = data / scale, reference / scale
    columns = _nearest(data, reference, k)
    return Neighbours(columns, np.sqrt(_squared(data, reference, columns)) * scale if distances else None)


def nearest_cosine(data: Float64, reference: Float64, k: int, *, distances: bool) -> Neighbours:
    """Find the nearest frames by cosine distance: 1 less the cosine of the angle; 1 to a frame of zeros.

    It is half the squared Euclidean distance of frames of unit length, which loses no digits between frames
    that are nearly parallel. Frames of zeros get directions of their own, at a right angle to all others.

    Parameters
    ----------
    data, reference, k, distances
        As for `nearest_euclidean`.
    """
    data, reference = _directions(data, 0), _directions(reference, 1)
    columns = _nearest(data, reference, k)
    return Neighbours(columns, _squared(data, reference, columns) / 2 if distances else None)


def _directions(frames: Float64, own: int) -> Float64:
    """Return frames at unit length; those of zeros lie along an axis `own` of two that are added."""
    size = np.abs(frames).max(axis=1, keepdims=True)
    silent = size[:, 0] == 0
    scaled = frames / np.where(size == 0, 1, size)
    norms = _norms(scaled)
    units = np.zeros((len(frames), frames.shape[1] + 2))
    units[:, :-2] = scaled / np.where(silent, 1, norms)[:, np.newaxis]
    units[silent, frames.shape[1] + own] = 1
    return units


def _scale(data: Float64, reference: Float64) -> float:
    """Return a power of two that brings all numbers to 2 at most; division by it loses nothing."""
    return float(2.0 ** np.frexp(max(np.abs(data).max(), np.abs(reference).max()))[1] / 2)


def _nearest(data: Float64, reference: Float64, k: int) -> Int64:
    """Return the `k` nearest reference frames, ascending [shape=(n, k)]; all numbers are at most 2."""
    n_ref = len(reference)
    if k == n_ref:
        return np.broadcast_to(np.arange(n_ref), (len(data), n_ref))
    search = _Search(data, reference, k)
    single = search.centred[0].astype(np.float32), search.centred[1].astype(np.float32)
    wanted = min(n_ref, k + _MARGIN + k // _MARGIN_SHARE)
    few = len(data) < _ROWS_AT_ONCE and len(data) * n_ref > _FEW_PAIRS
    select = few or wanted >= _SELECTED_FROM
    # Equal portions, each of enough rows.
    portion = _ROWS_SELECTED_AT_ONCE if select else -(-len(data) // max(1, len(data) // _ROWS_AT_ONCE))
    columns = np.empty((len(data), k), np.int64)
    again = np.zeros(len(data), bool)
    for first in range(0, len(data), portion):
        at = np.arange(first, min(first + portion, len(data)))
        columns[at], again[at] = search.decide(at, _searched(single[0][at], single[1], wanted, select=select))
    if np.any(again):
        columns[again] = _searched_again(data[again], reference, k)
    return columns


@dataclass(frozen=True)
class _Found:
    """What a search in float32 has found, in any order.

    Parameters
    ----------
    squared : np.ndarray [shape=(n, m)]
        Squared distances of what is centred; inf where there are fewer.
    rows : np.ndarray [shape=(n, m), dtype=int64]
        Reference frames.
    reached : np.ndarray [shape=(n,)]
        All that are nearer than this are among them.
    """

    squared: npt.NDArray[np.floating]
    rows: Int64
    reached: npt.NDArray[np.floating]


def _searched(data: Float32, reference: Float32, wanted: int, *, select: bool) -> _Found:
    n_ref = len(reference)
    if select:
        return _selected(squared_distances(data, reference), wanted)
    squared, rows = nearest_vectors(data, reference, wanted)
    return _Found(squared, rows, squared[:, -1] if wanted < n_ref else np.full(len(data), np.float32(np.inf)))


def _selected(squared: Float32, wanted: int) -> _Found:
    """Return the least distances of each row: all up to a limit, which leaves at least so many."""
    n, n_ref = squared.shape
    if 2 * wanted > n_ref:
        rows = np.broadcast_to(np.arange(n_ref), (n, n_ref))
        return _Found(squared, rows, np.full(n, np.float32(np.inf)))
    expected = wanted / _SAMPLED
    place = int(expected + 3 * np.sqrt(expected)) + 1  # three deviations: few rows are left with too few
    sample = squared[:, ::_SAMPLED]
    place = min(place, sample.shape[1] - 1)
    reached = np.ascontiguousarray(np.partition(sample, place, axis=1)[:, place])
    width = int(_ROOM * (place + 1) * _SAMPLED)
    near, rows, count = _picked(squared, reached, width)
    few = count < wanted
    if np.any(few):
        reached[few] = np.partition(squared[few], wanted - 1, axis=1)[:, wanted - 1]
        near, rows, count = _picked(squared, reached, width)
    reached[count > width] = -np.inf  # so many are equally far
    near[np.arange(near.shape[1]) >= count[:, np.newaxis]] = np.inf
    return _Found(near, rows, reached)


def _picked(squared: Float32, reached: Float32, width: int) -> tuple[Float32, Int64, Int64]:
    """Return distances in reach, where they stand, and how many there are; behind them is anything."""
    from stream_match.index.selection_kernels import pick  # compiled when it is first needed

    near, rows = np.empty((len(squared), width), np.float32), np.empty((len(squared), width), np.int64)
    count = pick(squared, reached, near, rows)
    most = min(width, int(count.max()))
    return near[:, :most], rows[:, :most], count


class _Search:
    """Decides which frames are nearest, of what products of limited precision have found.

    Parameters
    ----------
    data, reference : np.ndarray [shape=(n, d) and (n_ref, d), dtype=float64]
    k : int, >= 1
    """

    def __init__(self, data: Float64, reference: Float64, k: int) -> None:
        self._data, self._reference, self._k = data, reference, k
        self.centred = _centred(data, reference)
        self._norms = _norms(self.centred[0])
        self._longest = float(_norms(self.centred[1]).max())

    def decide(self, at: Int64, found: _Found) -> tuple[Int64, Bools]:
        """Return the nearest, ascending [shape=(n, k)], and in which rows there may be nearer ones.

        Parameters
        ----------
        at : np.ndarray [shape=(n,), dtype=int64]
            Frames of the data that were searched for.
        found : _Found
        """
        squared, k = found.squared, self._k
        last = np.partition(squared, k - 1, axis=1)[:, k - 1]
        bound = self._bound(at, last)
        low, high = _below(last - 2 * bound, squared.dtype), -_below(-last - 2 * bound, squared.dtype)
        again: Bools = (high[:, 0] >= found.reached) & (found.reached < np.inf)
        chosen = squared < low
        chosen[again] = np.arange(squared.shape[1]) < k  # whatever they are
        is_open = (squared <= high) & ~chosen & ~again[:, np.newaxis]
        room = k - np.count_nonzero(chosen, axis=1)
        settled = np.count_nonzero(is_open, axis=1) == room
        chosen[settled] |= is_open[settled]
        is_open[settled] = False
        rows, places = np.nonzero(is_open)
        columns = found.rows[rows, places]
        exact = _squared_pairs(self._data, self._reference, at[rows], columns)
        order = np.lexsort((columns, exact, rows))
        rows, places = rows[order], places[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        taken = rank < room[rows]
        chosen[rows[taken], places[taken]] = True
        nearest = found.rows[chosen].reshape(len(at), k)
        nearest.sort(axis=1)
        return nearest, again

    def _bound(self, at: Int64, last: npt.NDArray[np.floating]) -> Float64:
        """Return how far off a squared distance may be, of frames as near as the last neighbour.

        Norms and products of `d` numbers, and the rounding of the frames themselves, err by less than
        ``c (|x| + |y|)²``, where ``c = (d + 8) eps / 2``. ``|y|`` is at most ``|x| + |x - y|``, and at most
        that of the longest frame. The divisor is for the distance of the last neighbour, which has an error
        of its own. What is lost to numbers below the smallest of float32 is added.
        """
        d = self._data.shape[1]
        own = self._norms[at]
        reach = own + np.minimum(own + np.sqrt(np.maximum(last, 0), dtype=np.float64), self._longest)
        c = (d + 8) * float(np.finfo(last.dtype).eps) / 2
        bound: Float64 = c * (reach / (1 - np.sqrt(c))) ** 2 + d * 1e-37
        return bound


def _below(numbers: Float64, dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
    """Return numbers of a type that are not greater, as a column."""
    below: npt.NDArray[np.floating] = np.nextafter(numbers.astype(dtype), dtype.type(-np.inf))
    return below[:, np.newaxis]


def _centred(data: Float64, reference: Float64) -> tuple[Float64, Float64]:
    """Return both about the mean of the reference, scaled to 2 at most."""
    mean = reference.mean(axis=0)
    data, reference = data - mean, reference - mean
    scale = _scale(data, reference)
    return data / scale, reference / scale


def _norms(frames: Float64) -> Float64:
    norms: Float64 = np.sqrt(np.einsum("nd,nd->n", frames, frames))
    return norms


def _searched_again(data: Float64, reference: Float64, k: int) -> Int64:
    """Return the `k` nearest reference frames, ascending, by products in float64; equal frames once."""
    data, where = np.unique(data, axis=0, return_inverse=True)
    search = _Search(data, reference, k)
    x, y = search.centred
    norms = _norms(y) ** 2
    columns = np.empty((len(data), k), np.int64)
    portion = max(1, _AT_ONCE // len(reference))
    for first in range(0, len(data), portion):
        at = np.arange(first, min(first + portion, len(data)))
        squared = norms - 2 * x[at] @ y.T + _norms(x[at])[:, np.newaxis] ** 2
        rows = np.broadcast_to(np.arange(len(reference)), squared.shape)
        columns[at] = search.decide(at, _Found(squared, rows, np.full(len(at), np.inf)))[0]
    again: Int64 = columns[where]
    return again


def _squared(data: Float64, reference: Float64, columns: Int64) -> Float64:
    """Return the squared distance of each frame to its neighbours [shape=(n, k)]."""
    n, k = columns.shape
    squared = np.empty((n, k))
    portion = max(1, _AT_ONCE // (k * data.shape[1]))
    for first in range(0, n, portion):
        at = slice(first, first + portion)
        apart = reference[columns[at]] - data[at, np.newaxis]
        np.einsum("nkd,nkd->nk", apart, apart, out=squared[at])
    return squared


def _squared_pairs(data: Float64, reference: Float64, rows: Int64, columns: Int64) -> Float64:
    """Return the squared distances of pairs [shape=(n_pairs,)]."""
    squared = np.empty(len(rows))
    portion = max(1, _AT_ONCE // data.shape[1])
    for first in range(0, len(rows), portion):
        at = slice(first, first + portion)
        apart = reference[columns[at]] - data[rows[at]]
        np.einsum("nd,nd->n", apart, apart, out=squared[at])
    return squared
