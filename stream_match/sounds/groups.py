"""Groupings that see all sounds at once; scikit-learn does the work."""

import logging
import warnings

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError

log = logging.getLogger(__name__)

Float64 = npt.NDArray[np.float64]

GROUPINGS = ("kmeans", "affinity", "agglomerative")

TOLD = ("kmeans", "agglomerative")
"""Those that have to be told how many groups there are."""

PAIRWISE = ("affinity", "agglomerative")
"""Those that compare every sound with every other."""

MOST_PAIRWISE = 5_000
"""Sounds that they take: a quarter of an hour of music. Memory and time grow with the square of the number;
`affinity` takes 1 GB for so many."""

RESTARTS = 10
ROUNDS = 1000


def check_number(method: str, clusters: int | None) -> None:
    """Refuse a number of groups that is missing or not wanted.

    Parameters
    ----------
    method : str
        One of `GROUPINGS`.
    clusters : int or None
        How many groups; for those in `TOLD`, and for no other.

    Raises
    ------
    ParameterError
        If it does not go with the method.
    """
    if method in TOLD and clusters is None:
        raise ParameterError(
            f"the method {method!r} has to be told how many clusters there are: --clusters K"
        )
    if method not in TOLD and clusters is not None:
        raise ParameterError(
            f"the method {method!r} finds the number of clusters itself: leave --clusters out"
        )


def check_size(method: str, n: int) -> None:
    """Refuse more sounds than a method can hold in memory.

    Parameters
    ----------
    method : str
        One of `GROUPINGS`.
    n : int
        Number of sounds.

    Raises
    ------
    ParameterError
        If they are too many.
    """
    if method in PAIRWISE and n > MOST_PAIRWISE:
        raise ParameterError(
            f"the method {method!r} compares every sound with every other: {n} sounds are too many, it takes "
            f"{MOST_PAIRWISE}; take a shorter file, or the method 'kmeans' or 'online'"
        )


def grouped(points: Float64, method: str, clusters: int | None) -> list[int]:
    """Return the group of each point.

    Parameters
    ----------
    points : np.ndarray [shape=(n, n_dimensions), dtype=float64]
        n > 0.
    method : str
        One of `GROUPINGS`.
    clusters : int or None
        How many groups; see `check_number`.

    Raises
    ------
    ParameterError
        If the number is missing, not wanted, or larger than that of the points.
    """
    check_number(method, clusters)
    if clusters is not None and not 1 <= clusters <= len(points):
        raise ParameterError(f"{clusters} clusters of {len(points)} sounds: give 1 to {len(points)}")
    if len(points) == 1:
        return [0]
    from sklearn import cluster

    if method == "affinity":
        estimator = cluster.AffinityPropagation(max_iter=ROUNDS, random_state=0)
    elif method == "kmeans":
        estimator = cluster.KMeans(clusters, n_init=RESTARTS, random_state=0)
    else:
        estimator = cluster.AgglomerativeClustering(clusters)
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        labels: list[int] = estimator.fit_predict(points).tolist()
    for doubt in dict.fromkeys(str(one.message) for one in doubts):
        log.warning("the method %r has doubts about its clusters: %s", method, " ".join(doubt.split()))
    return labels
