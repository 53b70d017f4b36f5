"""Classifiers that somebody has trained, as arrays: what each genre scores for rows of descriptors.

Training is the business of libraries. What they have learnt is kept as plain arrays and read by these few
lines, so that a model neither holds code nor depends on the version of a library.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Arrays = Mapping[str, npt.NDArray[Any]]

_ROWS = 64
"""Rows that run through all trees at once: with 10,000 trees, 5 MB."""

_LEAST = 1e-12
"""Share of a genre that no tree has voted for, so that it has a logarithm."""


class Scorer(Protocol):
    """What a trained classifier says of rows; the softmax of its scores is its opinion."""

    @property
    def n_columns(self) -> int:
        """How many columns a row has."""

    @property
    def n_genres(self) -> int:
        """How many genres are scored."""

    def __call__(self, x: Float64) -> Float64:
        """Return the scores [shape=(n, n_genres), dtype=float64] of scaled rows [shape=(n, n_columns)]."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was learnt, by name."""

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """Make one of its arrays, as `arrays` gives them.

        Raises
        ------
        ParameterError
            If one is missing, of another type or shape, or holds NaN or infinity.
        """


@dataclass(frozen=True)
class Layers:
    """Sums of weighted columns, through any number of hidden layers that drop what is negative.

    Logistic regression and linear machines have no hidden layer. Scores are those of the last layer.

    Parameters
    ----------
    weights : tuple of np.ndarray [shape=(n_in, n_out), dtype=float64]
    biases : tuple of np.ndarray [shape=(n_out,), dtype=float64]
    """

    weights: tuple[Float64, ...]
    biases: tuple[Float64, ...]

    @property
    def n_columns(self) -> int:
        """How many columns a row has."""
        return len(self.weights[0])

    @property
    def n_genres(self) -> int:
        """How many genres are scored."""
        return len(self.biases[-1])

    def __call__(self, x: Float64) -> Float64:
        """Return the scores of scaled rows."""
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weights + bias, 0)
        return np.asarray(x @ self.weights[-1] + self.biases[-1])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return weights and biases, numbered from the first layer on."""
        weights = {f"weights_{number}": array for number, array in enumerate(self.weights)}
        return weights | {f"bias_{number}": array for number, array in enumerate(self.biases)}

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """Make one of its arrays."""
        n_layers = len(arrays) // 2
        n_out = -1
        weights, biases = [], []
        for number in range(max(n_layers, 1)):
            weights.append(_array(arrays, f"weights_{number}", "<f8", (n_out, -1)))
            n_out = weights[-1].shape[1]
            biases.append(_array(arrays, f"bias_{number}", "<f8", (n_out,)))
        return cls(tuple(weights), tuple(biases))


@dataclass(frozen=True)
class Trees:
    """Many decision trees: their votes averaged, or their values added up genre by genre.

    The nodes of all trees stand one after the other, each behind its parent. From an inner node a row goes
    left if its value, rounded to float32, is at most the threshold.

    Parameters
    ----------
    roots : np.ndarray [shape=(n_trees,), dtype=int32]
        First node of each tree.
    genre : np.ndarray [shape=(n_trees,), dtype=int32]
        The genre that a tree adds to; -1 in all of them if each has a share for every genre in its leaves.
    feature, left, right : np.ndarray [shape=(n_nodes,), dtype=int32]
        Column that is asked about, and the nodes that follow; a leaf has column 0 and is followed by itself.
    threshold : np.ndarray [shape=(n_nodes,), dtype=float64]
    value : np.ndarray [shape=(n_nodes, n_values), dtype=float32]
        What a leaf says: one number, or a share for each genre.
    start : np.ndarray [shape=(n_genres,), dtype=float64]
        Added to the scores.
    columns : int
        How many columns a row has.
    """

    roots: Int32
    genre: Int32
    feature: Int32
    left: Int32
    right: Int32
    threshold: Float64
    value: npt.NDArray[np.float32]
    start: Float64
    columns: int

    @property
    def n_columns(self) -> int:
        """How many columns a row has."""
        return self.columns

    @property
    def n_genres(self) -> int:
        """How many genres are scored."""
        return len(self.start)

    def __call__(self, x: Float64) -> Float64:
        """Return sums of values, or logarithms of mean shares."""
        parts = [self._of_some(x[first : first + _ROWS]) for first in range(0, len(x), _ROWS)]
        return np.concatenate([np.empty((0, self.n_genres)), *parts])

    def _of_some(self, x: Float64) -> Float64:
        rounded = x.astype(np.float32)
        rows = np.arange(len(x))[:, np.newaxis]
        nodes = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        while True:
            goes_left = rounded[rows, self.feature[nodes]] <= self.threshold[nodes]
            following = np.where(goes_left, self.left[nodes], self.right[nodes])
            if np.array_equal(following, nodes):
                break
            nodes = following
        values = self.value[nodes].astype(np.float64)  # (n, n_trees, n_values)
        if self.genre[0] < 0:
            return np.asarray(np.log(np.maximum(values.mean(axis=1), _LEAST)) + self.start)
        adds_to = self.genre[:, np.newaxis] == np.arange(self.n_genres)
        return np.asarray(values[..., 0] @ adds_to + self.start)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by their names."""
        named = ("roots", "genre", "feature", "left", "right", "threshold", "value", "start")
        return {name: getattr(self, name) for name in named} | {"columns": np.array([self.columns], np.int32)}

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """Make one of its arrays; refuse trees that lead nowhere, or round in a circle."""
        roots, genre, start = (
            _array(arrays, name, kind, (-1,))
            for name, kind in (("roots", "<i4"), ("genre", "<i4"), ("start", "<f8"))
        )
        feature = _array(arrays, "feature", "<i4", (-1,))
        n_nodes = len(feature)
        left, right = (_array(arrays, name, "<i4", (n_nodes,)) for name in ("left", "right"))
        threshold = _array(arrays, "threshold", "<f8", (n_nodes,))
        columns = int(_array(arrays, "columns", "<i4", (1,))[0])
        votes = bool((genre == -1).all())
        value = _array(arrays, "value", "<f4", (n_nodes, len(start) if votes else 1))
        nodes = np.arange(n_nodes)
        leaf = (left == nodes) & (right == nodes)
        whole = (
            len(roots) == len(genre)
            and _within(roots, 0, n_nodes)
            and (votes or _within(genre, 0, len(start)))
            and _within(feature, 0, columns)
            and bool(np.all(leaf | ((left > nodes) & (right > nodes))))
            and _within(left, 0, n_nodes)
            and _within(right, 0, n_nodes)
        )
        if not whole:
            raise ParameterError("the trees contradict themselves")
        return cls(roots, genre, feature, left, right, threshold, value, start, columns)


