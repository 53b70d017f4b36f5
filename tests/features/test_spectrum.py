"""Frames and magnitudes: against a loop, and against librosa."""

import numpy as np
import pytest
from features_samples import SIGNALS, cuts, portions
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from naive import frames_of
from pydantic import ValidationError

from stream_match.config import FeatureSettings
from stream_match.errors import ParameterError
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes


@hypothesis_settings(max_examples=60, deadline=None)
@given(n=st.integers(0, 200), n_fft=st.integers(1, 40), data=st.data())
def test_frames_are_those_of_a_loop_for_any_cut(n, n_fft, data):
    hop_length = data.draw(st.integers(1, n_fft))
    y = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    buffer = FrameBuffer(n_fft, hop_length)
    frames = [buffer.feed(block) for block in portions(y, data.draw(cuts(3 * n_fft)))]
    assert all(part.shape[1] == n_fft and part.dtype == np.float32 for part in frames)
    np.testing.assert_array_equal(np.concatenate(frames), frames_of(y, n_fft, hop_length))


@pytest.mark.parametrize(("n_fft", "hop_length"), [(8, 9), (8, 0), (8, -4), (0, 0)])
def test_a_hop_is_no_longer_than_a_frame(n_fft, hop_length):
    with pytest.raises(ParameterError, match=f"hop_length is {hop_length}, expected 1 to n_fft = {n_fft}"):
        FrameBuffer(n_fft, hop_length)


def test_settings_whose_frames_leave_samples_out_are_refused_in_a_sentence():
    assert FeatureSettings(n_fft_samples=2048, hop_samples=2048).listening().hop_samples == 1024
    with pytest.raises(ValidationError) as refused:
        FeatureSettings(n_fft_samples=2048, hop_samples=4096)
    (told,) = refused.value.errors()
    expected = "hop_samples is 4096, and n_fft_samples 2048: a hop may be as long as a frame at most"
    assert told["msg"] == expected


def test_what_was_given_is_copied():
    y = np.arange(10, dtype=np.float32)
    buffer = FrameBuffer(8, 4)
    buffer.feed(y)
    y[:] = -1
    np.testing.assert_array_equal(buffer.feed(np.array([10, 11], np.float32)), [np.arange(4, 12)])


def test_the_rest_is_shorter_than_a_frame():
    buffer = FrameBuffer(512, 128)
    for block in portions(SIGNALS["noise"], range(0, 3000, 7)):
        buffer.feed(block)
        assert len(buffer._rest) < 512


def test_frames_cannot_be_written():
    frames = FrameBuffer(4, 2).feed(np.zeros(8, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0] = 1


@pytest.mark.parametrize("n_fft", [256, 4096])
@pytest.mark.parametrize("name", SIGNALS)
def test_magnitudes_are_those_of_librosa(librosa, name, n_fft):
    y = SIGNALS[name]
    ours = magnitudes(FrameBuffer(n_fft, n_fft // 4).feed(y), hann(n_fft))
    assert ours.dtype == np.float32
    assert ours.shape == (1 + (len(y) - n_fft) // (n_fft // 4), n_fft // 2 + 1)
    theirs = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=n_fft // 4, center=False)).T
    # float32 sums of n_fft samples: relative to the largest magnitude.
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * max(1, theirs.max()))


def test_fewer_bins_are_the_lowest_to_the_last_bit():
    frames = FrameBuffer(256, 64).feed(np.random.default_rng(0).standard_normal(10_000).astype(np.float32))
    fewer = magnitudes(frames, hann(256), 50)
    assert fewer.shape == (len(frames), 50)
    np.testing.assert_array_equal(fewer, magnitudes(frames, hann(256))[:, :50])


def test_the_window_is_periodic():
    window = hann(8)
    assert (window.dtype, window.shape) == (np.float32, (8,))
    np.testing.assert_allclose(window, [0.5 - 0.5 * np.cos(2 * np.pi * i / 8) for i in range(8)], atol=1e-7)
