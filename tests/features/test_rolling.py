"""The features of a stream: cut and level do not matter, and silence is zero."""

from itertools import pairwise

import numpy as np
import pytest
from features_samples import SIGNALS, cuts, portions
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from music import RATE_HZ, SETTINGS, chroma_of, cut, frames_of, noise, piece, played_faster, silence, tone

from stream_match.config import FeatureSettings
from stream_match.features.contrast import contrast_bands, log_frequency_filter
from stream_match.features.rolling import CHROMA, SHAPE, RollingFeatures
from stream_match.features.shape import shape_bands, shape_basis
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes
from stream_match.index.coding import embeddings_of

CHROMAS = ("power", "magnitude", "contrast")


SHIFTS = (0.0, -0.5, 1.0)


def fed(y, settings, lengths, shifts=(0.0,)):
    rolling = RollingFeatures(settings, shifts)
    return np.concatenate([rolling.feed(block) for block in portions(y, lengths)])


@pytest.mark.parametrize("chroma", CHROMAS)
@hypothesis_settings(max_examples=12, deadline=None)
@given(name=st.sampled_from(sorted(SIGNALS)), lengths=cuts(4 * 4096))
def test_the_cut_changes_no_bit(chroma, name, lengths):
    settings = FeatureSettings(chroma=chroma)
    whole = frames_of(SIGNALS[name], settings)
    assert fed(SIGNALS[name], settings, lengths).tobytes() == whole.tobytes()


@hypothesis_settings(max_examples=12, deadline=None)
@given(name=st.sampled_from(sorted(SIGNALS)), lengths=cuts(4 * 4096))
def test_the_cut_changes_no_bit_at_several_shifts(name, lengths):
    settings = FeatureSettings().listening()
    whole = RollingFeatures(settings, SHIFTS).feed(SIGNALS[name])
    assert whole.shape[1] == 12 + len(SHIFTS) * settings.shape_coefficients
    assert fed(SIGNALS[name], settings, lengths, SHIFTS).tobytes() == whole.tobytes()


def test_there_is_a_set_of_coefficients_for_each_shift():
    y = SIGNALS["music, silence, quiet music"]
    whole = RollingFeatures(SETTINGS, SHIFTS).feed(y)
    sets = np.split(whole[:, SHAPE], len(SHIFTS), axis=1)
    for shift, shape in zip(SHIFTS, sets, strict=True):
        alone = RollingFeatures(SETTINGS, (shift,)).feed(y)
        np.testing.assert_array_equal(whole[:, CHROMA], alone[:, CHROMA])
        np.testing.assert_allclose(shape, alone[:, SHAPE], atol=1e-6)
    silent = ~whole[:, CHROMA].any(axis=1)
    assert silent.any()
    assert not whole[silent].any()
    np.testing.assert_array_equal(
        RollingFeatures(SETTINGS).feed(y), RollingFeatures(SETTINGS, (0.0,)).feed(y)
    )