@dataclass(frozen=True)
class Vectors:
    """A support vector machine with a radial kernel: one machine for each pair of genres.

    Parameters
    ----------
    support : np.ndarray [shape=(n_vectors, n_columns), dtype=float64]
    weights : np.ndarray [shape=(n_vectors, n_pairs), dtype=float64]
        Of each vector in each machine. Pairs are in the order (0, 1), (0, 2), …, (1, 2), …; a positive sum
        speaks for the first.
    bias : np.ndarray [shape=(n_pairs,), dtype=float64]
    gamma : float
        Of the kernel, exp(-gamma * squared distance).
    """

    support: Float64
    weights: Float64
    bias: Float64
    gamma: float

    @property
    def n_columns(self) -> int:
        """How many columns a row has."""
        return int(self.support.shape[1])

    @property
    def n_genres(self) -> int:
        """How many genres are scored."""
        return _genres_of(len(self.bias))

    def __call__(self, x: Float64) -> Float64:
        """Return the votes of the machines; one that is in two minds casts a part of one.

        It is so between its margins. Whole votes, as scikit-learn's SVC counts them, hardly tell how sure
        all are together.
        """
        first, second = np.triu_indices(self.n_genres, 1)
        for_each = np.eye(self.n_genres)
        return np.asarray(np.clip(self.decisions(x), -1, 1) @ (for_each[first] - for_each[second]))

    def decisions(self, x: Float64) -> Float64:
        """Return what each machine says [shape=(n, n_pairs)], as ``SVC(decision_function_shape="ovo")``."""
        squared = np.sum(x * x, axis=1)[:, np.newaxis] + np.sum(self.support**2, axis=1)
        kernel = np.exp(-self.gamma * np.maximum(squared - 2 * x @ self.support.T, 0))
        return np.asarray(kernel @ self.weights + self.bias)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by their names."""
        named = {"support": self.support, "weights": self.weights, "bias": self.bias}
        return named | {"gamma": np.array([self.gamma])}

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """Make one of its arrays."""
        support = _array(arrays, "support", "<f8", (-1, -1))
        bias = _array(arrays, "bias", "<f8", (-1,))
        if _genres_of(len(bias)) * (_genres_of(len(bias)) - 1) // 2 != len(bias):
            raise ParameterError("bias is not of all pairs of genres")
        weights = _array(arrays, "weights", "<f8", (len(support), len(bias)))
        return cls(support, weights, bias, float(_array(arrays, "gamma", "<f8", (1,))[0]))


SCORERS: Mapping[str, type[Layers | Trees | Vectors]] = {
    "layers": Layers,
    "trees": Trees,
    "vectors": Vectors,
}
"""By the name that a model folder has for them."""


def _genres_of(n_pairs: int) -> int:
    return (1 + math.isqrt(1 + 8 * n_pairs)) // 2


def _within(numbers: Int32, least: int, end: int) -> bool:
    return bool(len(numbers) and numbers.min() >= least and numbers.max() < end)


def _array(arrays: Arrays, name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array if it is what it should be; a length of -1 stands for any from 1 up."""
    array = arrays.get(name)
    if array is None:
        raise ParameterError(f"{name} is missing")
    fits = len(array.shape) == len(shape) and all(
        length == expected or (expected == -1 and length > 0)
        for length, expected in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        raise ParameterError(f"{name} is {array.dtype}{array.shape}")
    if not np.all(np.isfinite(array)):
        raise ParameterError(f"{name} holds NaN or infinity")
    return array
