"""Distances between tracks: a published example, naive twins, and what cannot be compared."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.descriptors import distances as module
from stream_match.descriptors.distances import (
    METRICS,
    ZScore,
    distances,
    fit_z_score,
    fit_z_score_to_parts,
    fuse,
)
from stream_match.errors import ParameterError

# Mean and deviation of the spectral centroid of ten tracks, and their squared distances to the sixth
# (a published tutorial on music similarity).
CENTROIDS = np.array([
    (1517.5993814237531, 291.1855836731788), (1659.1988993873124, 327.64811981777865),
    (1507.4617047141264, 340.8830079395701), (1597.6019371942953, 507.1007933367403),
    (1498.8531206911534, 288.3780838480238), (535.5910732230583, 89.90893994909047),
    (2261.4032345595674, 353.5971736260454), (2331.881852844861, 406.33517225264194),
    (1868.690426450363, 342.7489751514078), (2204.6324484864085, 328.94334883095553),
])  # fmt: skip
TO_THE_SIXTH = [
    1004852.6046840245, 1319014.4646621975, 1007520.5071585375, 1301916.1177259558, 967263.7731724023, 0.0,
    3047959.100796666, 3326786.1254441254, 1841081.968976167, 2842836.5609704787,
]  # fmt: skip


def test_the_published_example():
    found = distances(CENTROIDS[5], CENTROIDS, "sqeuclidean")
    np.testing.assert_allclose(found, TO_THE_SIXTH, rtol=1e-14)
    assert np.argsort(found, kind="stable").tolist() == [5, 4, 0, 2, 3, 1, 8, 9, 6, 7]
    np.testing.assert_allclose(distances(CENTROIDS[5], CENTROIDS, "l2"), np.sqrt(TO_THE_SIXTH), rtol=1e-14)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**31), st.integers(1, 30), st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.floats(0, 3), st.floats(0, 3),
)  # fmt: skip
def test_scaled_and_weighted_distances_are_those_of_the_naive_twin(seed, n, widths, rp, other):
    rng = np.random.default_rng(seed)
    tables = {
        name: rng.standard_normal((n, width))
        for name, width in zip(("rp", "ssd", "gtzan", "more"), widths, strict=False)
    }
    fused = fuse(tables)
    assert list(fused.lengths.values()) == widths
    query = rng.standard_normal(sum(widths))
    weights = {name: rp if name == "rp" else other for name in tables}
    scaled = distances(query, fused.table, "scaled", lengths=fused.lengths)
    weighted = distances(query, fused.table, "weighted", lengths=fused.lengths, weights=weights)
    default = distances(query, fused.table, "weighted", lengths=fused.lengths)
    defaults = [{"rp": 0.5, "ssd": 0.9}.get(name, 1.0) for name in tables]
    for row in range(n):
        args = query.tolist(), fused.table[row].tolist(), widths
        assert scaled[row] == pytest.approx(naive.fused_distance(*args, [1] * len(widths)))
        assert weighted[row] == pytest.approx(naive.fused_distance(*args, weights.values()))
        assert default[row] == pytest.approx(naive.fused_distance(*args, defaults))


def test_the_others_are_those_of_scipy():
    cdist = pytest.importorskip("scipy.spatial.distance").cdist
    rng = np.random.default_rng(4)
    table, query = rng.standard_normal((50, 7)), rng.standard_normal(7)
    for name, theirs in (("l1", "cityblock"), ("l2", "euclidean"), ("sqeuclidean",) * 2, ("cosine",) * 2):
        np.testing.assert_allclose(
            distances(query, table, name), cdist([query], table, theirs)[0], atol=1e-12
        )


def test_a_large_table_is_compared_in_parts(monkeypatch):
    rng = np.random.default_rng(5)
    table = rng.standard_normal((50, 7))
    whole = {metric: distances(table[3], table, metric) for metric in METRICS}
    monkeypatch.setattr(module, "_ROWS", 8)
    for metric in METRICS:
        np.testing.assert_array_equal(distances(table[3], table, metric), whole[metric])
        assert whole[metric][3] == pytest.approx(0, abs=1e-12)


def test_a_zero_vector_has_no_direction():
    assert distances([0, 0], [[1, 0], [0, 0]], "cosine").tolist() == [1, 1]
    assert distances([2, 0], [[1, 0], [-1, 0], [0, 0]], "cosine").tolist() == [0, 2, 1]


def test_a_z_score_has_mean_0_and_deviation_1_but_where_a_column_does_not_change():
    table = np.random.default_rng(6).standard_normal((40, 4)) * [1, 1e-6, 1e6, 1] + 7
    table[:, 3] = 0.1  # its mean is not 0.1, for rounding
    scale = fit_z_score(table)
    scaled = scale(table)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 1, 0])
    assert scale(table[0] + 5)[3] == 0
    one = fit_z_score(table[:1])
    assert not one(table[:1]).any()
    np.testing.assert_array_equal(scale(table[2]), scaled[2])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: distances([1], [[1]], "l3"), "metric is 'l3'; give one of l1, l2"),
        (lambda: distances([1, 2], [[1]]), r"query has shape \(2,\) and table \(1, 1\)"),
        (lambda: distances([1], [[np.nan]]), "table holds NaN or infinity"),
        (lambda: distances([np.inf], [[1]]), "query holds NaN or infinity"),
        (lambda: distances([1], np.empty((0, 1))), r"table has shape \(0, 1\); give \(n, d\)"),
        (lambda: distances(["a"], [[1]]), "query is no array of numbers"),
        (
            lambda: distances([1], [[1]], "scaled", lengths={"rp": 2}),
            "lengths are rp 2; give those of sets with 1",
        ),
        (lambda: distances([1], [[1]], "scaled", lengths={}), "lengths are empty"),
        (
            lambda: distances([1], [[1]], "weighted", lengths={"rp": 1}, weights={"ssd": 1}),
            "weights name ssd",
        ),
        (
            lambda: distances([1], [[1]], "weighted", lengths={"rp": 1}, weights={"rp": -1}),
            "weight of rp is -1",
        ),
        (lambda: fuse({}), "numbers of rows: none"),
        (lambda: fuse({"rp": [[1]], "ssd": [[1], [2]]}), "rp 1, ssd 2; give the same tracks"),
        (lambda: fit_z_score(np.empty((0, 3))), r"table has shape \(0, 3\)"),
        (lambda: ZScore(np.zeros(2), np.ones(2))([1, 2, 3]), "give vectors of 2 values"),
        (lambda: fit_z_score([[1, np.nan]]), "table holds NaN"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(call, told):
    with pytest.raises(ParameterError, match=told):
        call()


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("cuts", [[], [1], [3, 4], [10, 20, 39]])
def test_a_z_score_of_parts_is_that_of_the_whole(cuts, shift):
    rng = np.random.default_rng(5)
    table = rng.standard_normal((40, 6)) * [1, 10, 1e-3, 1, 0, 1] + shift
    table[:, 3] = 0.1  # constant, and no sum of it is exact
    scale = fit_z_score_to_parts(np.split(table, cuts))
    assert scale.deviation[3:5].tolist() == [0, 0]
    assert scale.mean[3] == 0.1
    np.testing.assert_allclose(scale.mean, table.mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        scale.deviation, np.where(scale.deviation, table.std(axis=0), 0), rtol=1e-6 if shift else 1e-12
    )


def test_parts_that_are_no_table_are_refused():
    with pytest.raises(ParameterError, match="there is no row; give at least one"):
        fit_z_score_to_parts([])
    with pytest.raises(ParameterError, match="parts have 3 and 2 columns; give one table"):
        fit_z_score_to_parts([np.ones((2, 3)), np.ones((2, 2))])
