"""How far tracks are apart by their descriptors, one set of them or several joined (early fusion)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float64 = npt.NDArray[np.float64]

DEFAULT_WEIGHTS: Mapping[str, float] = {"rp": 0.5, "ssd": 0.9}
"""Of squared differences; a set that is not named here has 1."""

_ROWS = 4096
"""Rows compared at once, so that differences of a large table fit into memory."""


@dataclass(frozen=True)
class ZScore:
    """Mean and deviation of each column of a table; what is scaled by them has mean 0 and deviation 1.

    Parameters
    ----------
    mean : np.ndarray [shape=(d,), dtype=float64]
    deviation : np.ndarray [shape=(d,), dtype=float64]
        Of the population; 0 for a column that holds one value.
    """

    mean: Float64
    deviation: Float64

    def __call__(self, x: npt.ArrayLike) -> Float64:
        """Return scaled vectors; a column that holds one value in the table is 0 throughout.

        Parameters
        ----------
        x : array_like [shape=(..., d)]

        Raises
        ------
        ParameterError
            If it has another number of columns, or holds NaN or infinity.
        """
        values = checked_vector("x", x)
        if values.shape[-1:] != self.mean.shape:
            raise ParameterError(f"x has shape {values.shape}; give vectors of {len(self.mean)} values.")
        constant = self.deviation == 0
        scaled: Float64 = np.where(constant, 0, (values - self.mean) / np.where(constant, 1, self.deviation))
        return scaled


def fit_z_score(table: npt.ArrayLike) -> ZScore:
    """Return mean and deviation of the columns of a table.

    Parameters
    ----------
    table : array_like [shape=(n, d)]
        A row per track, at least one.

    Raises
    ------
    ParameterError
        If it has no row or another shape, or holds NaN or infinity.
    """
    return fit_z_score_to_parts([table])


def fit_z_score_to_parts(parts: Iterable[npt.ArrayLike]) -> ZScore:
    """Return mean and deviation of the columns of a table that comes in parts, up to rounding.

    Parts are joined as by Chan, Golub & LeVeque (1983), which keeps the digits of a deviation that is small
    beside its mean.

    Parameters
    ----------
    parts : iterable of array_like [shape=(n, d)]
        Rows, one part after the other; at least one.

    Raises
    ------
    ParameterError
        If there is none, or their numbers of columns differ; as for `fit_z_score`.
    """
    count, low, high, mean, squares = 0, np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)
    for part in parts:
        values = checked_table(part)
        if count and values.shape[1] != len(mean):
            raise ParameterError(f"parts have {len(mean)} and {values.shape[1]} columns; give one table.")
        own, n = values.mean(axis=0), len(values)
        if not count:
            low, high, mean, squares = values[0], values[0], own, np.zeros(len(own))
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        squares = squares + values.var(axis=0) * n + (own - mean) ** 2 * (count * n / (count + n))
        mean = mean + (own - mean) * (n / (count + n))
        count += n
    if not count:
        raise ParameterError("there is no row; give at least one.")
    constant = low == high  # its mean and deviation may be off by rounding
    return ZScore(np.where(constant, low, mean), np.where(constant, 0, np.sqrt(squares / count)))


@dataclass(frozen=True)
class Fused:
    """Several sets of descriptors of the same tracks, side by side.

    Parameters
    ----------
    table : np.ndarray [shape=(n, d), dtype=float64]
        A row per track.
    lengths : mapping of str to int
        How many columns each set has, in their order.
    """

    table: Float64
    lengths: Mapping[str, int]


def fuse(sets: Mapping[str, npt.ArrayLike]) -> Fused:
    """Join sets of descriptors.

    Parameters
    ----------
    sets : mapping of str to array_like [shape=(n, d)]
        Tables with the same tracks in the same order.

    Raises
    ------
    ParameterError
        If there is none, or their numbers of rows differ; as for `fit_z_score`.
    """
    tables = {name: checked_table(table, name) for name, table in sets.items()}
    if len({len(table) for table in tables.values()}) != 1:
        counts = ", ".join(f"{name} {len(table)}" for name, table in tables.items())
        raise ParameterError(
            f"the sets have these numbers of rows: {counts or 'none'}; give the same tracks."
        )
    return Fused(
        np.concatenate(list(tables.values()), axis=1), {name: t.shape[1] for name, t in tables.items()}
    )


def _l1(apart: Float64, _: Float64) -> Float64:
    return np.asarray(np.abs(apart).sum(axis=1))


def _squared_l2(apart: Float64, factors: Float64) -> Float64:
    return np.asarray(np.einsum("ij,ij,j->i", apart, apart, factors))


def _l2(apart: Float64, factors: Float64) -> Float64:
    return np.sqrt(_squared_l2(apart, factors))


METRICS = ("l1", "l2", "sqeuclidean", "scaled", "weighted", "cosine")
"""`scaled`: squared differences divided by the length of their set, so that no set counts for its length.
`weighted`: these times the weight of the set."""

_OF_DIFFERENCES: Mapping[str, Callable[[Float64, Float64], Float64]] = {
    "l1": _l1,
    "l2": _l2,
    "sqeuclidean": _squared_l2,
    "scaled": _l2,
    "weighted": _l2,
}


def distances(
    query: npt.ArrayLike,
    table: npt.ArrayLike,
    metric: str = "l2",
    *,
    lengths: Mapping[str, int] | None = None,
    weights: Mapping[str, float] | None = None,
) -> Float64:
    """Return how far each track of a table is from one vector.

    Parameters
    ----------
    query : array_like [shape=(d,)]
    table : array_like [shape=(n, d)]
        A row per track.
    metric : str
        One of `METRICS`. `cosine` is 1 less the cosine, and 1 where a vector is zero.
    lengths : mapping of str to int, optional
        The sets that the columns belong to, as of `Fused`; one set by default. For `scaled` and `weighted`.
    weights : mapping of str to float, optional
        Of the sets, for `weighted`: at least 0, `DEFAULT_WEIGHTS` by default. A set that is not named keeps
        its default.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]

    Raises
    ------
    ParameterError
        If there is no such metric, shapes or lengths do not fit, weights are no numbers from 0 up or name a
        set that is not there, or a value is NaN or infinity.
    """
    if metric not in METRICS:
        raise ParameterError(f"metric is {metric!r}; give one of {', '.join(METRICS)}.")
    rows, one = checked_table(table), checked_vector("query", query)
    if one.shape != rows.shape[1:]:
        raise ParameterError(
            f"query has shape {one.shape} and table {rows.shape}; give (d,) and (n, d) with the same d."
        )
    factors = column_factors(metric, rows.shape[1], lengths, weights)
    found = np.empty(len(rows))
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS]
        found[first : first + _ROWS] = (
            _cosine(one, part) if metric == "cosine" else _OF_DIFFERENCES[metric](part - one, factors)
        )
    return found


def _cosine(query: Float64, rows: Float64) -> Float64:
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    products = np.einsum("ij,j->i", rows, query)
    cosine = np.where(norms > 0, products / np.where(norms > 0, norms, 1), 0)
    return np.asarray(1 - np.clip(cosine, -1, 1))


def column_factors(
    metric: str, width: int, lengths: Mapping[str, int] | None, weights: Mapping[str, float] | None
) -> Float64:
    """Return what each squared difference is multiplied by.

    Parameters
    ----------
    metric, lengths, weights
        As for `distances`.
    width : int
        Columns of the table, d.

    Returns
    -------
    np.ndarray [shape=(d,), dtype=float64]

    Raises
    ------
    ParameterError
        If lengths or weights do not fit.
    """
    if metric not in ("scaled", "weighted"):
        return np.ones(width)
    lengths = {"all": width} if lengths is None else lengths
    if sum(lengths.values()) != width or min(lengths.values(), default=0) < 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ParameterError(
            f"lengths are {shown or 'empty'}; give those of sets with {width} columns in all."
        )
    chosen = dict.fromkeys(lengths, 1.0) if metric == "scaled" else _weights(lengths, weights)
    return np.concatenate([np.full(length, chosen[name] / length) for name, length in lengths.items()])


def _weights(lengths: Mapping[str, int], weights: Mapping[str, float] | None) -> dict[str, float]:
    given = dict(weights or {})
    strange = [name for name in given if name not in lengths]
    if strange:
        raise ParameterError(f"weights name {', '.join(strange)}; give weights of {', '.join(lengths)}.")
    for name, weight in given.items():
        if not 0 <= weight < np.inf:
            raise ParameterError(f"the weight of {name} is {weight}; give a number from 0 up.")
    return {name: given.get(name, DEFAULT_WEIGHTS.get(name, 1.0)) for name in lengths}


def checked_table(table: npt.ArrayLike, name: str = "table") -> Float64:
    """Return a table as an array.

    Parameters
    ----------
    table : array_like [shape=(n, d)]
    name : str
        What a message calls it.

    Raises
    ------
    ParameterError
        If it has no row, no column or another shape; as for `checked_vector`.
    """
    values = checked_vector(name, table)
    if values.ndim != 2 or 0 in values.shape:
        raise ParameterError(f"{name} has shape {values.shape}; give (n, d), with a row per track.")
    return values


def checked_vector(name: str, x: Any) -> Float64:
    """Return numbers as an array.

    Parameters
    ----------
    name : str
        What a message calls them.
    x : array_like
        Of any shape.

    Raises
    ------
    ParameterError
        If they are no numbers, or NaN or infinity is among them.
    """
    try:
        values = np.asarray(x, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} is no array of numbers ({error}).") from error
    if not np.all(np.isfinite(values)):
        raise ParameterError(f"{name} holds NaN or infinity; leave such tracks out.")
    return values
