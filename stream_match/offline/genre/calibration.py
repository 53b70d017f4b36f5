"""How sure a model may be, and when it had better say nothing: from what it said of tracks held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.genre_model import Familiar, bent, softmax
from stream_match.offline.genre.splits import fold_splits

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

NEVER = 2.0
"""Threshold of a model that is never right often enough."""

TEMPERATURES = (0.02, 1000.0)

FAMILIAR_QUANTILE = 0.99
"""Of tracks held out, by the median distance of their rows: what is farther is unfamiliar. Raising it calls
less music unfamiliar, and less of what is no music. Measured on sounds of many kinds: docs/genre.md."""

BINS = 10

_LEAST_VARIANCE = 1e-6
"""Share of the mean variance that every axis has at least."""


@dataclass(frozen=True)
class Calibration:
    """What was found on tracks held out.

    Parameters
    ----------
    temperature, threshold : float
        As in `GenreModel`.
    told : float
        Share of the tracks whose likeliest genre reaches the threshold.
    told_right : float
        Share of these that are right.
    accuracy : float
        Share of all tracks whose likeliest genre is right.
    probability, right : np.ndarray [shape=(n_tracks,)]
        Of the likeliest genre of each track, calibrated; and whether it is right.
    error_before, error : float
        Expected calibration error: how far probabilities are from shares of right ones, in the mean over
        `BINS` bins; as the classifier says them, and calibrated.
    """

    temperature: float
    threshold: float
    told: float
    told_right: float
    accuracy: float
    probability: Float64
    right: npt.NDArray[np.bool_]
    error_before: float
    error: float


def calibrate(scores: Float64, genres: Int64, tracks: Sequence[str], wanted: float) -> Calibration:
    """Find the temperature at which tracks held out are likeliest, and the threshold.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, n_genres), dtype=float64]
        Of rows, each when it was held out.
    genres : np.ndarray [shape=(n,), dtype=int64]
    tracks : sequence of str
        The track of each row.
    wanted : float
        Share of right ones among the tracks that are told. The threshold is the least probability that
        reaches it.
    """
    from scipy.optimize import minimize_scalar

    _, first, of_row = np.unique(np.array(tracks, dtype=object), return_index=True, return_inverse=True)
    truth, counts = genres[first], np.bincount(of_row)

    def of_tracks(temperature: float) -> Float64:
        sums = np.zeros((len(first), scores.shape[1]))
        np.add.at(sums, of_row, softmax(scores / temperature))
        return sums / counts[:, np.newaxis]

    def loss(log_temperature: float) -> float:
        likely = of_tracks(float(np.exp(log_temperature)))[np.arange(len(truth)), truth]
        return float(-np.mean(np.log(np.maximum(likely, 1e-12))))

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    temperature = float(np.exp(found.x))
    before, after = of_tracks(1.0), of_tracks(temperature)
    probability, right = after.max(axis=1), after.argmax(axis=1) == truth
    threshold = _threshold(probability, right, wanted)
    told = probability >= threshold
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        told=float(told.mean()),
        told_right=float(right[told].mean()) if told.any() else 0.0,
        accuracy=float(right.mean()),
        probability=probability,
        right=right,
        error_before=calibration_error(before.max(axis=1), before.argmax(axis=1) == truth),
        error=calibration_error(probability, right),
    )


def _threshold(probability: Float64, right: npt.NDArray[np.bool_], wanted: float) -> float:
    """Return the least probability such that of what reaches it, the wanted share is right."""
    order = np.argsort(-probability, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends = np.append(probability[order][:-1] > probability[order][1:], True)  # equal ones are told together
    good = np.flatnonzero((shares >= wanted) & ends)
    return float(probability[order][good[-1]]) if len(good) else NEVER


def calibration_error(probability: Float64, right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error (Guo et al. 2017) over `BINS` equally wide bins."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    apart = [abs(float(np.sum(right[bins == b]) - np.sum(probability[bins == b]))) for b in range(BINS)]
    return sum(apart) / len(probability)


def learn_familiar(x: Float64, genres: Int64, groups: Int64) -> Familiar:
    """Learn where rows lie, and how far from there tracks are that were not learnt from.

    Parameters
    ----------
    x : np.ndarray [shape=(n, d), dtype=float64]
        Rows, not scaled.
    genres, groups : np.ndarray [shape=(n,), dtype=int64]
        Of each row; groups are held out as a whole.
    """
    found = np.empty(len(x))
    for train, test in fold_splits(genres, groups, 1)[0]:
        found[test] = _where(x[train]).distances(x[test])
    medians = [float(np.median(found[groups == group])) for group in np.unique(groups)]
    return replace(_where(x), limit=float(np.quantile(medians, FAMILIAR_QUANTILE)))


def _where(x: Float64) -> Familiar:
    """Learn where rows lie; the covariance is shrunk as far as Ledoit & Wolf (2004) say."""
    from sklearn.covariance import ledoit_wolf

    low, centre, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    width = np.where(high > low, high - low, x.std(axis=0))
    rows = bent(x, centre, width)
    mean = rows.mean(axis=0)
    covariance, _ = ledoit_wolf(rows - mean, assume_centered=True)
    floor = _LEAST_VARIANCE * max(float(np.trace(covariance)) / len(covariance), _LEAST_VARIANCE)
    variances, axes = np.linalg.eigh(covariance)
    whitening = axes / np.sqrt(np.maximum(variances, floor))
    return Familiar(centre, width, mean, whitening.astype(np.float32), 0.0)
