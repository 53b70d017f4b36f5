"""Which columns a classifier relies on: permutation importance (Breiman 2001)."""

import warnings

import numpy as np
import numpy.typing as npt

from stream_match.offline.genre.judging import Fitted, fit
from stream_match.offline.genre.splits import track_split

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

SHUFFLES = 5
MOST_SHUFFLED = 200
"""Columns whose importance is measured: of 1,440, all of them would take minutes."""


def importances(name: str, x: Float64, genres: Int64, groups: Int64, jobs: int | None = None) -> Float64:
    """Return by how much accuracy falls when a column is shuffled among the rows held out by tracks.

    Parameters
    ----------
    name : str
    x, genres, groups
        As for `judge`.
    jobs : int or None
        Processes; None for one per core.

    Returns
    -------
    np.ndarray [shape=(d,), dtype=float64]
        Means over `SHUFFLES`. NaN for a column that is not shuffled: only the `MOST_SHUFFLED` are that differ
        most between the genres.
    """
    from joblib import Parallel, delayed
    from sklearn.feature_selection import f_classif
    from sklearn.preprocessing import MinMaxScaler

    train, test = track_split(groups)
    scaler = MinMaxScaler(clip=True).fit(x[train])
    fitted = fit(name, scaler.transform(x[train]), genres[train])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of constant columns, which do not differ
        differing = np.nan_to_num(f_classif(x[train], genres[train])[0], nan=-1.0)
    shuffled = np.sort(np.argsort(-differing, kind="stable")[:MOST_SHUFFLED])
    held_out = scaler.transform(x[test])
    parts = np.array_split(shuffled, min(len(shuffled), 8))  # the classifier is sent once with each
    falls = Parallel(n_jobs=jobs or -1)(
        delayed(_falls)(fitted, held_out, genres[test], part) for part in parts
    )
    found = np.full(x.shape[1], np.nan)
    found[shuffled] = np.concatenate(falls)
    return found


def _falls(fitted: Fitted, x: Float64, genres: Int64, columns: Int64) -> list[float]:
    whole = float(np.mean(fitted.predict(x) == genres))
    falls = []
    for column in columns:
        rng = np.random.default_rng(int(column))
        changed = x.copy()
        right = []
        for _ in range(SHUFFLES):
            changed[:, column] = rng.permutation(x[:, column])
            right.append(float(np.mean(fitted.predict(changed) == genres)))
        falls.append(whole - float(np.mean(right)))
    return falls
