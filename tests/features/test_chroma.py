"""Chroma: librosa's filter and librosa's chroma, without librosa."""

import numpy as np
import pytest
from features_samples import SIGNALS
from music import RATE_HZ
from naive import frames_of

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA, chroma_filter, chroma_stft, unit_rows
from stream_match.features.rolling import RollingChroma


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
@pytest.mark.parametrize("n_fft", [256, 1000, 2048, 4096, 8192])
def test_the_filter_is_that_of_librosa(librosa, rate_hz, n_fft):
    ours = chroma_filter(rate_hz, n_fft)
    assert (ours.shape, ours.dtype) == ((N_CHROMA, n_fft // 2 + 1), np.float32)
    theirs = librosa.filters.chroma(sr=rate_hz, n_fft=n_fft, tuning=0.0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("chroma", "power"), [("power", 2), ("magnitude", 1)])
@pytest.mark.parametrize("name", SIGNALS)
def test_rolling_chroma_is_that_of_librosa(librosa, name, chroma, power):
    y, settings = SIGNALS[name], FeatureSettings(chroma=chroma)
    n_fft, hop_length = settings.n_fft_samples, settings.hop_samples
    ours = RollingChroma(settings).feed(y)
    assert (ours.shape, ours.dtype) == ((1 + (len(y) - n_fft) // hop_length, 12), np.float32)
    spectrum = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, center=False)) ** power
    theirs = librosa.feature.chroma_stft(S=spectrum, sr=RATE_HZ, n_fft=n_fft, norm=2, tuning=0.0).T
    level = np.sqrt((frames_of(y, n_fft, hop_length) ** 2).mean(axis=1))
    audible = level >= 10 ** (settings.silence_dbfs / 20)
    assert audible.all() == ("silence" not in name)
    np.testing.assert_allclose(ours[audible], theirs[audible], atol=1e-5)
    assert not ours[~audible].any()


@pytest.mark.parametrize("pitch_class", range(12))
def test_a_tone_lands_in_its_class(pitch_class):
    midi = 60 + pitch_class
    t = np.arange(8192) / RATE_HZ
    y = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t).astype(np.float32)
    for chroma in ("power", "magnitude", "contrast"):
        rows = RollingChroma(FeatureSettings(chroma=chroma)).feed(y)
        assert (rows.argmax(axis=1) == pitch_class).all()


def test_an_empty_spectrum_gives_a_zero_row():
    weights = chroma_filter(RATE_HZ, 512)
    magnitude = np.zeros((3, 257), np.float32)
    magnitude[1] = 1
    for power in (1.0, 2.0):
        rows = chroma_stft(magnitude, weights, power=power)
        assert (rows.shape, rows.dtype) == ((3, 12), np.float32)
        assert rows.any(axis=1).tolist() == [False, True, False]
        assert ((rows >= 0) & (rows <= 1)).all()


def test_unit_rows():
    rows = np.array([[3, 4], [0, 0], [1e-30, 0], [-5, 12]], np.float32)
    scaled = unit_rows(rows)
    assert scaled.dtype == np.float32
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled[[0, 1, 3]], [[0.6, 0.8], [0, 0], [-5 / 13, 12 / 13]], rtol=1e-6)
