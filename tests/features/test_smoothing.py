"""Running means: against a loop, in any portions, without a memory of what is long past."""

import numpy as np
import pytest
from features_samples import cuts, portions
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from naive import running_mean

from stream_match.errors import ParameterError
from stream_match.features.smoothing import RunningMean, smooth

shapes = {"n": st.integers(0, 30), "d": st.integers(1, 4), "n_frames": st.integers(1, 12)}


def some_frames(n, d):
    return np.random.default_rng(n).standard_normal((n, d)).astype(np.float32)


@hypothesis_settings(max_examples=60, deadline=None)
@given(**shapes)
def test_means_are_those_of_a_loop(n, d, n_frames):
    frames = some_frames(n, d)
    means = smooth(frames, n_frames)
    assert (means.shape, means.dtype) == ((max(0, n - n_frames + 1), d), np.float32)
    if len(means):
        np.testing.assert_allclose(means, running_mean(frames, n_frames), atol=1e-6)


@hypothesis_settings(max_examples=60, deadline=None)
@given(**shapes, lengths=cuts(20), later=st.integers(0, 12))
def test_a_stream_in_any_portions_has_the_same_means(n, d, n_frames, lengths, later):
    frames, fewest = some_frames(n, d), min(1 + later, n_frames)
    running = RunningMean(n_frames, fewest)
    means = np.concatenate([running.feed(part) for part in portions(frames, lengths)])
    assert len(means) == max(0, n - fewest + 1)
    whole = smooth(frames, n_frames)
    np.testing.assert_array_equal(means[len(means) - len(whole) :], whole)
    for count in range(fewest, min(n, n_frames - 1) + 1):
        np.testing.assert_array_equal(means[count - fewest], smooth(frames[:count], count)[0])
    assert len(running._history) <= n_frames - 1


def test_what_was_loud_leaves_nothing_behind():
    frames = np.zeros((12, 1), np.float32)
    frames[:4] = 1e30
    running = RunningMean(3)
    assert running.feed(frames)[6:].tolist() == [[0.0]] * 6
    assert running.feed(frames[6:]).tolist() == [[0.0]] * 6


def test_means_keep_nothing_of_what_was_given_and_change_nothing():
    frames = some_frames(9, 2)
    twin = frames.copy()
    running = RunningMean(4)
    running.feed(frames[:6])
    np.testing.assert_array_equal(frames, twin)
    frames[:6] = 0
    np.testing.assert_array_equal(running.feed(frames[6:]), smooth(twin, 4)[3:])
    np.testing.assert_array_equal(twin[6:], frames[6:])


def test_reset_forgets_the_frames():
    running = RunningMean(3)
    running.feed(some_frames(7, 2))
    running.reset()
    frames = some_frames(2, 2)
    np.testing.assert_array_equal(running.feed(frames), [frames[0], frames.mean(axis=0)])


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ParameterError, match="n_frames is 0"):
        smooth(np.zeros((3, 2), np.float32), 0)
