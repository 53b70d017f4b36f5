"""Time-delay embeddings: against a loop, librosa, and any portions."""

import numpy as np
import pytest
from features_samples import cuts, portions
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from naive import embedding

from stream_match.errors import ParameterError
from stream_match.features.embedding import MemoryStack, embed

shapes = {"n": st.integers(0, 50), "d": st.integers(1, 4), "n_steps": st.integers(1, 6)}


def some_frames(n, d):
    return np.random.default_rng(n).standard_normal((n, d)).astype(np.float32)


@hypothesis_settings(max_examples=60, deadline=None)
@given(**shapes, delay=st.integers(1, 6))
def test_embeddings_are_those_of_a_loop(n, d, n_steps, delay):
    frames = some_frames(n, d)
    rows = embed(frames, n_steps=n_steps, delay=delay)
    assert rows.shape == (max(0, n - (n_steps - 1) * delay), d * n_steps)
    assert rows.dtype == np.float32
    for number, row in enumerate(rows):
        assert row.tolist() == embedding(frames, number, n_steps, delay)


@pytest.mark.parametrize(("n_steps", "delay"), [(1, 1), (2, 1), (3, 5), (10, 4)])
def test_embeddings_are_the_interior_of_stack_memory(librosa, n_steps, delay):
    frames = some_frames(60, 12)
    stacked = librosa.feature.stack_memory(frames.T, n_steps=n_steps, delay=delay)
    rows = embed(frames, n_steps=n_steps, delay=delay)
    past = (n_steps - 1) * delay
    np.testing.assert_array_equal(rows, stacked.T[past:])


@hypothesis_settings(max_examples=60, deadline=None)
@given(**shapes, delay=st.integers(1, 6), unheard=st.integers(0, 25), lengths=cuts(20))
def test_a_stream_in_any_portions_has_the_same_embeddings(n, d, n_steps, delay, unheard, lengths):
    frames, first_past = some_frames(n, d), max(0, (n_steps - 1) * delay - unheard)
    stack = MemoryStack(n_steps, delay, first_past)
    parts = [stack.feed(part) for part in portions(frames, lengths)]
    assert all(part.shape[1] == d * n_steps for part in parts)
    rows = np.concatenate(parts)
    assert len(rows) == max(0, n - first_past)
    whole = embed(frames, n_steps=n_steps, delay=delay)
    np.testing.assert_array_equal(rows[len(rows) - len(whole) :], whole)
    for number, row in enumerate(rows.reshape(-1, n_steps, d)):
        newest = first_past + number
        for step, values in enumerate(row):
            at = newest - step * delay
            np.testing.assert_array_equal(values, frames[at] if at >= 0 else np.full(d, np.nan))
    assert len(stack._history) <= (n_steps - 1) * delay


def test_the_stack_keeps_nothing_of_what_was_given():
    frames = some_frames(9, 2)
    stack = MemoryStack(3, 4, 8)
    stack.feed(frames[:8])
    twin = frames.copy()
    frames[:8] = 0
    np.testing.assert_array_equal(stack.feed(frames[8:]), embed(twin, n_steps=3, delay=4))


def test_reset_forgets_the_history():
    stack = MemoryStack(3, 2, 4)
    stack.feed(some_frames(20, 12))
    stack.reset()
    assert stack.feed(some_frames(4, 12)).shape == (0, 36)
    assert stack.feed(some_frames(1, 12)).shape == (1, 36)


@pytest.mark.parametrize(
    ("frames", "n_steps", "delay", "message"),
    [
        (np.zeros(12, np.float32), 2, 1, "1 dimensions, expected 2"),
        (np.zeros((2, 3, 4), np.float32), 2, 1, "3 dimensions, expected 2"),
        (np.zeros((5, 12), np.float32), 0, 1, "n_steps is 0"),
        (np.zeros((5, 12), np.float32), 2, 0, "delay is 0"),
        (np.zeros((5, 12), np.float32), 2, -3, "delay is -3"),
    ],
)
def test_what_cannot_be_stacked_is_refused(frames, n_steps, delay, message):
    with pytest.raises(ParameterError, match=message):
        embed(frames, n_steps=n_steps, delay=delay)
