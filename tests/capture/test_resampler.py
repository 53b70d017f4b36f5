"""Resampling: stream equals batch, however it is cut."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.resample import QUALITY, Resampler, to_float
from stream_match.errors import SourceError

rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 44_101, 48_000, 96_000])


def convert(y, rate_hz, cuts):
    resampler = Resampler(rate_hz, y.shape[1])
    parts = [resampler.feed(part) for part in np.split(y, sorted(cuts))]
    return np.concatenate([*parts, resampler.flush()])


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=rates,
    channels=st.integers(1, 3),
    n=st.integers(0, 9_000),
    cuts=st.lists(st.integers(0, 9_000), max_size=12),
    seed=st.integers(0, 99),
)
def test_any_cut_equals_the_whole(rate_hz, channels, n, cuts, seed):
    y = np.random.default_rng(seed).uniform(-1.5, 1.5, (n, channels)).astype(np.float32)
    got = convert(y, rate_hz, [min(cut, n) for cut in cuts])
    mono = y[:, 0].copy()
    for channel in range(1, channels):
        mono += y[:, channel]
    mono *= np.float32(1 / channels)
    expected = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ, quality=QUALITY) if n else mono
    if rate_hz == SAMPLE_RATE_HZ:
        expected = mono
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 192_000])
def test_length_and_time_are_exact(rate_hz):
    click = np.zeros((2 * rate_hz, 1), np.float32)
    click[rate_hz] = 1.0
    got = convert(click, rate_hz, range(0, 2 * rate_hz, 777))
    assert got.size == 2 * SAMPLE_RATE_HZ
    assert int(np.argmax(np.abs(got))) == SAMPLE_RATE_HZ


def test_its_own_rate_passes_untouched():
    y = np.array([[0.25], [-3.5], [0.0]], np.float32)
    resampler = Resampler(SAMPLE_RATE_HZ, 1)
    got = resampler.feed(y)
    np.testing.assert_array_equal(got, y[:, 0])
    assert not np.shares_memory(got, y)
    assert resampler.flush().size == 0


def test_damaged_samples_become_silence_and_are_counted():
    y = np.full((4_000, 2), 0.5, np.float32)
    y[10, 0] = np.nan
    y[20] = np.inf
    y[30] = (np.inf, -np.inf)
    y[40, 1] = 3e38
    resampler = Resampler(48_000, 2)
    got = np.concatenate([resampler.feed(y), resampler.flush()])
    assert resampler.damaged == 6
    assert np.isfinite(got).all()
    clean = np.where(np.abs(y) <= 1, y, np.float32(0))
    np.testing.assert_array_equal(got, convert(clean, 48_000, []))


def test_after_a_flush_another_signal_begins():
    y = np.random.default_rng(0).uniform(-1, 1, (5_000, 1)).astype(np.float32)
    resampler = Resampler(44_100, 1)
    first = np.concatenate([resampler.feed(y), resampler.flush()])
    second = np.concatenate([resampler.feed(y), resampler.flush()])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("rate_hz", "channels"), [(999, 1), (768_001, 1), (0, 1), (-48_000, 2), (48_000, 0)])
def test_impossible_formats_are_refused(rate_hz, channels):
    with pytest.raises(SourceError):
        Resampler(rate_hz, channels)


@pytest.mark.parametrize(
    ("dtype", "low", "middle"),
    [("u1", 0, 128), ("i2", -(2**15), 0), ("i4", -(2**31), 0), ("f4", -1.0, 0.0), ("f8", -1.0, 0.0)],
)
def test_full_scale_is_one(dtype, low, middle):
    got = to_float(np.array([low, middle], dtype))
    np.testing.assert_array_equal(got, [-1.0, 0.0])
    assert got.dtype == np.float32
