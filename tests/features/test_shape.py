"""The spectral shape against loops, and what it is for: rooms change it less than other music does."""

from hashlib import sha256

import numpy as np
import pytest

from stream_match.config import FEATURE_CODE_VERSION
from stream_match.features.contrast import BANDS_PER_OCTAVE, N_BANDS
from stream_match.features.learnt import LAG_S, music_moments, noise_covariances, shape_directions
from stream_match.features.shape import BELOW, shape_bands, shape_basis, stacked_noise


def contrasts(n, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, N_BANDS)) * 10.0 ** rng.uniform(-5, 3, (n, 1))
    rows[0] = 0
    return rows.astype(np.float32)


def test_shape_bands_are_contrast_in_which_what_lies_below_counts_less():
    bands = contrasts(5, 1)
    out = shape_bands(bands)
    assert (out.shape, out.dtype) == ((5, N_BANDS), np.float32)
    assert not out[0].any()
    assert (np.abs(out) <= 1).all()
    for row, given in zip(out[1:], bands[1:], strict=True):
        twin = np.array([value if value > 0 else BELOW * value for value in given])
        np.testing.assert_allclose(row, twin / np.linalg.norm(twin), atol=1e-5)


def test_shape_bands_do_not_depend_on_the_level():
    bands = contrasts(5, 2)
    np.testing.assert_allclose(shape_bands(bands * np.float32(64)), shape_bands(bands), atol=1e-5)


@pytest.mark.parametrize("n_coefficients", [1, 48, 96])
def test_the_basis_is_that_which_was_learnt(n_coefficients):
    basis = shape_basis(n_coefficients)
    assert (basis.shape, basis.dtype) == ((N_BANDS, n_coefficients), np.float32)
    np.testing.assert_allclose(basis, shape_directions()[:, :n_coefficients], rtol=1e-6)


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_bands_moved_by_whole_bands_have_the_coefficients_of_the_original(semitones):
    bands = contrasts(4, 5)
    up = semitones * BANDS_PER_OCTAVE // 12
    bands[:, : abs(up)] = bands[:, N_BANDS - abs(up) :] = 0  # or they would be moved out
    moved = np.roll(bands, up, axis=1)
    scale = np.abs(bands @ shape_basis(48)).max()
    np.testing.assert_allclose(moved @ shape_basis(48, semitones), bands @ shape_basis(48), atol=1e-5 * scale)


@pytest.mark.parametrize("semitones", [-0.5, 0.1, 0.5])
def test_between_bands_the_basis_is_interpolated(semitones):
    place = np.arange(N_BANDS) - semitones * BANDS_PER_OCTAVE / 12
    for column in (0, 7, 40):
        padded = np.pad(shape_directions()[:, column], 1)  # what comes in from beyond the spectrum is zero
        twin = np.interp(place, np.arange(-1, N_BANDS + 1), padded)
        np.testing.assert_allclose(shape_basis(96, semitones)[:, column], twin, atol=1e-5)


def test_what_is_learnt_anew_raises_the_version_of_the_feature_code():
    """An index made with other directions would be searched in vain."""
    learnt = sha256(shape_directions().tobytes() + noise_covariances().tobytes()).hexdigest()
    assert (FEATURE_CODE_VERSION, learnt[:16]) == (4, "2a99bd52cacf58f8")


def test_the_moments_of_music_are_what_they_say():
    music = music_moments()
    assert (music.shape, music.dtype, music.flags.writeable) == ((9, 97, 97), np.float32, False)
    np.testing.assert_allclose(music[:, 0, 0], 1, atol=1e-6)
    np.testing.assert_allclose(music[0], music[0].T, atol=1e-5)
    assert np.linalg.eigvalsh(music[0].astype(np.float64)).min() > 0
    kept = [np.trace(lag[1:, 1:]) for lag in music]
    assert kept == sorted(kept, reverse=True)


def test_what_was_learnt_is_what_it_says():
    directions, noise = shape_directions(), noise_covariances()
    assert (directions.shape, directions.dtype) == ((N_BANDS, 96), np.float32)
    assert (noise.shape, noise.dtype) == ((4, 9, 96, 96), np.float32)
    assert not directions.flags.writeable
    for kind in noise:
        np.testing.assert_array_equal(kind[0], kind[0].T)
        assert np.linalg.eigvalsh(kind[0].astype(np.float64)).min() > 0


@pytest.mark.parametrize(("n_coefficients", "n_steps", "lags_apart"), [(96, 9, 1), (12, 3, 2), (5, 4, 1)])
def test_stacked_noise_has_the_noise_of_each_lag(n_coefficients, n_steps, lags_apart):
    stacked = stacked_noise(n_coefficients, n_steps, lags_apart * LAG_S)
    assert (stacked.shape, stacked.dtype) == ((4, *(n_coefficients * n_steps,) * 2), np.float64)
    for kind, noise in zip(noise_covariances(), stacked, strict=True):
        np.testing.assert_allclose(noise, noise.T, atol=1e-12)
        lags = kind[:, :n_coefficients, :n_coefficients]
        by_step = noise.reshape(n_steps, n_coefficients, n_steps, n_coefficients)
        for newer in range(n_steps):
            for older in range(newer, n_steps):
                twin = lags[(older - newer) * lags_apart]
                np.testing.assert_allclose(by_step[older, :, newer], twin, atol=5e-3)


@pytest.mark.parametrize("step_s", [0.01, 0.1, 0.25, 0.7, 5.0])
def test_stacked_noise_is_a_covariance_for_any_step(step_s):
    for noise in stacked_noise(30, 7, step_s):
        assert np.linalg.eigvalsh(noise).min() > -1e-9 * np.trace(noise)