@pytest.mark.parametrize("shift", [-1.0, -0.5, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["tone", "turntable"])
def test_what_is_so_much_higher_has_at_that_shift_the_shape_of_the_original(shift, kind):
    """The first frame: what is played faster sounds other notes later on."""
    ratio = 2 ** (shift / 12)
    if kind == "tone":
        y, higher = (tone(60 + semitones, RATE_HZ) for semitones in (0, shift))
    else:
        y = cut(piece(9, 3), 1, 1)
        higher = played_faster(y, ratio)
    original = unit(frames_of(y.astype(np.float32))[0, SHAPE])
    shifts = (0.0, shift, -shift)
    sets = np.split(RollingFeatures(SETTINGS, shifts).feed(higher.astype(np.float32))[0, SHAPE], 3)
    as_is, at_shift, wrong_way = (float(original @ unit(shape)) for shape in sets)
    assert at_shift > 0.6
    assert at_shift > as_is + 0.2
    assert at_shift > wrong_way + 0.3


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_listening_hears_every_frame_of_a_reference_and_others_between():
    y = piece(2, 5)
    listening = SETTINGS.listening()
    dense, sparse = frames_of(y, listening), frames_of(y)
    density = SETTINGS.hop_samples // listening.hop_samples
    np.testing.assert_array_equal(dense[::density][: len(sparse)], sparse)
    heard, known = embeddings_of(dense, listening), embeddings_of(sparse, SETTINGS)
    for one, other in ((heard.shape, known.shape), (heard.chroma, known.chroma)):
        same_time = one[::density][: len(other)]
        assert same_time.shape == other.shape
        # Their means are over the same sound, of nine frames and of five.
        alike = [float(unit(row) @ unit(known_row)) for row, known_row in zip(same_time, other, strict=True)]
        assert min(alike) > 0.998


@pytest.mark.parametrize("chroma", CHROMAS)
def test_single_samples_change_no_bit(chroma):
    settings = FeatureSettings(chroma=chroma, n_fft_samples=512, hop_samples=100)
    y = piece(7, 0.2)
    assert fed(y, settings, [1] * len(y)).tobytes() == frames_of(y, settings).tobytes()


@pytest.mark.parametrize("chroma", CHROMAS)
@pytest.mark.parametrize("name", SIGNALS)
def test_chroma_has_unit_norm_or_is_zero(chroma, name):
    settings = FeatureSettings(chroma=chroma)
    frames = frames_of(SIGNALS[name], settings)
    assert (frames.shape[1], frames.dtype) == (12 + settings.shape_coefficients, np.float32)
    rows = frames[:, CHROMA]
    np.testing.assert_array_equal(rows, chroma_of(SIGNALS[name], settings))
    assert (rows.shape[1], rows.dtype) == (12, np.float32)
    assert ((rows >= 0) & (rows <= 1 + 1e-6)).all()
    norms = np.linalg.norm(rows, axis=1)
    assert (np.isclose(norms, 1, atol=1e-5) | (norms == 0)).all()
    assert not frames[norms == 0].any()
    assert (norms == 0).any() == ("silence" in name)


@pytest.mark.parametrize("chroma", CHROMAS)
def test_what_is_below_the_gate_is_silent(chroma):
    settings = FeatureSettings(chroma=chroma, silence_dbfs=-40)
    level = 10 ** (-40 / 20)
    assert not frames_of(noise(1, 1, 0.9 * level), settings).any()
    assert chroma_of(noise(1, 1, 1.1 * level), settings).any(axis=1).all()


@pytest.mark.parametrize("chroma", CHROMAS)
def test_a_signal_shorter_than_a_window_has_no_frames(chroma):
    settings = FeatureSettings(chroma=chroma)
    for y in (silence(4095 / RATE_HZ), silence(0)):
        assert chroma_of(y, settings).shape == (0, 12)
        assert frames_of(y, settings).shape == (0, 12 + settings.shape_coefficients)


@pytest.mark.parametrize("chroma", CHROMAS)
@pytest.mark.parametrize("gain_db", [-40, 20])
def test_the_level_does_not_matter(chroma, gain_db):
    settings = FeatureSettings(chroma=chroma)
    y = np.float32(10) * piece(6, 3)  # its softest frame stays above the gate
    changed = frames_of(np.float32(10 ** (gain_db / 20)) * y, settings)
    np.testing.assert_allclose(changed, frames_of(y, settings), atol=1e-4)


def test_the_shape_is_that_of_the_contrast():
    settings = FeatureSettings(n_fft_samples=2048, hop_samples=512, shape_coefficients=30)
    y = piece(8, 1)
    magnitude = magnitudes(FrameBuffer(2048, 512).feed(y), hann(2048))
    twin = shape_bands(contrast_bands(magnitude, log_frequency_filter(RATE_HZ, 2048))) @ shape_basis(30)
    np.testing.assert_allclose(frames_of(y, settings)[:, SHAPE], twin, atol=1e-5)


def test_a_quarter_tone_gives_way():
    """Between two classes the shares change steadily, so that no small detuning changes all."""
    t = np.arange(8192) / RATE_HZ
    rows = [
        chroma_of(np.sin(2 * np.pi * 880 * 2 ** (cents / 1200) * t).astype(np.float32))[0]
        for cents in range(0, 101, 10)
    ]
    assert (rows[0].argmax(), rows[-1].argmax()) == (9, 10)
    apart = [np.linalg.norm(one - other) for one, other in pairwise(rows)]
    assert max(apart) < 0.5
