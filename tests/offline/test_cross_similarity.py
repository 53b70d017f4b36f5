"""`cross_similarity` against librosa's, and against sorting all distances where float32 is not enough."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import csc_matrix
from scipy.spatial.distance import cdist

from stream_match import cross_similarity
from stream_match.errors import ParameterError
from stream_match.offline.compare.bandwidth import ESTIMATES
from stream_match.offline.compare.nearest import nearest_cosine, nearest_euclidean
from stream_match.offline.compare.similarity import MODES

METRICS = ("euclidean", "cosine", "cityblock", "chebyshev", "correlation")


def features(seed, shape, n, kind, dtype):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*shape, n))
    if kind == "whole numbers":  # full of ties, and of equal frames
        x = rng.integers(-1, 2, (*shape, n)).astype(float)
    elif kind == "far from zero":
        x += 100
    elif kind == "silence":
        x[..., rng.random(n) < 0.3] = 0
    return x.astype(dtype)


@st.composite
def comparisons(draw):
    """Two sequences and the arguments to compare them with."""
    shape = draw(st.sampled_from([(2,), (5,), (2, 3), (2, 1, 4)]))
    n, n_ref = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    kind = draw(st.sampled_from(["any", "far from zero", "whole numbers", "silence"]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    seed = draw(st.integers(0, 2**31))
    bandwidth = draw(st.sampled_from([None, *ESTIMATES, 0.7, "array"]))
    if isinstance(bandwidth, str) and bandwidth == "array":
        bandwidth = np.random.default_rng(seed).uniform(0.1, 2, (n, n_ref))
    arguments = {
        "k": draw(st.one_of(st.none(), st.integers(1, 35))),
        "metric": draw(st.sampled_from(METRICS)),
        "mode": draw(st.sampled_from(MODES)),
        "bandwidth": bandwidth,
        "full": draw(st.booleans()),
        "sparse": draw(st.booleans()),
    }
    return features(seed, shape, n, kind, dtype), features(seed + 1, shape, n_ref, kind, dtype), arguments


def distances(x, y, metric):
    """All distances [shape=(n_ref, n)], computed one by one in float64."""
    x, y = (z.reshape(-1, z.shape[-1]).T.astype(np.float64) for z in (x, y))
    d = cdist(y, x, metric)
    if metric == "cosine":
        d[~y.any(axis=1)] = 1
        d[:, ~x.any(axis=1)] = 1
    return d


def same_up_to_ties(ours, theirs, d):
    """Compare which frames are linked: those at the same distances."""
    assert np.array_equal(ours.sum(axis=0), theirs.sum(axis=0))
    for j in range(d.shape[1]):
        assert_allclose(np.sort(d[ours[:, j], j]), np.sort(d[theirs[:, j], j]), atol=2e-6, rtol=1e-6)


def has_ties(d):
    """Whether rounding may decide what is linked, or whether a distance is zero."""
    gaps = np.diff(np.sort(d, axis=0), axis=0)
    return bool((d < 1e-5).any() or np.isnan(d).any() or (gaps.size and gaps.min() < 1e-6))


@hypothesis_settings(deadline=None, max_examples=200)
@given(comparisons())
def test_it_is_that_of_librosa(librosa, comparison):
    # In float64: librosa's cosine in float32 is off by more than 1e-5 where frames are nearly parallel.
    x, y, arguments = comparison
    d = distances(x, y, arguments["metric"])
    ties = has_ties(d)
    try:
        theirs = librosa.segment.cross_similarity(x.astype(np.float64), y.astype(np.float64), **arguments)
    except (librosa.ParameterError, ValueError, IndexError):
        if ties and arguments["metric"] != "euclidean":
            return  # whether a distance is just above zero is a matter of rounding
        with pytest.raises(ParameterError):
            cross_similarity(x, y, **arguments)
        return
    if ties and arguments["mode"] != "connectivity":
        if arguments["mode"] == "distance" and not np.isnan(d).any():
            ours = cross_similarity(x, y, **{**arguments, "sparse": False})
            theirs = theirs.toarray() if arguments["sparse"] else theirs
            assert_allclose(np.sort(ours, axis=0), np.sort(theirs, axis=0), atol=1e-5, rtol=1e-5)
        return
    ours = cross_similarity(x, y, **arguments)
    single = arguments["metric"] == "cosine" and arguments["mode"] != "connectivity" and x.dtype == np.float32
    assert (ours.shape, ours.dtype) == (theirs.shape, np.float32 if single else theirs.dtype)
    assert isinstance(ours, csc_matrix) == isinstance(theirs, csc_matrix) == arguments["sparse"]
    if arguments["sparse"]:
        assert ours.has_sorted_indices
        assert ours.nnz == theirs.nnz
        ours, theirs = ours.toarray(), theirs.toarray()
    if not ties:
        assert np.array_equal(ours != 0, theirs != 0)
        assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)
    elif not np.isnan(d).any():
        same_up_to_ties(ours, theirs, d)


HARD = (
    "normal", "far from zero", "nearly parallel", "huge", "tiny beside large", "of few kinds",
    "nearly of few kinds", "whole numbers", "constant", "an outlier",
)  # fmt: skip


def hard(kind, rng, x):
    """Make frames among which float32 cannot tell the nearest."""
    n = x.shape[1]
    few = x[:, rng.integers(0, 12, n)]
    return {
        "normal": x,
        "far from zero": x + 1e6,
        "nearly parallel": 1e4 + 1e-2 * x,
        "huge": x * 1e200,
        "tiny beside large": x * np.where(rng.random((1, n)) < 0.5, 1e-30, 1),
        "of few kinds": few,
        "nearly of few kinds": few + 1e-9 * x,
        "whole numbers": np.rint(x),
        "constant": np.ones_like(x),
        "an outlier": x * np.where(np.arange(n) == 7, 1e12, 1),
    }[kind]


@pytest.mark.parametrize("k", [1, 10, 90, 101, 270, 399, 500])
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("search", [nearest_euclidean, nearest_cosine], ids=lambda f: f.__name__)
def test_the_nearest_are_those_of_float64(search, kind, k):
    rng = np.random.default_rng(3)
    both = hard(kind, rng, rng.standard_normal((9, 800)))
    x, y = both[:, :300].T, both[:, 300:].T
    found = search(x, y, k, distances=True)
    assert found.columns.shape == (300, k)
    assert np.all(np.diff(found.columns, axis=1) > 0)
    if search is nearest_cosine:
        unit = [z / np.abs(z).max(axis=1, keepdims=True) for z in (x, y)]
        unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in unit]
        d = cdist(*unit, "sqeuclidean") / 2
        rounding = 1e-15
    else:
        scale = max(np.abs(x).max(), np.abs(y).max())
        d = cdist(x / scale, y / scale) * scale
        rounding = 1e-15 * scale
    nearest = np.sort(d, axis=1)[:, :k]
    taken = np.sort(np.take_along_axis(d, found.columns, axis=1), axis=1)
    assert_allclose(taken, nearest, rtol=1e-9, atol=40 * rounding)
    assert_allclose(np.sort(found.distances, axis=1), nearest, rtol=1e-9, atol=40 * rounding)


@pytest.mark.parametrize("k", [3, 150])
def test_of_frames_equally_far_the_first_are_taken(k):
    y = np.zeros((4, 500))
    y[0, 200:] = 1
    linked = cross_similarity(np.zeros((4, 2)), y, k=k)
    assert np.array_equal(np.flatnonzero(linked[:, 1]), np.arange(k))


def test_equal_frames_are_at_distance_zero_and_linked_by_connectivity_alone():
    x = np.random.default_rng(5).standard_normal((120, 50)).astype(np.float32)
    for metric in ("euclidean", "cosine"):
        assert np.all(np.diag(cross_similarity(x, x, k=3, metric=metric)))
        for mode in ("distance", "affinity"):
            assert not np.diag(cross_similarity(x, x, k=3, metric=metric, mode=mode)).any()


def test_one_frame_is_compared():
    x = np.arange(4.0)[:, np.newaxis]
    assert cross_similarity(x, x + 1).tolist() == [[True]]
    assert cross_similarity(x, x + 1, mode="distance").tolist() == [[2.0]]
    assert cross_similarity(x, x + 1, mode="affinity", sparse=True).toarray() == pytest.approx(np.exp(-1))


def test_where_k_is_larger_than_the_reference_all_are_linked():
    x = np.random.default_rng(1).random((3, 4))
    assert np.all(cross_similarity(x, x[:, :2], k=100))


X = np.random.default_rng(0).random((5, 6))
NAN = np.where(np.arange(6) == 2, np.nan, X)


@pytest.mark.parametrize(
    ("x", "y", "arguments", "told"),
    [
        (X, X[:4], {}, "data has shape (5, 6) and data_ref (4, 6); all dimensions but the last"),
        (X[np.newaxis], X, {}, "all dimensions but the last"),
        (X, X[:, :0], {}, "data_ref has shape (5, 0); give at least one frame"),
        (X[:0], X[:0], {}, "at least one frame and one feature"),
        (NAN, X, {}, "data holds NaN or infinite values"),
        (X, X + np.inf, {"metric": "cosine"}, "data_ref holds NaN or infinite values"),
        (NAN, X, {"metric": "cityblock"}, "data holds NaN"),
        (X + 1j, X, {}, "data has the dtype complex128; give real numbers"),
        ("music", X, {}, "give real numbers"),
        ([[1], [1, 2]], X, {}, "data is no array of numbers"),
        (X, X, {"k": 0}, "k is 0; give a number of neighbours from 1 up"),
        (X, X, {"k": float("nan")}, "k is nan"),
        (X, X, {"k": "many"}, "k is 'many'"),
        (X, X, {"mode": "links"}, "mode is 'links'; give one of connectivity, distance, affinity"),
        (X, X, {"metric": "nonsense"}, "metric 'nonsense' cannot compare these frames: scikit-learn"),
        (X, X, {"metric": "mahalanobis"}, "metric 'mahalanobis' cannot compare these frames"),
        (X, X, {"metric": "precomputed"}, "metric 'precomputed' has no features"),
        (X, X, {"bandwidth": 0, "mode": "affinity"}, "bandwidth is 0; give a number above 0"),
        (X, X, {"bandwidth": float("nan"), "mode": "affinity"}, "bandwidth is nan"),
        (X, X, {"bandwidth": "wide", "mode": "affinity"}, "bandwidth is 'wide'; give a number above 0"),
        (X, X, {"bandwidth": [1, 2], "mode": "affinity"}, "bandwidth is [1, 2]"),
        (X, X[:, :4], {"bandwidth": np.ones((4, 6)), "mode": "affinity"}, "here (6, 4)"),
        (X, X, {"bandwidth": np.zeros((6, 6)), "mode": "affinity"}, "values that are not above 0"),
        (X * 0, X * 0, {"mode": "affinity"}, "All distances are zero"),
        (X * 0, X * 0, {"mode": "affinity", "bandwidth": "mean_k"}, "Frame 0 of data is at distance zero"),
        (X[:, :2], X + 1, {"mode": "affinity", "bandwidth": "mean_k", "k": 6}, "linked to frame 5 of"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(x, y, arguments, told):
    with pytest.raises(ParameterError) as raised:
        cross_similarity(x, y, **arguments)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, bool])
def test_the_dtype_is_that_of_librosa(librosa, metric, mode, dtype):
    x, y = (np.random.default_rng(seed).integers(0, 2, (8, 12)).astype(dtype) for seed in (1, 2))
    theirs = librosa.segment.cross_similarity(x, y, metric=metric, mode=mode, bandwidth=1.0)
    assert cross_similarity(x, y, metric=metric, mode=mode, bandwidth=1.0).dtype == theirs.dtype


def test_nan_is_compared_by_the_metric_that_is_made_for_it(librosa):
    ours = cross_similarity(NAN, X, metric="nan_euclidean", mode="distance", k=3)
    theirs = librosa.segment.cross_similarity(NAN, X, metric="nan_euclidean", mode="distance", k=3)
    assert ours == pytest.approx(theirs, nan_ok=True)


def test_whole_numbers_and_sequences_of_numbers_are_taken(librosa):
    x = [[0, 1, 5], [2, 2, 1]]
    theirs = librosa.segment.cross_similarity(np.array(x), np.array(x)[:, ::-1] + 1, mode="distance", k=2)
    assert cross_similarity(x, np.array(x)[:, ::-1] + 1, mode="distance", k=2) == pytest.approx(theirs)


@pytest.fixture(scope="module")
def worked_example(librosa, real_audio):
    """The embedded chroma of the document that describes the function, and the numbers that it gives."""
    expected = json.loads((real_audio / "seed" / "expected_pistachio.json").read_text())
    embedded = []
    for offset_s in (10, 0):
        y, sr = librosa.load(real_audio / expected["file"], offset=offset_s)
        chroma = librosa.feature.chroma_cqt(y=y, sr=sr, hop_length=1024)
        embedded.append(librosa.feature.stack_memory(chroma, n_steps=10, delay=3))
    return embedded, expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("default", {}),
        ("k5", {"k": 5}),
        ("cosine", {"metric": "cosine"}),
        ("cosine_affinity", {"metric": "cosine", "mode": "affinity"}),
    ],
)
def test_the_worked_example_has_its_numbers(worked_example, name, arguments):
    (x, y), expected = worked_example[0], worked_example[1][name]
    found = cross_similarity(x, y, **arguments)
    linked = np.ascontiguousarray(found != 0)
    assert list(found.shape) == expected["shape"]
    assert found.dtype == expected["dtype"]
    assert np.count_nonzero(linked) == expected["nnz"]
    assert set(linked.sum(axis=0)) == {expected["per_column"]}
    assert hashlib.sha256(linked.tobytes()).hexdigest() == expected["sha256"]
    if "sum" in expected:
        assert found.sum(dtype=np.float64) == pytest.approx(expected["sum"], rel=1e-5)
        assert found.max() == pytest.approx(expected["max"], abs=1e-5)
        assert found[linked].min() == pytest.approx(expected["min_nonzero"], abs=1e-5)
        assert np.median(found[linked]) == pytest.approx(expected["median"], abs=1e-5)


@pytest.mark.parametrize("n", [300, 2100, 4500])
def test_however_many_frames_are_searched_the_nearest_are_found(n):
    x, y = (np.random.default_rng(seed).standard_normal((12, m)) for seed, m in ((1, n), (2, 15_000)))
    found = nearest_euclidean(x.T, y.T, 10, distances=True)
    rows = np.arange(0, n, 97)
    nearest = np.sort(cdist(x.T[rows], y.T), axis=1)[:, :10]
    assert_allclose(np.sort(found.distances[rows], axis=1), nearest, rtol=1e-9)
