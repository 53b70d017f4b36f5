"""Which rows are trained on and which are held out: row by row as an article did it, and track by track."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.distances import fit_z_score
from stream_match.errors import UsageError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Split = tuple[Int64, Int64]
"""Rows to train on, rows held out."""

HELD_OUT = 0.3
SPLIT_SEED = 42
"""Share that is held out, and the seed of chance: both those of the article."""

FOLDS = 10

NEAR_DUPLICATE = 0.25
"""Root mean square of the differences of two tracks, in deviations, up to which they count as one. Raising it
keeps more of one album on one side. The published table has 38 such pairs, 14 of them with equal features;
two tracks of one genre are 1.1 apart in the median."""


def groups_of(tracks: Sequence[str], values: Float64) -> Int64:
    """Return which rows must stay on one side: those of a track, and of tracks that are nearly the same.

    Parameters
    ----------
    tracks : sequence of str
        The track of each row.
    values : np.ndarray [shape=(n, d), dtype=float64]

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64]
        Numbers of the groups, from 0 on.
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import radius_neighbors_graph

    names, of_row = np.unique(np.array(tracks, dtype=object), return_inverse=True)
    scale = fit_z_score(values)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, of_row, scale(values))
    means = sums / np.bincount(of_row)[:, np.newaxis]
    # Of the tracks, not of their windows: the mean of many windows varies less.
    means = fit_z_score(means)(means)
    differing = max(int(np.count_nonzero(means.any(axis=0))), 1)
    near = radius_neighbors_graph(means, NEAR_DUPLICATE * np.sqrt(differing))
    return np.asarray(connected_components(near, directed=False)[1][of_row], np.int64)


def row_split(n_rows: int) -> Split:
    """Split as the article does, row by row: windows of one track may stand on both sides."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(n_rows), test_size=HELD_OUT, random_state=SPLIT_SEED)
    return train, test


def track_split(groups: Int64) -> Split:
    """Split so that a group stands on one side; a share of the groups is held out."""
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=SPLIT_SEED)
    train, test = next(splitter.split(groups, groups=groups))
    return train, test


def fold_splits(genres: Int64, groups: Int64, repeats: int) -> list[list[Split]]:
    """Split into folds, each held out once, with about equal shares of the genres; groups stay together.

    Parameters
    ----------
    genres, groups : np.ndarray [shape=(n,), dtype=int64]
        Of each row.
    repeats : int
        How many times, each time in another order.

    Returns
    -------
    list of list of (np.ndarray, np.ndarray)
        A list for each repeat; `FOLDS` splits, or as many as the rarest genre has groups.

    Raises
    ------
    UsageError
        If a genre has one group only.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n_folds = min(FOLDS, min(groups_of_each(genres, groups)))
    if n_folds < 2:
        raise UsageError("a genre has one track only, or tracks that are nearly the same; give two at least.")
    splits = []
    for repeat in range(repeats):
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=repeat)
        splits.append(list(folds.split(genres, genres, groups)))
    return splits


def groups_of_each(genres: Int64, groups: Int64) -> list[int]:
    """Return how many groups each genre has."""
    return [len(np.unique(groups[genres == genre])) for genre in range(int(genres.max()) + 1)]
