"""The nearest tracks of a large table: exactly those of `distances`, and found faster.

All metrics but L1 are Euclidean distances of vectors that are made once: columns times the root of their
factor, or vectors of length 1. Euclidean distances have a lower bound by few numbers: the differences along
the principal axes, and the difference of the lengths of what is left. L1 has one by sums over groups of
columns. Tracks are compared in the order of their lower bounds in float32, until no other can be among the
nearest. If Euclidean bounds leave many tracks, a product with all vectors gives tighter ones. What rounding
leaves open is decided by `distances`, in float64.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

from stream_match.descriptors.distances import (
    METRICS,
    checked_table,
    checked_vector,
    column_factors,
    distances,
)
from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

AXES = 64
"""Principal axes of the lower bound. More of them prune better, and are read for every track."""

GROUP = 8
"""Columns of a sum in the lower bound of L1, and the least number of them; neighbours in a set are alike."""

_MOST_GROUPS = 256
_SAMPLED = 8192
"""Tracks from which the principal axes are taken; other axes make the bounds less tight and never wrong."""

_ROWS = 4096
_FIRST = 1024
"""Tracks that are sorted by their lower bounds at first; mostly no others are looked at."""

_MANY = 0.05
"""Share of the tracks that may be left after these; if more are, a product with all prunes them first."""

_EPS32, _EPS64 = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)

_SMALLEST, _LARGEST = 1e-100, 1e100
_FARTHEST = 1e15
"""What is outside is compared plainly: squares would leave the range of the numbers."""


@dataclass(frozen=True)
class Nearest:
    """The tracks that are nearest to a query.

    Parameters
    ----------
    rows : np.ndarray [shape=(k,), dtype=int64]
        Where they stand in the table, nearest first; of those equally far, the earlier first.
    distances : np.ndarray [shape=(k,), dtype=float64]
    compared : int
        Tracks whose vectors were looked at one by one.
    """

    rows: Int64
    distances: Float64
    compared: int


def principal_axes(table: npt.ArrayLike, count: int) -> tuple[Float64, Float64]:
    """Return the axes along which a table varies most.

    Parameters
    ----------
    table : array_like [shape=(n, d)]
        A row per track.
    count : int
        At least 1, at most d.

    Returns
    -------
    axes : np.ndarray [shape=(d, count), dtype=float64]
        Of length 1 and orthogonal; the strongest first.
    shares : np.ndarray [shape=(count,), dtype=float64]
        Their shares of the variance, as of ``sklearn.decomposition.PCA``; 0 where nothing varies.

    Raises
    ------
    ParameterError
        If there are fewer columns than axes; as for `distances`.
    """
    values = checked_table(table)
    width = values.shape[1]
    if not 1 <= count <= width:
        raise ParameterError(f"{count} axes of {width} columns are asked for; give 1 to {width}.")
    centred = values - values.mean(axis=0)
    size = float(np.abs(centred).max())
    centred /= size or 1.0
    covariance = centred.T @ centred
    strength, axes = scipy.linalg.eigh(covariance, subset_by_index=(width - count, width - 1))
    total = float(np.trace(covariance))
    shares = np.maximum(strength[::-1], 0) / total if total else np.zeros(count)
    return np.ascontiguousarray(axes[:, ::-1]), shares


def nearest_of(found: Float64, k: int) -> Int64:
    """Return where the `k` least distances stand, ascending; of equal ones the earlier first.

    Parameters
    ----------
    found : np.ndarray [shape=(n,), dtype=float64]
    k : int
    """
    return np.argsort(found, kind="stable")[:k].astype(np.int64)


class NearestTracks:
    """A table made ready for the search by one metric.

    Parameters
    ----------
    table : array_like [shape=(n, d)]
        A row per track. It is kept and must not be changed. Beside it stands half as much again.
    metric, lengths, weights
        As for `distances`.

    Raises
    ------
    ParameterError
        As for `distances`.
    """

    def __init__(
        self,
        table: npt.ArrayLike,
        metric: str = "l2",
        *,
        lengths: Mapping[str, int] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        if metric not in METRICS:
            raise ParameterError(f"metric is {metric!r}; give one of {', '.join(METRICS)}.")
        self._table, self._metric = np.ascontiguousarray(checked_table(table)), metric
        self._lengths, self._weights = lengths, weights
        self._roots = np.sqrt(column_factors(metric, self._table.shape[1], lengths, weights))
        self._mean, self._scale = np.zeros(1), 1.0
        largest = max(float(np.abs(part).max()) for part in self._mapped_parts())
        self._plain = not _in_range([largest])
        if metric == "cosine":  # products of lengths would leave the range, which directions do not tell
            self._plain = not _in_range(np.abs(self._table).max(axis=1))
        if not self._plain:
            self._prepare(largest)

    def _mapped(self, x: Float64) -> Float64:
        """Return vectors whose Euclidean distance, or that by L1, is the one that is asked for."""
        if self._metric == "cosine":
            x = _directions(x)
        elif self._metric in ("scaled", "weighted"):
            x = x * self._roots
        return np.asarray((x - self._mean) / self._scale)

    def _mapped_parts(self) -> Iterator[Float64]:
        for first in range(0, len(self._table), _ROWS):
            yield self._mapped(self._table[first : first + _ROWS])

    def _prepare(self, largest: float) -> None:
        n = len(self._table)
        sums = [part.sum(axis=0) for part in self._mapped_parts()]
        # A power of two: to divide by it loses nothing.
        scale = float(2.0 ** np.frexp(largest)[1]) if largest else 1.0
        self._mean, self._scale = np.sum(sums, axis=0) / n, scale
        self._head_of = self._bounds()
        for number, part in enumerate(self._mapped_parts()):
            at = slice(number * _ROWS, number * _ROWS + len(part))
            if not number:
                self._rows = np.empty((n, part.shape[1]), np.float32)
                self._norms = np.empty(n)
                self._head = np.empty((len(self._head_of(part[:1])), n), np.float32)
            self._rows[at] = part
            self._norms[at] = self._norm(part)
            self._head[:, at] = self._head_of(part)
        # What is lost to the mean, in float64; of distances by cosine what `distances` itself loses.
        self._lost = 16 * _EPS64 * (2 * self._width + float(np.linalg.norm(self._mean, 1)) / self._scale)
        if self._metric == "cosine":
            self._lost += float(np.sqrt(8 * self._width * _EPS64))
        self._lost += 1e-15  # squares below the smallest numbers of float32

    @property
    def _width(self) -> int:
        return len(self._roots)

    def _norm(self, mapped: Float64) -> Float64:
        return np.asarray(np.linalg.norm(mapped, 1 if self._metric == "l1" else 2, axis=-1))

    def _bounds(self) -> "_GroupSums | _Projection":
        if self._metric == "l1":
            return _GroupSums(self._width)
        every = -(-len(self._table) // _SAMPLED)
        sample = self._mapped(self._table[::every])
        return _Projection(principal_axes(sample, min(AXES, sample.shape[1]))[0])

    def search(self, query: npt.ArrayLike, k: int) -> Nearest:
        """Return the nearest tracks.

        Parameters
        ----------
        query : array_like [shape=(d,)]
        k : int
            How many, from 1 to n.

        Raises
        ------
        ParameterError
            If `k` is out of range, or the query has another shape or holds NaN or infinity.
        """
        one = checked_vector("query", query)
        if one.shape != self._table.shape[1:]:
            raise ParameterError(f"query has shape {one.shape}; give ({self._width},), as the table has.")
        if not 1 <= k <= len(self._table):
            raise ParameterError(f"k is {k}; give 1 to {len(self._table)}, the number of tracks.")
        everything = np.arange(len(self._table))
        size = float(np.abs(one).max())
        if self._plain or (self._metric == "cosine" and (size == 0 or not _in_range([size]))):
            return self._decided(one, everything, k, len(everything))
        mapped = self._mapped(one[np.newaxis])
        if np.abs(mapped).max() > _FARTHEST:
            return self._decided(one, everything, k, len(everything))
        open_rows, compared = self._open(mapped, k)
        return self._decided(one, open_rows, k, compared)

    def _open(self, mapped: Float64, k: int) -> tuple[Int64, int]:
        """Return all tracks that may be among the nearest, and how many were compared."""
        from stream_match.descriptors.nearest_kernels import BLOCK, add_apart, refine

        n, squared = len(self._rows), int(self._metric != "l1")
        query, length = mapped[0].astype(np.float32), float(self._norm(mapped)[0])
        lost = self._lost * (1 + float(np.abs(mapped).max()))
        # Differences, their squares and sums of up to `BLOCK` of them, and of the axes or groups, err by
        # less than this share of both lengths. Values that are rounded to float32 are in it.
        share = (min(self._rows.shape[1], BLOCK) + AXES) * _EPS32
        slack = share * (self._norms + length) + lost
        sums = np.zeros(n, np.float32)
        add_apart(self._head, self._head_of(mapped)[:, 0].astype(np.float32), squared, sums)
        lower = (np.sqrt(sums) if squared else sums) - slack
        best, refined = np.full(k, np.inf), np.full(n, np.inf)
        first = min(n, max(_FIRST, 4 * k))
        order = np.argpartition(lower, first - 1)[:first] if first < n else np.arange(n)
        order = order[np.argsort(lower[order])]
        compared = refine(self._rows, query, squared, order, lower, slack, best, refined)
        if compared == first < n:
            left = lower <= best[-1]
            left[order] = False
            if squared and np.count_nonzero(left) > _MANY * n:
                lower = np.maximum(lower, self._by_product(query, length) - lost)
                left &= lower <= best[-1]
            rest = np.flatnonzero(left)
            rest = rest[np.argsort(lower[rest])]
            compared += refine(self._rows, query, squared, rest, lower, slack, best, refined)
        return np.flatnonzero(refined <= best[-1]), compared

    def _by_product(self, query: Float32, length: float) -> Float64:
        """Return lower bounds by one product with all vectors, less what rounding makes of it."""
        width, norms = self._rows.shape[1], self._norms
        both = norms**2 + length**2
        error = (width + 16) * (_EPS32 * norms * length + 4 * _EPS64 * both)
        squared = both - 2 * (self._rows @ query).astype(np.float64) - 2 * error
        return np.sqrt(np.maximum(squared, 0))

    def _decided(self, query: Float64, rows: Int64, k: int, compared: int) -> Nearest:
        table = self._table if len(rows) == len(self._table) else self._table[rows]
        found = distances(query, table, self._metric, lengths=self._lengths, weights=self._weights)
        order = nearest_of(found, k)
        return Nearest(rows[order], found[order], compared)


class _Projection:
    """Coordinates along axes, and the length of what is left."""

    def __init__(self, axes: Float64) -> None:
        self._axes = axes

    def __call__(self, mapped: Float64) -> Float64:
        along = mapped @ self._axes
        left = np.einsum("ij,ij->i", mapped, mapped) - np.einsum("ij,ij->i", along, along)
        return np.concatenate([along, np.sqrt(np.maximum(left, 0))[:, np.newaxis]], axis=1).T


class _GroupSums:
    """Sums over groups of neighbouring columns."""

    def __init__(self, width: int) -> None:
        self._firsts = np.arange(0, width, max(GROUP, -(-width // _MOST_GROUPS)))

    def __call__(self, mapped: Float64) -> Float64:
        return np.add.reduceat(mapped, self._firsts, axis=1).T


def _in_range(sizes: npt.ArrayLike) -> bool:
    """Say whether squares of numbers of these sizes keep their digits; zeros do."""
    values = np.asarray(sizes)
    return bool(np.all((values == 0) | ((values > _SMALLEST) & (values < _LARGEST))))


def _directions(x: Float64) -> Float64:
    """Return vectors at length 1; those of zeros lie along an axis that is added."""
    size = np.abs(x).max(axis=1, keepdims=True)
    silent = size[:, 0] == 0
    scaled = x / np.where(size == 0, 1, size)
    units = np.zeros((len(x), x.shape[1] + 1))
    units[:, :-1] = scaled / np.where(silent, 1, np.linalg.norm(scaled, axis=1))[:, np.newaxis]
    units[silent, -1] = 1
    return units
