"""How often classifiers are right about rows that they were not trained on."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.scorers import Scorer
from stream_match.offline.genre.classifiers import CLASSIFIERS, KEPT
from stream_match.offline.genre.keeping import scorer_of
from stream_match.offline.genre.splits import Split, fold_splits, row_split, track_split

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

CONFIDENCE = 0.95

_UNHEARD_OF = 30.0
"""How far below all others a genre scores that was not trained on."""


@dataclass(frozen=True)
class Fitted:
    """A classifier trained on some rows.

    Parameters
    ----------
    name : str
    trained : object
        Of scikit-learn or XGBoost; it knows the genres as 0, 1, … of `present`.
    present : np.ndarray [dtype=int64]
        Genres that were among the rows.
    n_columns : int
    unfinished : bool
        Whether it stopped at its limit of steps.
    """

    name: str
    trained: Any
    present: Int64
    n_columns: int
    unfinished: bool

    def predict(self, x: Float64) -> Int64:
        """Return the genres of scaled rows."""
        return np.asarray(self.present[self.trained.predict(x)])

    def scorer(self) -> Scorer:
        """Return its scores, without the library."""
        return scorer_of(self.name, self.trained, self.n_columns)

    def scores(self, x: Float64, n_genres: int) -> Float64:
        """Return the scores of all genres [shape=(n, n_genres)]."""
        told = self.scorer()(x)
        scores = np.tile(told.min(axis=1, keepdims=True) - _UNHEARD_OF, n_genres)
        scores[:, self.present] = told
        return scores


def fit(name: str, x: Float64, genres: Int64) -> Fitted:
    """Train a classifier.

    Parameters
    ----------
    name : str
    x : np.ndarray [shape=(n, d), dtype=float64]
        Scaled rows.
    genres : np.ndarray [shape=(n,), dtype=int64]
    """
    from sklearn.exceptions import ConvergenceWarning

    present, codes = np.unique(genres, return_inverse=True)
    classifier = CLASSIFIERS[name].make(len(x), len(present))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        classifier.fit(x, codes)
    unfinished = any(issubclass(warning.category, ConvergenceWarning) for warning in told)
    return Fitted(name, classifier, present, x.shape[1], unfinished)


@dataclass(frozen=True)
class Judged:
    """What came of a classifier.

    Parameters
    ----------
    name : str
    by_rows, by_tracks : (float, float)
        Accuracy on the rows held out of one split, scaled before it, as in the article, and by what is
        trained on alone.
    folds : np.ndarray [shape=(n_repeats, n_folds), dtype=float64]
        Accuracy on each fold held out, by tracks, scaled by what is trained on alone.
    interval : (float, float)
        Of the mean over the folds.
    predicted : np.ndarray [shape=(n,), dtype=int64]
        Of each row, when it was held out in the first repeat.
    scores : np.ndarray [shape=(n, n_genres), dtype=float64] or None
        The same; None if the classifier cannot be kept.
    unfinished : bool
        Whether some training stopped at its limit of steps.
    """

    name: str
    by_rows: tuple[float, float]
    by_tracks: tuple[float, float]
    folds: Float64
    interval: tuple[float, float]
    predicted: Int64
    scores: Float64 | None
    unfinished: bool

    @property
    def accuracy(self) -> float:
        """The mean over the folds."""
        return float(self.folds.mean())


def judge(
    names: Sequence[str],
    x: Float64,
    genres: Int64,
    groups: Int64,
    *,
    repeats: int,
    jobs: int | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> list[Judged]:
    """Judge classifiers.

    Parameters
    ----------
    names : sequence of str
    x : np.ndarray [shape=(n, d), dtype=float64]
        Rows, not scaled.
    genres, groups : np.ndarray [shape=(n,), dtype=int64]
        Of each row.
    repeats : int
        Of the folds.
    jobs : int or None
        Processes; None for one per core.
    on_done : callable () -> None
        Called after each training.

    Returns
    -------
    list of Judged
        In the order of the names, and the same on any number of processes.

    Raises
    ------
    UsageError
        As `fold_splits`.
    """
    from joblib import Parallel, delayed

    splits = [row_split(len(x)), track_split(groups)]
    folds = fold_splits(genres, groups, repeats)
    tasks = [(split, before) for split in splits for before in (True, False)]
    tasks += [(split, False) for repeat in folds for split in repeat]
    runs = Parallel(n_jobs=jobs or -1, return_as="generator")(
        delayed(_held_out)(name, x, genres, split, before) for name in names for split, before in tasks
    )
    judged = []
    for name in names:
        done = []
        for _ in tasks:
            done.append(next(runs))
            on_done()
        judged.append(_judged(name, done, [split for split, _ in tasks], genres, len(folds[0])))
    return judged


def training_count(names: Sequence[str], genres: Int64, groups: Int64, repeats: int) -> int:
    """Return how many trainings `judge` makes."""
    return len(names) * (4 + sum(map(len, fold_splits(genres, groups, repeats))))


@dataclass(frozen=True)
class _HeldOut:
    predicted: Int64
    scores: Float64 | None
    unfinished: bool


def _held_out(name: str, x: Float64, genres: Int64, split: Split, before: bool) -> _HeldOut:
    """Train on one side of a split, ask about the other; scale by all rows `before` it, or by that side."""
    from sklearn.preprocessing import MinMaxScaler

    train, test = split
    scaler = MinMaxScaler(clip=True).fit(x if before else x[train])
    fitted = fit(name, scaler.transform(x[train]), genres[train])
    scaled = scaler.transform(x[test])
    scores = fitted.scores(scaled, int(genres.max()) + 1) if name in KEPT else None
    return _HeldOut(fitted.predict(scaled), scores, fitted.unfinished)


def _judged(
    name: str, done: Sequence[_HeldOut], splits: Sequence[Split], genres: Int64, n_folds: int
) -> Judged:
    right = [
        float(np.mean(run.predicted == genres[test])) for run, (_, test) in zip(done, splits, strict=True)
    ]
    predicted = np.empty_like(genres)
    scores = np.empty((len(genres), int(genres.max()) + 1)) if name in KEPT else None
    for run, (_, test) in zip(done[4 : 4 + n_folds], splits[4 : 4 + n_folds], strict=True):
        predicted[test] = run.predicted
        if scores is not None and run.scores is not None:
            scores[test] = run.scores
    folds = np.array(right[4:]).reshape(-1, n_folds)
    return Judged(
        name=name,
        by_rows=(right[0], right[1]),
        by_tracks=(right[2], right[3]),
        folds=folds,
        interval=interval(folds),
        predicted=predicted,
        scores=scores,
        unfinished=any(run.unfinished for run in done),
    )


def interval(accuracies: Float64) -> tuple[float, float]:
    """Return the interval of a mean over repeated folds, with the correction of Nadeau & Bengio (2003).

    Folds share what they are trained on, so that their accuracies vary less than those of new data would:
    the variance of the mean is (1/n + n_test/n_train) times theirs. The interval is that of Student's t.

    Parameters
    ----------
    accuracies : np.ndarray [shape=(n_repeats, n_folds), dtype=float64]
        At least two folds.
    """
    from scipy.stats import t

    n = accuracies.size
    variance = float(accuracies.var(ddof=1)) * (1 / n + 1 / (accuracies.shape[1] - 1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * math.sqrt(variance)
    mean = float(accuracies.mean())
    return max(mean - half, 0.0), min(mean + half, 1.0)
