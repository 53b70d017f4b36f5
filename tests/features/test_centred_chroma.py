"""Chroma of whole recordings: librosa's, framed as librosa frames it."""

import numpy as np
import pytest
from features_samples import SIGNALS, cuts, portions
from hypothesis import given, settings
from music import RATE_HZ, piece

from stream_match.features.centred_chroma import HOP_SAMPLES, N_FFT_SAMPLES, SILENCE_DBFS, centred_chroma


def chroma_of(*blocks):
    return np.concatenate(list(centred_chroma(blocks, RATE_HZ)))


@pytest.mark.parametrize("name", SIGNALS)
def test_it_is_that_of_librosa_but_for_silence(librosa, name):
    y = SIGNALS[name]
    ours = chroma_of(y)
    assert (ours.shape, ours.dtype) == ((1 + len(y) // HOP_SAMPLES, 12), np.float32)
    theirs = librosa.feature.chroma_stft(
        y=y, sr=RATE_HZ, n_fft=N_FFT_SAMPLES, hop_length=HOP_SAMPLES, norm=2, tuning=0.0
    ).T
    around = np.pad(y, N_FFT_SAMPLES // 2)
    frames = [around[i * HOP_SAMPLES : i * HOP_SAMPLES + N_FFT_SAMPLES] for i in range(len(ours))]
    audible = np.array([np.sqrt(np.mean(frame.astype(float) ** 2)) for frame in frames]) >= 10 ** (
        SILENCE_DBFS / 20
    )
    assert audible.all() == ("silence" not in name)
    np.testing.assert_allclose(ours[audible], theirs[audible], atol=1e-5)
    assert not ours[~audible].any()


@settings(max_examples=30, deadline=None)
@given(lengths=cuts(3 * N_FFT_SAMPLES))
def test_it_does_not_depend_on_how_the_recording_is_cut(lengths):
    y = piece(1, 2.5)
    np.testing.assert_array_equal(chroma_of(*portions(y, lengths)), chroma_of(y))


@pytest.mark.parametrize("n", [0, 1, HOP_SAMPLES - 1, HOP_SAMPLES, N_FFT_SAMPLES])
def test_the_shortest_have_a_frame_around_their_beginning(n):
    assert len(chroma_of(piece(2, 1)[:n])) == 1 + n // HOP_SAMPLES


@pytest.mark.parametrize(("dbfs", "audible"), [(-79.0, True), (-81.0, False)])
def test_what_is_as_faint_as_the_noise_of_a_converter_is_silent(dbfs, audible):
    y = np.random.default_rng(3).standard_normal(4 * N_FFT_SAMPLES).astype(np.float32)
    y *= np.float32(10 ** (dbfs / 20) / y.std())
    inner = chroma_of(y)[1:-1]
    assert inner.any(axis=1).all() == inner.any() == audible
