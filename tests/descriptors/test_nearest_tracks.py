"""The nearest tracks by bounds and refinement: exactly those of comparing everything."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.descriptors import nearest_tracks as module
from stream_match.descriptors.distances import METRICS, distances
from stream_match.descriptors.nearest_tracks import NearestTracks, nearest_of, principal_axes
from stream_match.errors import ParameterError


def check(table, query, metric, k, **sets):
    """Compare with all distances: the same tracks in the same order, and the same numbers to the bit."""
    found = NearestTracks(table, metric, **sets).search(query, k)
    expected = distances(query, table, metric, **sets)
    order = nearest_of(expected, k)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.distances, expected[order])
    return found


KINDS = ("noise", "few values", "constant columns", "far from zero", "alike", "long and short", "one value")


def made(kind, rng, n, d):
    """Tables that bounds or rounding could go wrong on."""
    table = rng.standard_normal((n, d))
    if kind == "few values":
        table = rng.integers(-1, 2, (n, d)).astype(float)  # ties, and vectors of zeros
    elif kind == "constant columns":
        table[:, :: 1 + d // 3] = 0.1
    elif kind == "far from zero":
        table = table * 1e-3 + 1e7
    elif kind == "alike":
        table = table[:1] + 1e-7 * table
        table[n // 2] = table[0]
    elif kind == "long and short":
        table *= 10.0 ** rng.integers(-30, 30, (n, 1))
    elif kind == "one value":
        table[:] = rng.standard_normal()
    return table


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 2**31), st.sampled_from(METRICS), st.sampled_from(KINDS), st.integers(1, 60),
    st.integers(1, 40), st.integers(1, 60), st.sampled_from(["row", "near", "new", "zero", "far"]),
)  # fmt: skip
def test_the_nearest_are_those_of_comparing_everything(seed, metric, kind, n, d, k, asked):
    rng = np.random.default_rng(seed)
    table = made(kind, rng, n, d)
    row = table[rng.integers(n)]
    query = {
        "row": row,
        "near": row * (1 + 1e-9 * rng.standard_normal(d)),
        "new": made(kind, rng, 1, d)[0],
        "zero": np.zeros(d),
        "far": 1e20 * rng.standard_normal(d),
    }[asked]
    cut = int(rng.integers(1, d)) if d > 1 else 0
    sets = {"lengths": {"rp": cut, "ssd": d - cut} if cut else {"rp": d}}
    if metric == "weighted" and rng.random() < 0.5:
        sets["weights"] = {"rp": float(rng.choice([0, 1e-3, 2]))}
    check(table, query, metric, min(k, n), **sets)


@pytest.mark.parametrize("metric", METRICS)
def test_many_tracks_are_left_out_and_none_of_the_nearest(metric):
    rng = np.random.default_rng(7)
    strength = 1 / np.arange(1, 101)
    table = (rng.standard_normal((6000, 100)) * strength) @ rng.standard_normal((100, 300))
    table[4000] = table[17]  # a tie
    for query, k in ((table[17], 10), (table[5] + 0.01, 1), (rng.standard_normal(300), 2000)):
        found = check(table, query, metric, k, lengths={"rp": 250, "ssd": 50})
        if metric != "l1" and k == 10:
            assert found.compared < 1000
    assert check(table, table[17], metric, 2, lengths={"rp": 250, "ssd": 50}).rows.tolist() == [17, 4000]


@pytest.mark.parametrize("metric", METRICS)
def test_without_pruning_it_is_the_same(metric, monkeypatch):
    monkeypatch.setattr(module, "_FIRST", 4)
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_SAMPLED", 5)
    rng = np.random.default_rng(8)
    table = rng.standard_normal((200, 50))
    found = check(table, rng.standard_normal(50), metric, 9)
    assert (found.compared < 50) == (metric != "l1")  # by a product


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 2**31), st.sampled_from(METRICS), st.sampled_from(KINDS), st.integers(30, 90),
    st.integers(70, 99), st.integers(1, 12), st.booleans(),
)  # fmt: skip
def test_tracks_that_a_product_leaves_out_are_not_among_the_nearest(seed, metric, kind, n, d, k, near):
    rng = np.random.default_rng(seed)
    table = made(kind, rng, n, d)
    query = table[1] * (1 + 1e-9 * rng.standard_normal(d)) if near else made(kind, rng, 1, d)[0]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_FIRST", 1)
        patched.setattr(module, "_MANY", 0)
        patched.setattr(module, "_SAMPLED", 3)
        check(table, query, metric, k)


@pytest.mark.parametrize("size", [1e-200, 1e-120, 1e-30, 1e30, 1e120])
@pytest.mark.parametrize("metric", METRICS)
def test_numbers_of_any_size_can_be_searched(metric, size):
    rng = np.random.default_rng(9)
    table = rng.standard_normal((40, 6)) * size
    check(table, table[3] * 1.01, metric, 5)
    check(table, table[3] / size, metric, 5)
    table[::2] /= size
    check(table, table[3], metric, 5)


def test_the_naive_twin_agrees():
    rng = np.random.default_rng(10)
    table, query = rng.standard_normal((80, 9)), rng.standard_normal(9)
    found = NearestTracks(table, "weighted", lengths={"rp": 5, "ssd": 4}).search(query, 80)
    expected = [naive.fused_distance(query, row, [5, 4], [0.5, 0.9]) for row in table]
    assert found.rows.tolist() == sorted(range(80), key=expected.__getitem__)
    np.testing.assert_allclose(found.distances, sorted(expected))


def test_principal_axes_are_those_of_scikit_learn():
    pca = pytest.importorskip("sklearn.decomposition").PCA
    rng = np.random.default_rng(11)
    table = rng.standard_normal((50, 8)) @ rng.standard_normal((8, 8)) * 1e3 + 1e5
    axes, shares = principal_axes(table, 3)
    theirs = pca(3).fit(table)
    np.testing.assert_allclose(shares, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(np.sum(axes.T * theirs.components_, axis=1)), 1)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert principal_axes(np.ones((4, 2)), 2)[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: NearestTracks([[1]], "l3"), "metric is 'l3'; give one of l1, l2"),
        (lambda: NearestTracks([[np.nan]]), "table holds NaN or infinity"),
        (lambda: NearestTracks(np.empty((0, 2))), r"table has shape \(0, 2\)"),
        (lambda: NearestTracks([[1]], "scaled", lengths={"rp": 2}), "give those of sets with 1 columns"),
        (lambda: NearestTracks([[1], [2]]).search([1], 3), "k is 3; give 1 to 2, the number of tracks"),
        (lambda: NearestTracks([[1], [2]]).search([1], 0), "k is 0"),
        (lambda: NearestTracks([[1]]).search([1, 2], 1), r"query has shape \(2,\); give \(1,\)"),
        (lambda: NearestTracks([[1]]).search([np.inf], 1), "query holds NaN or infinity"),
        (lambda: principal_axes([[1, 2]], 3), "3 axes of 2 columns are asked for"),
    ],
)
def test_what_cannot_be_searched_is_told_in_a_sentence(call, told):
    with pytest.raises(ParameterError, match=told):
        call()
