"""Rhythm Patterns and Statistical Spectrum Descriptors: known answers, naive twins, any cut of the stream."""

import math

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.descriptors import loudness, rhythm, segments, ssd
from stream_match.descriptors.loudness import N_BANDS, band_of, phons, sones, specific_loudness
from stream_match.descriptors.segments import SegmentDescriptors
from stream_match.descriptors.sets import SETS, set_named
from stream_match.errors import ParameterError

SR = 22_050
SEGMENT = 512 * 256


def tone(hz, seconds, *, modulated_hz=0.0, sr=SR, level=0.3):
    t = np.arange(int(seconds * sr)) / sr
    return (level * np.sin(2 * np.pi * hz * t) * (1 + np.cos(2 * np.pi * modulated_hz * t)) / 2).astype("f4")


def noise(seconds, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * SR))).astype(np.float32)


def described(y, sr=SR):
    found = SegmentDescriptors(sr)
    found.feed(y)
    return found


# Loudness


def test_a_tone_is_as_loud_as_the_standard_says():
    power = np.zeros(N_BANDS)
    power[band_of(1000)] = 10 ** ((60 - loudness.FULL_SCALE_DB) / 10)
    level = phons(power)
    # Phon are decibels at 1 kHz; our parameters are those at 1,080 Hz, the edge of the band.
    assert level[band_of(1000)] == pytest.approx(60, abs=1.5)
    assert np.count_nonzero(level) == 1


def test_the_threshold_of_hearing_is_hardly_loud():
    edges = np.log(loudness.BARK_EDGES_HZ[1:])
    threshold = np.interp(edges, np.log(loudness._ISO_226[:, 0]), loudness._ISO_226[:, 3])
    level = phons(10 ** ((threshold - loudness.FULL_SCALE_DB) / 10))
    np.testing.assert_allclose(level, 40 * math.log10(0.005135) + 94, atol=1e-6)  # 2.4 phon, by the standard


def test_loudness_doubles_every_ten_phon():
    np.testing.assert_allclose(sones(np.array([0.0, 40, 50, 60, 100])), [0, 1, 2, 4, 64])


def test_of_a_sine_the_power_in_its_band_is_that_of_its_amplitude():
    frame = tone(1000, 1)
    expected = np.zeros(N_BANDS)
    expected[band_of(1000)] = 0.3**2
    np.testing.assert_allclose(
        specific_loudness(frame, SR)[:, band_of(1000)],
        sones(phons(loudness.spreading() @ expected))[band_of(1000)],
        rtol=1e-3,
    )


@pytest.mark.parametrize("sr", loudness.N_FFT)
def test_loudness_equals_its_naive_twin(sr):
    y = noise(0.2, 3)[:2000]
    found = specific_loudness(y, sr)
    assert (found.shape, found.dtype) == (
        ((2000 - loudness.N_FFT[sr]) // (loudness.N_FFT[sr] // 2) + 1, 24),
        "f8",
    )
    for frame in (0, len(found) - 1):
        np.testing.assert_allclose(found[frame], naive.specific_loudness(y, sr, frame), rtol=1e-9, atol=1e-12)


def test_masking_spreads_upwards_further_than_downwards():
    spread = loudness.spreading()
    assert np.all(np.diag(spread) == pytest.approx(1, abs=0.05))
    assert 10 * math.log10(spread[10, 8]) > 10 * math.log10(spread[6, 8]) + 15


def test_bands_above_half_the_sample_rate_are_empty():
    assert loudness.heard_bands(SR).tolist() == [True] * 23 + [False]
    assert loudness.heard_bands(44_100).all()
    assert not specific_loudness(noise(1), SR)[:, 23].any()
    assert specific_loudness(noise(1), SR)[:, 1:23].all()  # of the lowest, a frame may be below the threshold


# Rhythm Patterns


@pytest.mark.parametrize("hz", [250, 1000, 3000, 7000])
@pytest.mark.parametrize("modulated_hz", [1.0, 4.0, 8.0])
def test_a_modulated_tone_peaks_at_its_cell(hz, modulated_hz):
    pattern = described(tone(hz, 13, modulated_hz=modulated_hz)).rhythm_pattern().reshape(60, 24)
    rates = rhythm.modulation_hz(SR / 256)
    rate, band = np.unravel_index(np.argmax(pattern), pattern.shape)
    assert band == band_of(hz)
    assert rate == np.argmin(np.abs(rates - modulated_hz))
    assert rhythm.COLUMNS[np.argmax(pattern)] == f"rp_m{rate + 1:02}_b{band + 1:02}"


def test_rates_of_modulation_are_those_of_the_papers():
    rates = rhythm.modulation_hz(SR / 256)
    assert rates[0] == pytest.approx(0.168, abs=5e-4)
    assert rates[-1] == pytest.approx(10.09, abs=5e-3)
    assert len(rhythm.COLUMNS) == len(set(rhythm.COLUMNS)) == 1440


def test_a_pattern_is_its_naive_twin():
    values = np.random.default_rng(1).random((512, 24))
    found = rhythm.rhythm_pattern(values, SR / 256)
    for rate, band in ((0, 0), (23, 8), (59, 23)):
        assert found[rate * 24 + band] == pytest.approx(
            naive.fluctuation(values[:, band], rate + 1, SR / 256)
        )


def test_a_steady_tone_has_no_rhythm():
    pattern = described(tone(1000, 13)).rhythm_pattern()
    assert pattern.max() < 1e-3 * described(tone(1000, 13, modulated_hz=4)).rhythm_pattern().max()


# Statistical Spectrum Descriptors


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 40), st.floats(0, 100))
def test_the_seven_statistics_are_those_of_the_naive_twin(seed, n_frames, scale):
    values = np.random.default_rng(seed).random((n_frames, 24)) * scale
    values[:, 5] = scale / 3  # does not change
    found = dict(zip(ssd.COLUMNS, ssd.spectrum_descriptor(values), strict=True))
    for band in range(24):
        expected = naive.seven_statistics(values[:, band].tolist())
        for name, value in zip(ssd.STATISTICS, expected, strict=True):
            assert found[f"ssd_{name}_b{band + 1:02}"] == pytest.approx(value, rel=1e-6, abs=1e-9), (
                name,
                band,
            )


