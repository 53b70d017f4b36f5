"""Which genre a row of descriptors belongs to, by a model that somebody has trained; pure numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.distances import checked_table
from stream_match.descriptors.scorers import Scorer
from stream_match.descriptors.sets import set_named
from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

UNFAMILIAR_SHARE = 0.5
"""Share of the rows of a track that may be unlike anything trained on; with more, no genre is told."""


@dataclass(frozen=True)
class Scale:
    """Brings columns to 0 to 1, the range that they had in training; what was constant there becomes 0.

    Parameters
    ----------
    least, factor : np.ndarray [shape=(d,), dtype=float64]
    """

    least: Float64
    factor: Float64

    def __call__(self, x: Float64) -> Float64:
        """Return scaled rows [shape=(n, d)]; values beyond the range of the training are cut off at it."""
        return np.clip((x - self.least) * self.factor, 0, 1)


@dataclass(frozen=True)
class Familiar:
    """Where the rows lay that were trained on, to tell what lies outside: a Mahalanobis distance.

    Columns are bent first, ``arcsinh((x - centre) / width)``, for many have long tails.

    Parameters
    ----------
    centre, width : np.ndarray [shape=(d,), dtype=float64]
        A column of width 0 counts for nothing.
    mean : np.ndarray [shape=(d,), dtype=float64]
        Of bent rows.
    whitening : np.ndarray [shape=(d, d), dtype=float32]
        Takes what is left to coordinates that have deviation 1 and no correlation.
    limit : float
        Distance beyond which a row is unfamiliar.
    """

    centre: Float64
    width: Float64
    mean: Float64
    whitening: Float32
    limit: float

    def distances(self, x: Float64) -> Float64:
        """Return how far rows are from the middle of what was trained on.

        Parameters
        ----------
        x : np.ndarray [shape=(n, d), dtype=float64]
            Not scaled.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float64]
            In deviations.
        """
        apart = bent(x, self.centre, self.width) - self.mean
        return np.asarray(np.linalg.norm(apart @ self.whitening.astype(np.float64), axis=1))


def bent(x: Float64, centre: Float64, width: Float64) -> Float64:
    """Return rows whose columns have shorter tails; see `Familiar`."""
    counts = width > 0
    shown = np.arcsinh((x - centre) / np.where(counts, width, 1))
    return np.where(counts, shown, 0.0)


@dataclass(frozen=True)
class GenreTold:
    """What is told of a track.

    Parameters
    ----------
    genre : str or None
        None if it is not told.
    probability : float
        Of the likeliest genre, told or not.
    likeliest, runner_up : str
    reason : {"unsure", "unfamiliar"} or None
        Why no genre is told: the likeliest is not likely enough, or nothing that was trained on is like it.
    """

    genre: str | None
    probability: float
    likeliest: str
    runner_up: str
    reason: Literal["unsure", "unfamiliar"] | None


@dataclass(frozen=True)
class GenreModel:
    """A trained model.

    Parameters
    ----------
    genres : tuple of str
        In the order of the probabilities.
    sets : tuple of str
        Sets of descriptors whose columns make a row, one set after the other.
    window_seconds : float or None
        Length of what a row describes; None for a whole track.
    scale : Scale
    scorer : Scorer
    temperature : float, > 0
        Scores are divided by it before their softmax; above 1 it makes the model less certain.
    threshold : float
        Least probability at which a genre is told. Above 1, none ever is.
    familiar : Familiar
    """

    genres: tuple[str, ...]
    sets: tuple[str, ...]
    window_seconds: float | None
    scale: Scale
    scorer: Scorer
    temperature: float
    threshold: float
    familiar: Familiar

    @property
    def set_name(self) -> str:
        """The sets in one word, such as ``rp+ssd``."""
        return "+".join(self.sets)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a row."""
        return tuple(column for name in self.sets for column in set_named(name).columns)

    def probabilities(self, rows: npt.ArrayLike) -> Float64:
        """Return how likely each genre is.

        Parameters
        ----------
        rows : array_like [shape=(n, d)]
            Descriptors as they are, not scaled. Columns as in `columns`.

        Returns
        -------
        np.ndarray [shape=(n, n_genres), dtype=float64]
            Each row sums to 1.

        Raises
        ------
        ParameterError
            If `rows` has no row or another number of columns, or holds NaN or infinity.
        """
        return softmax(self.scorer(self.scale(self._checked(rows))) / self.temperature)

    def unfamiliar(self, rows: npt.ArrayLike) -> Bool:
        """Say which rows are unlike all that was trained on: their probabilities mean nothing.

        Parameters
        ----------
        rows : array_like [shape=(n, d)]
            As for `probabilities`.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=bool]

        Raises
        ------
        ParameterError
            As `probabilities`.
        """
        return self.familiar.distances(self._checked(rows)) > self.familiar.limit

    def decide(self, probabilities: Float64, unfamiliar_share: float) -> GenreTold:
        """Decide what is told of a track.

        Parameters
        ----------
        probabilities : np.ndarray [shape=(n_genres,), dtype=float64]
            The mean over its rows, or another average.
        unfamiliar_share : float
            Share of its rows that are unfamiliar.
        """
        second, first = np.argsort(probabilities, kind="stable")[-2:]
        probability = float(probabilities[first])
        reason: Literal["unsure", "unfamiliar"] | None = None
        if unfamiliar_share > UNFAMILIAR_SHARE:
            reason = "unfamiliar"
        elif probability < self.threshold:
            reason = "unsure"
        likeliest = self.genres[first]
        return GenreTold(None if reason else likeliest, probability, likeliest, self.genres[second], reason)

    def _checked(self, rows: npt.ArrayLike) -> Float64:
        values = checked_table(rows, "rows")
        if values.shape[1] != self.scorer.n_columns:
            raise ParameterError(
                f"rows has shape {values.shape}; give the {self.scorer.n_columns} columns of {self.set_name}."
            )
        return values


def softmax(scores: Float64) -> Float64:
    """Return shares that sum to 1 along the last axis: exponentials of scores [shape=(n, k)]."""
    risen = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(risen / risen.sum(axis=-1, keepdims=True))
