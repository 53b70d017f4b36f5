"""What was not heard is guessed: against least squares over a sequence that is made up."""

import sys
from pathlib import Path

import numpy as np
import pytest

from stream_match.features import backcast as under_test
from stream_match.features.backcast import backcast, hold
from stream_match.features.embedding import embed
from stream_match.features.learnt import LAG_S

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import learn_shapes

N_STEPS, WIDTH, APART = 9, 4, 4
FROM_ONE_TO_THE_NEXT = np.array([[0.7, 0.5, 0, 0], [-0.5, 0.7, 0, 0], [0, 0, 0.9, 0.3], [0, 0, 0, 0.6]])
"""It turns: what comes later differs from what came before."""


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(1)
    rows = [np.zeros(WIDTH)]
    for _ in range(30_000):
        rows.append(FROM_ONE_TO_THE_NEXT @ rows[-1] + rng.standard_normal(WIDTH) * [1, 0.5, 0.3, 0.8])
    return np.add(rows[100:], [1, -2, 0, 3]).astype(np.float32)


@pytest.fixture
def stacked(frames, monkeypatch):
    """Stacks of a sequence whose moments were learnt [shape=(n, 9 * 4), dtype=float32]."""
    learnt = learn_shapes._products(np.insert(frames.astype(np.float64), 0, 1, axis=1), APART)
    monkeypatch.setattr(under_test, "music_moments", lambda: learnt.astype(np.float32))
    under_test._weights.cache_clear()
    yield embed(frames, n_steps=N_STEPS, delay=APART)
    under_test._weights.cache_clear()


def unheard(rows, n_heard):
    cut = rows.copy()
    cut[:, n_heard * (rows.shape[1] // N_STEPS) :] = np.nan
    return cut


@pytest.mark.parametrize("n_heard", [0, 1, 4, 8])
def test_what_was_not_heard_is_the_best_linear_guess(stacked, n_heard):
    width = n_heard * WIDTH
    filled = backcast(unheard(stacked, n_heard), N_STEPS, LAG_S)
    assert (filled.shape, filled.dtype) == (stacked.shape, np.float32)
    known = np.insert(stacked[:, :width].astype(np.float64), 0, 1, axis=1)
    best = known @ np.linalg.lstsq(known, stacked[:, width:].astype(np.float64), rcond=None)[0]
    next_older = slice(width, width + WIDTH)
    np.testing.assert_allclose(filled[:, next_older], best[:, :WIDTH], atol=0.15)
    missed = np.mean((filled - stacked)[:, next_older] ** 2)
    assert missed < 1.02 * np.mean((best[:, :WIDTH] - stacked[:, next_older]) ** 2)


def test_time_runs_backwards(stacked):
    """A guess of what came before is not one of what comes next: the sequence turns."""
    filled = backcast(unheard(stacked, 4), N_STEPS, LAG_S)
    older, newer = stacked[:, 4 * WIDTH : 5 * WIDTH], stacked[:, 2 * WIDTH : 3 * WIDTH]
    guess = filled[:, 4 * WIDTH : 5 * WIDTH]
    assert np.mean((guess - older) ** 2) < 0.8 * np.mean((newer - older) ** 2)


def test_what_was_heard_stays_as_it_was(stacked):
    given = unheard(stacked[:20], 5)
    twin = given.copy()
    filled = backcast(given, N_STEPS, LAG_S)
    np.testing.assert_array_equal(given, twin)
    np.testing.assert_array_equal(filled[:, : 5 * WIDTH], stacked[:20, : 5 * WIDTH])
    np.testing.assert_array_equal(backcast(stacked, N_STEPS, LAG_S), stacked)
    assert backcast(stacked[:0], N_STEPS, LAG_S).shape == (0, stacked.shape[1])


def test_a_row_does_not_depend_on_those_beside_it(stacked):
    rows = np.concatenate([unheard(stacked[:7], 4), unheard(stacked[7:15], 6), stacked[15:20]])
    together = backcast(rows, N_STEPS, LAG_S)
    alone = [backcast(row[np.newaxis], N_STEPS, LAG_S) for row in rows]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize(("n_steps", "step_s"), [(2, 0.3 * LAG_S), (3, 5 * LAG_S), (24, 0.6 * LAG_S)])
def test_stacks_of_any_size_are_guessed_by_what_was_learnt_of_music(n_steps, step_s):
    for n_heard in (1, n_steps // 2, n_steps - 1):
        rows = np.random.default_rng(2).standard_normal((3, n_steps * 12)).astype(np.float32)
        rows[:, n_heard * 12 :] = np.nan
        filled = backcast(rows, n_steps, step_s)
        assert np.isfinite(filled).all()
        assert np.abs(filled).max() < 100


def test_chroma_that_was_not_heard_is_the_oldest_that_sounds():
    rows = np.zeros((5, 9), np.float32)
    rows[:, :6] = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 0, 0, 0], [0, 0, 0, 4, 5, 6], [1, 2, 3, 4, 5, 6], [0] * 6]
    rows[:, 6:] = np.nan
    rows[3, 3:] = np.nan
    told = hold(rows, 3, 2)[:, 6:].tolist()
    # All of it sounds; not more than half; not more than half; one step only; silence.
    assert told == [[4, 5, 6], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert hold(rows, 3, 1)[3].tolist() == [1, 2, 3, 1, 2, 3, 1, 2, 3]
    assert np.isnan(rows).sum() == 18
    assert hold(rows[:0], 3, 2).shape == (0, 9)
