"""Compiled loops over sums in the order of their keys, against loops over dicts."""

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.index import keyed_sums

RANGE_BITS, LABEL_BITS = 20, 12


def some_sums(rng, n, most):
    """Keys, of which many follow each other, with sums; small whole numbers, so that many are equal."""
    key = np.unique(rng.integers(0, most, n))
    return key, rng.integers(0, 5, (len(key), 4)).astype(float), rng.integers(0, 50, len(key))


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(0, 60),
    n_new=st.integers(0, 60),
    seed=st.integers(0, 10_000),
    left=st.sampled_from([1.0, 0.5]),
    least=st.sampled_from([-np.inf, 0.0, 1.5, 3.0]),
    oldest=st.integers(-1, 60),
)
def test_sums_fade_and_grow_and_go(n, n_new, seed, left, least, oldest):
    rng = np.random.default_rng(seed)
    key, sums, latest = some_sums(rng, n, 80)
    new_key, time = rng.integers(0, 80, n_new), rng.integers(0, 60, n_new)
    summands = rng.integers(0, 4, (n_new, 4)).astype(float)
    given_ = [array.copy() for array in (key, sums, latest, new_key, summands, time)]
    order = np.argsort(new_key, kind="stable")
    found = keyed_sums.gathered(key, sums, latest, left, order, new_key, summands, time, least, oldest)
    twin = naive.gathered(
        *(array.tolist() for array in (key, sums, latest)),
        left,
        *(array.tolist() for array in (new_key, summands, time)),
        least,
        oldest,
    )
    assert [array.dtype for array in found] == [np.int64, np.float64, np.int64]
    assert found[1].shape == (len(twin), 4)
    # All numbers are quarters, so that sums are exact in any order.
    there = zip(*(array.tolist() for array in found), strict=True)
    assert [(k, (row, moment)) for k, row, moment in there] == sorted(twin.items())
    for before, after in zip(given_, (key, sums, latest, new_key, summands, time), strict=True):
        np.testing.assert_array_equal(before, after)


def test_equal_keys_are_summed_up_in_the_order_they_come_in():
    """Of which the last bit depends."""
    summands = np.random.default_rng(0).random((30, 4))
    key, order, time = np.zeros(30, np.int64), np.arange(30), np.arange(30)
    none = (np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, np.int64))
    for way in (order, order[::-1].copy()):
        found = keyed_sums.gathered(*none, 1.0, way, key, summands, time, 0.0, 0)
        total = np.zeros(4)
        for vote in way:
            total += summands[vote]
        assert found[1].tolist() == [total.tolist()]
        assert (found[0].tolist(), found[2].tolist()) == ([0], [29])


@settings(max_examples=150, deadline=None)
@given(n=st.integers(0, 60), seed=st.integers(0, 10_000))
def test_peaks_and_their_neighbours(n, seed):
    key, sums, _ = some_sums(np.random.default_rng(seed), n, 80)
    rows, weight = keyed_sums.peaks(key, sums)
    assert (rows.tolist(), weight.tolist()) == naive.peak_rows(key.tolist(), sums[:, 0].tolist())
    around = keyed_sums.with_neighbours(key, sums, rows[::-1].copy())
    assert around.shape == (len(rows), 4)
    for column in range(4):
        _, total = naive.peak_rows(key.tolist(), sums[:, column].tolist())
        assert around[:, column].tolist() == [total[row] for row in rows[::-1]]


@settings(max_examples=300, deadline=None)
@given(
    n=st.integers(0, 80),
    seed=st.integers(0, 10_000),
    n_labels=st.integers(1, 8),
    n_groups=st.integers(1, 8),
    n_weights=st.sampled_from([2, 1000]),
    at_most=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    per_label=st.integers(1, 4),
    per_group=st.integers(1, 9),
    grouped=st.integers(0, 8),
)
def test_the_heaviest_are_those_for_which_there_is_room(
    n, seed, n_labels, n_groups, n_weights, at_most, per_label, per_group, grouped
):
    rng = np.random.default_rng(seed)
    ranges, labels = rng.integers(0, 5, n), rng.integers(0, n_labels, n)
    key = np.sort((ranges << RANGE_BITS) + (labels << LABEL_BITS) + rng.integers(0, 1 << LABEL_BITS, n))
    weight = rng.integers(0, n_weights, n).astype(float)
    rows = np.flatnonzero(rng.random(n) < 0.8)
    groups = rng.integers(0, n_groups, grouped)
    found = keyed_sums.heaviest(
        rows, key, weight, np.array(at_most), RANGE_BITS, LABEL_BITS, per_label, groups, per_group
    )
    # Labels beyond the last group are alone.
    owner = [*groups.tolist(), *range(-n_labels, 0)]
    label = key % (1 << RANGE_BITS) >> LABEL_BITS
    twin = naive.heaviest(rows, key >> RANGE_BITS, label, weight, at_most, per_label, owner, per_group)
    assert found.tolist() == twin


@settings(max_examples=100, deadline=None)
@given(
    n=st.integers(0, 60),
    n_windows=st.integers(1, 5),
    n_choices=st.integers(0, 4),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_background_scores_are_the_best_of_each_group_that_is_not_excluded(
    n, n_windows, n_choices, share, seed
):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_windows)).astype(np.float32)
    group, order = np.sort(rng.integers(0, 12, n)), rng.permutation(n)
    excluded = rng.random((n_choices, n)) < share
    prior = rng.random(n_windows), rng.random(n_windows)
    mean, deviation = keyed_sums.spreads(z, group, order, excluded, *prior, 4.0, 8)
    assert mean.shape == deviation.shape == (n_choices, n_windows)
    for choice in range(n_choices):
        rows = np.flatnonzero(~excluded[choice, order])
        twin = naive.background_scores(z[rows].tolist(), group[rows].tolist(), *prior, 4.0, 8)
        # Sums of up to 12 are of single precision.
        np.testing.assert_allclose([mean[choice], deviation[choice]], twin, rtol=1e-5, atol=1e-6)
