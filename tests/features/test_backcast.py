"""What was not heard is guessed: against least squares over music that is made up."""

import numpy as np
import pytest

from stream_match.features import backcast as under_test
from stream_match.features.backcast import backcast, hold
from stream_match.features.learnt import LAG_S, music_moments
from stream_match.features.shape import stacked_moments

N_STEPS = 9


@pytest.fixture(scope="module")
def stacked():
    """Rows that have just the moments of music, and a mean [shape=(4000, 9 * 4)]."""
    moments = stacked_moments(music_moments()[:, :5, :5].astype(np.float64), N_STEPS, LAG_S)
    keep = np.flatnonzero(np.arange(len(moments)) % 5)
    mean = moments[0, keep]
    variances, directions = np.linalg.eigh(moments[np.ix_(keep, keep)] - np.outer(mean, mean))
    drawn = np.random.default_rng(1).standard_normal((4000, len(keep)))
    rows = drawn @ (directions * np.sqrt(np.maximum(variances, 0))).T + mean
    return rows.astype(np.float32)


def unheard(rows, n_heard):
    cut = rows.copy()
    cut[:, n_heard * (rows.shape[1] // N_STEPS) :] = np.nan
    return cut


@pytest.mark.parametrize("n_heard", [1, 4, 8])
def test_what_was_not_heard_is_the_best_linear_guess(stacked, n_heard):
    width = n_heard * 4
    filled = backcast(unheard(stacked, n_heard), N_STEPS, LAG_S)
    assert (filled.shape, filled.dtype) == (stacked.shape, np.float32)
    known = np.insert(stacked[:, :width].astype(np.float64), 0, 1, axis=1)
    best = known @ np.linalg.lstsq(known, stacked[:, width:].astype(np.float64), rcond=None)[0]
    missed = np.mean((filled - stacked)[:, width:] ** 2)
    assert missed < 1.03 * np.mean((best - stacked[:, width:]) ** 2)
    assert missed < 0.8 * np.mean((stacked[:, width:].mean(axis=0) - stacked[:, width:]) ** 2)


def test_what_was_heard_stays_as_it_was(stacked):
    given = unheard(stacked[:20], 5)
    twin = given.copy()
    filled = backcast(given, N_STEPS, LAG_S)
    np.testing.assert_array_equal(given, twin)
    np.testing.assert_array_equal(filled[:, :20], stacked[:20, :20])
    np.testing.assert_array_equal(backcast(stacked, N_STEPS, LAG_S), stacked)
    assert backcast(stacked[:0], N_STEPS, LAG_S).shape == (0, stacked.shape[1])


def test_a_row_does_not_depend_on_those_beside_it(stacked):
    rows = np.concatenate([unheard(stacked[:7], 4), unheard(stacked[7:15], 6), stacked[15:20]])
    together = backcast(rows, N_STEPS, LAG_S)
    alone = [backcast(row[np.newaxis], N_STEPS, LAG_S) for row in rows]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_steps_of_any_width_and_distance_are_guessed():
    rows = np.random.default_rng(2).standard_normal((3, 3 * 96)).astype(np.float32)
    rows[:, 96:] = np.nan
    assert np.isfinite(backcast(rows, 3, 0.3 * LAG_S)).all()
    assert under_test._weights(1, 3, 96, 5 * LAG_S).shape == (97, 192)


def test_chroma_that_was_not_heard_is_the_oldest_that_was():
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    rows[0, 4:] = np.nan
    rows[1, 2:] = np.nan
    assert hold(rows, 3).tolist() == [[0, 1, 2, 3, 2, 3], [6, 7, 6, 7, 6, 7]]
    assert np.isnan(rows).sum() == 6
    assert hold(rows[:0], 3).shape == (0, 6)
