"""Cross-similarity of two sequences of features, as librosa defines it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError
from stream_match.offline.compare.bandwidth import Linked, bandwidth_of
from stream_match.offline.compare.nearest import Neighbours, nearest_cosine, nearest_euclidean

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

Array = npt.NDArray[Any]
Bandwidth = str | float | Array | None
Metric = str | Callable[..., float]

MODES = ("connectivity", "distance", "affinity")

_SEARCHES = {"euclidean": nearest_euclidean, "cosine": nearest_cosine}
"""By FAISS; scikit-learn does the others."""


@overload
def cross_similarity(
    data: npt.ArrayLike,
    data_ref: npt.ArrayLike,
    *,
    k: int | None = None,
    metric: Metric = "euclidean",
    sparse: Literal[False] = False,
    mode: str = "connectivity",
    bandwidth: Bandwidth = None,
    full: bool = False,
) -> Array: ...


@overload
def cross_similarity(
    data: npt.ArrayLike,
    data_ref: npt.ArrayLike,
    *,
    k: int | None = None,
    metric: Metric = "euclidean",
    sparse: Literal[True],
    mode: str = "connectivity",
    bandwidth: Bandwidth = None,
    full: bool = False,
) -> "csc_matrix": ...


def cross_similarity(
    data: npt.ArrayLike,
    data_ref: npt.ArrayLike,
    *,
    k: int | None = None,
    metric: Metric = "euclidean",
    sparse: bool = False,
    mode: str = "connectivity",
    bandwidth: Bandwidth = None,
    full: bool = False,
) -> "Array | csc_matrix":
    """Compare each frame of a sequence with its nearest frames in a reference sequence.

    Arguments and results are those of ``librosa.segment.cross_similarity`` 0.11. The nearest frames are
    exact: `stream_match.offline.compare.nearest` says how.

    Parameters
    ----------
    data : array_like [shape=(..., d, n)]
        Features of the sequence, a column per frame. Leading dimensions are flattened into one of features.
        Computed with in float64, whatever the dtype.
    data_ref : array_like [shape=(..., d, n_ref)]
        Features of the reference.
    k : int, >= 1, optional
        Nearest reference frames that each frame is linked to; all of them if `k` is larger than `n_ref`. By
        default ``2 * ceil(sqrt(n_ref))``.
    metric : str or callable
        ``euclidean`` and ``cosine`` are searched by FAISS, what else scikit-learn knows by its
        `NearestNeighbors`. The cosine distance to a frame of zeros is 1.
    sparse : bool
        Whether the result is a sparse matrix.
    mode : str
        What links hold: ``connectivity`` True, ``distance`` the distance, ``affinity``
        ``exp(-distance / bandwidth)``, in (0, 1).
    bandwidth : float, > 0, or str or np.ndarray [shape=(n, n_ref)], optional
        Of affinity; the other modes ignore it. One number, one per pair of frames (all > 0), or an estimate
        from the distances to the `k` nearest frames: ``med_k_scalar`` (the default: the median of the
        distance to the k-th), ``mean_k``, ``gmean_k`` (per pair: the arithmetic or geometric mean of the
        distances to the k-th of both), ``mean_k_avg``, ``gmean_k_avg`` (the same of the mean distances to the
        first k), or ``mean_k_avg_and_pair`` (the mean of these and of the distance of the pair).
    full : bool
        Whether distances and affinities are computed for all pairs; connectivity ignores it.

    Returns
    -------
    np.ndarray or scipy.sparse.csc_matrix [shape=(n_ref, n)]
        Element ``[i, j]`` is of frame `i` of the reference and frame `j` of the sequence, 0 where they are
        not linked. bool for connectivity. Otherwise float64, but float32 for the cosine metric of float32
        data, and what scikit-learn returns for its metrics.

    Raises
    ------
    ParameterError
        If the dimensions differ, there is no frame or no feature, values are no finite real numbers, `k` is
        below 1, `mode`, `metric` or `bandwidth` are unknown, a bandwidth is not positive or has another
        shape, or none can be estimated: all distances are zero, or estimates per pair meet a frame that has
        no links, or none of the same number in `data`.

    Notes
    -----
    Four details are librosa's, and kept:

    - Frames at distance zero are linked by connectivity only: zero is no entry of the other modes.
    - `full` links each frame to its `n` nearest, which are all only if ``n >= n_ref``.
    - `bandwidth` as an array has the shape (n, n_ref), not that of the result.
    - Estimates per pair take the distances of frame `i` of *data* for frame `i` of the reference. Where
      `data` has no such frame, that is an error.

    Where several frames are equally far, the first ones are taken; librosa takes any. librosa computes
    distances by products, whose rounding may give equal frames a distance just above zero; here it is zero.

    References
    ----------
    McFee et al., "librosa: Audio and music signal analysis in Python", SciPy 2015; librosa 0.11,
    `librosa.segment.cross_similarity`. Johnson, Douze & Jégou, "Billion-scale similarity search with GPUs",
    2019 (FAISS).

    Examples
    --------
    >>> import numpy as np
    >>> from stream_match import cross_similarity
    >>> cross_similarity(np.array([[0.0, 5.0]]), np.array([[4.0, 1.0, 9.0]]), k=1).astype(int)
    array([[0, 1],
           [1, 0],
           [0, 0]])
    """
    points, reference = _frames("data", data), _frames("data_ref", data_ref)
    _check_shapes(np.shape(data), np.shape(data_ref))
    if mode not in MODES:
        raise ParameterError(f"mode is {mode!r}; give one of {', '.join(MODES)}.")
    n, n_ref = len(points), len(reference)
    k = _checked_k(k, n_ref)
    wanted = min(n_ref, n if full and mode != "connectivity" else k)
    found = _neighbours(points, reference, wanted, metric, distances=mode != "connectivity")
    if found.distances is None:
        return _matrix(found.columns, np.ones(found.columns.shape, bool), n_ref, sparse=sparse)
    values = found.distances
    if mode == "affinity":
        values = _affinity(found.columns, values, n_ref, bandwidth, k)
    return _matrix(found.columns, values, n_ref, sparse=sparse, present=found.distances != 0)


def _affinity(
    columns: npt.NDArray[np.int64], distances: Array, n_ref: int, bandwidth: Bandwidth, k: int
) -> Array:
    linked = Linked(columns, distances.astype(np.float64), distances != 0, n_ref)
    affinity: Array = np.exp(linked.distances / -bandwidth_of(linked, bandwidth, k))
    return affinity.astype(distances.dtype)


def _frames(name: str, features: npt.ArrayLike) -> Array:
    """Return frames as rows, in float32 if they are in float32, else as numbers of their own kind."""
    try:
        array = np.atleast_2d(np.asarray(features))
    except ValueError as error:
        raise ParameterError(f"{name} is no array of numbers: {error}") from error
    if array.dtype.kind not in "buif":
        raise ParameterError(f"{name} has the dtype {array.dtype}; give real numbers.")
    if not array.size:
        raise ParameterError(f"{name} has shape {array.shape}; give at least one frame and one feature.")
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]).T)


def _check_shapes(data: tuple[int, ...], data_ref: tuple[int, ...]) -> None:
    leading, of_reference = ((shape if len(shape) > 1 else (1, *shape))[:-1] for shape in (data, data_ref))
    if leading != of_reference:
        raise ParameterError(
            f"data has shape {data} and data_ref {data_ref}; all dimensions but the last must be the same."
        )


def _checked_k(k: int | None, n_ref: int) -> int:
    if k is None:
        return min(n_ref, 2 * int(np.ceil(np.sqrt(n_ref))))
    try:
        number = int(k)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1:
        raise ParameterError(f"k is {k!r}; give a number of neighbours from 1 up.")
    return number


def _neighbours(points: Array, reference: Array, k: int, metric: Metric, *, distances: bool) -> Neighbours:
    if metric != "nan_euclidean":
        for name, array in (("data", points), ("data_ref", reference)):
            if not np.all(np.isfinite(array)):
                raise ParameterError(f"{name} holds NaN or infinite values; remove or replace them.")
    search = _SEARCHES.get(metric) if isinstance(metric, str) else None
    if search is None:
        return _by_sklearn(points, reference, k, metric, distances=distances)
    found = search(points.astype(np.float64), reference.astype(np.float64), k, distances=distances)
    single = metric == "cosine" and points.dtype == reference.dtype == np.float32
    if found.distances is None or not single:
        return found
    return Neighbours(found.columns, found.distances.astype(np.float32))


def _by_sklearn(points: Array, reference: Array, k: int, metric: Metric, *, distances: bool) -> Neighbours:
    from sklearn.neighbors import NearestNeighbors

    if metric == "precomputed":
        raise ParameterError("metric 'precomputed' has no features to compare; name another one.")
    try:
        found = NearestNeighbors(n_neighbors=k, metric=metric).fit(reference).kneighbors(points)
    except (TypeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        if "'metric' parameter" in why:
            why = "scikit-learn does not know it"
        raise ParameterError(f"metric {metric!r} cannot compare these frames: {why}") from error
    order = np.argsort(found[1], axis=1)
    columns = np.take_along_axis(found[1], order, axis=1).astype(np.int64)
    return Neighbours(columns, np.take_along_axis(found[0], order, axis=1) if distances else None)


def _matrix(
    columns: npt.NDArray[np.int64],
    values: Array,
    n_ref: int,
    *,
    sparse: bool,
    present: npt.NDArray[np.bool_] | None = None,
) -> "Array | csc_matrix":
    """Return the matrix whose columns hold these values at ascending places."""
    n, k = columns.shape
    if not sparse:
        dense = np.zeros((n_ref, n), values.dtype)
        dense[columns, np.arange(n)[:, np.newaxis]] = (
            values if present is None else np.where(present, values, 0)
        )
        return dense
    from scipy.sparse import csc_matrix

    if present is None:
        ends = np.arange(n + 1) * k
        rows, held = columns.ravel(), values.ravel()
    else:
        ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        rows, held = columns[present], values[present]
    index = np.int32 if max(ends[-1], n_ref) < 2**31 else np.int64
    return csc_matrix((held, rows.astype(index), ends.astype(index)), shape=(n_ref, n))