def test_the_statistics_of_numbers_known_by_heart():
    values = np.tile([[2.0], [4], [4], [4], [5], [5], [7], [9]], 24)
    found = ssd.spectrum_descriptor(values).reshape(7, 24)[:, 0]
    np.testing.assert_allclose(found, [5, 4.5, 4, 0.65625, 2.78125, 2, 9])


# Both, of a stream


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, 90_000), max_size=12), st.integers(0, 100))
def test_however_a_stream_is_cut_its_descriptors_are_the_same(cuts, seed):
    y = noise(14, seed)
    whole, cut = described(y), SegmentDescriptors(SR)
    for part in np.split(y, np.cumsum(cuts)[np.cumsum(cuts) < len(y)]):
        cut.feed(part)
    np.testing.assert_array_equal(cut.rhythm_pattern(), whole.rhythm_pattern())
    np.testing.assert_array_equal(cut.spectrum_descriptor(), whole.spectrum_descriptor())
    assert cut.segments == whole.segments == 2


def test_a_track_is_the_median_and_the_mean_of_its_segments():
    y = np.concatenate([noise(6.2, 1), tone(500, 6, modulated_hz=2), 0.2 * noise(6.2, 2)])
    sones_of = [specific_loudness(y[i * SEGMENT : (i + 1) * SEGMENT + 256], SR) for i in range(3)]
    patterns = [rhythm.rhythm_pattern(part, SR / 256) for part in sones_of]
    found = described(y)
    np.testing.assert_array_equal(found.rhythm_pattern(), np.median(patterns, axis=0))
    np.testing.assert_allclose(
        found.spectrum_descriptor(),
        np.mean([ssd.spectrum_descriptor(p) for p in sones_of], axis=0),
        rtol=1e-12,
    )


def test_vectors_have_the_stated_shapes_and_types():
    found = described(noise(7))
    for values, length in ((found.rhythm_pattern(), 1440), (found.spectrum_descriptor(), 168)):
        assert (values.shape, values.dtype) == ((length,), np.float64)
        assert np.isfinite(values).all()
    assert (len(SETS["rp"].columns), len(SETS["ssd"].columns), len(SETS["gtzan"].columns)) == (1440, 168, 57)


def test_of_a_long_stream_segments_are_taken_evenly(monkeypatch):
    monkeypatch.setattr(segments, "MOST_PATTERNS", 4)
    taken = iter(range(100))
    monkeypatch.setattr(segments, "rhythm_pattern", lambda *_: np.full(1440, float(next(taken))))
    monkeypatch.setattr(segments, "specific_loudness", lambda *_: np.zeros((512, 24)))
    found = SegmentDescriptors(SR)
    held = []
    for _ in range(20):
        found.feed(np.zeros(SEGMENT, np.float32))
        held.append(len(found._patterns))
    assert max(held) == 4
    assert found.segments == 19
    assert found._stride == 8
    assert len(found._held) < SEGMENT + 256


def test_silence_has_no_loudness():
    found = described(np.zeros(2 * SEGMENT, np.float32))
    assert not found.rhythm_pattern().any()
    assert not found.spectrum_descriptor().any()


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.array([0.0, np.nan], np.float32), "y holds NaN or infinity; give samples in"),
        (np.array([np.inf], np.float32), "y holds NaN or infinity"),
        (np.zeros((2, 9), np.float32), r"y has shape \(2, 9\); give mono samples"),
    ],
)
def test_bad_samples_are_refused_and_nothing_of_them_is_taken(y, told):
    found, clean = SegmentDescriptors(SR), noise(7)
    found.feed(clean[:1000])
    with pytest.raises(ParameterError, match=told):
        found.feed(y)
    found.feed(clean[1000:])
    np.testing.assert_array_equal(found.rhythm_pattern(), described(clean).rhythm_pattern())


@pytest.mark.parametrize("samples", [0, 1, 511, 512, SEGMENT, SEGMENT + 255])
def test_what_is_shorter_than_a_segment_is_refused(samples):
    found = described(np.zeros(samples, np.float32))
    for method in (found.rhythm_pattern, found.spectrum_descriptor):
        with pytest.raises(ParameterError, match=r"s were heard; a segment needs 6\.0 s\."):
            method()
    assert found.feed(np.zeros(SEGMENT + 256 - samples, np.float32)) == 1


def test_one_frame_and_less():
    assert specific_loudness(np.ones(511, np.float32), SR).shape == (0, 24)
    assert specific_loudness(np.ones(512, np.float32), SR).shape == (1, 24)


def test_other_rates_and_sets_are_refused():
    with pytest.raises(ParameterError, match="sr is 16000; give samples at one of 11025, 22050, 44100 Hz"):
        SegmentDescriptors(16_000)
    with pytest.raises(ParameterError, match="'mfcc'; give one of rp, ssd, gtzan"):
        set_named("mfcc")
