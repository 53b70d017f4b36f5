"""Contrast chroma against loops."""

import naive
import numpy as np
import pytest
from music import RATE_HZ

from stream_match.features.contrast import (
    BANDS_PER_OCTAVE,
    FLOOR,
    LOWEST_HZ,
    N_BANDS,
    NEIGHBOUR_BANDS,
    contrast,
    contrast_bands,
    fold,
    log_frequency_filter,
    shape_basis,
)


def spectra(n, n_bins, seed):
    """Loud and soft ones, over eight decades, one of them empty."""
    rng = np.random.default_rng(seed)
    rows = rng.exponential(size=(n, n_bins)) * 10.0 ** rng.uniform(-5, 3, (n, 1))
    rows[0] = 0
    return rows.astype(np.float32)


@pytest.mark.parametrize("n_fft", [256, 2048, 4096, 8192])
def test_the_filter_is_made_of_triangles(n_fft):
    weights = log_frequency_filter(RATE_HZ, n_fft)
    assert (weights.shape, weights.dtype) == ((N_BANDS, n_fft // 2 + 1), np.float32)
    dense = weights.toarray()
    np.testing.assert_allclose(dense.sum(axis=1), 1, atol=1e-6)
    for band in range(0, N_BANDS, 5):
        twin = naive.triangle(band, n_fft // 2 + 1, RATE_HZ / n_fft, LOWEST_HZ, BANDS_PER_OCTAVE)
        np.testing.assert_allclose(dense[band], twin, atol=1e-6)


def test_bands_end_where_it_is_said():
    octaves = (N_BANDS - 1) / BANDS_PER_OCTAVE
    assert 5.5 < octaves < 5.7
    assert 5200 < LOWEST_HZ * 2**octaves < 5400


@pytest.mark.parametrize("n_bands", [N_BANDS, 20, 3, 1])
def test_contrast_is_what_stands_out_of_the_mean_around(n_bands):
    bands = spectra(6, n_bands, 1)
    out = contrast(bands)
    assert (out.shape, out.dtype) == (bands.shape, np.float32)
    for row, given in zip(out, bands, strict=True):
        # Means of float32 numbers, taken in double precision.
        np.testing.assert_allclose(row, naive.contrast(given, NEIGHBOUR_BANDS), atol=2e-6 * given.max())


def test_fold_shares_out_what_lies_between():
    bands = spectra(6, N_BANDS, 2)
    out = fold(bands)
    assert (out.shape, out.dtype) == ((6, 12), np.float32)
    for row, given in zip(out, bands, strict=True):
        np.testing.assert_allclose(
            row, naive.fold(given, BANDS_PER_OCTAVE // 12, lowest_class=9), rtol=2e-5, atol=1e-12
        )
    np.testing.assert_allclose(out.sum(axis=1), bands.sum(axis=1), rtol=1e-4)


def test_contrast_bands_are_what_stands_out_of_the_root_of_the_bands():
    magnitude, weights = spectra(4, 2049, 3), log_frequency_filter(RATE_HZ, 4096)
    out = contrast_bands(magnitude, weights)
    assert (out.shape, out.dtype) == ((4, N_BANDS), np.float32)
    assert not out[0].any()
    assert ((out >= 0) & (out <= 1)).all()
    for row, given in zip(out[1:], magnitude[1:], strict=True):
        bands = [float(weights[band].toarray()[0] @ given) for band in range(N_BANDS)]
        bands = [max(0.0, band - FLOOR * max(bands)) ** 0.5 for band in bands]
        twin = np.array(naive.contrast(bands, NEIGHBOUR_BANDS))
        np.testing.assert_allclose(row, twin / np.linalg.norm(twin), atol=1e-4)


@pytest.mark.parametrize("n_coefficients", [1, 48, N_BANDS])
def test_the_basis_is_made_of_the_slowest_cosines(n_coefficients):
    basis = shape_basis(n_coefficients)
    assert (basis.shape, basis.dtype) == ((N_BANDS, n_coefficients), np.float32)
    for column in range(0, n_coefficients, 7):
        np.testing.assert_allclose(basis[:, column], naive.cosine(N_BANDS, column), atol=1e-6)
    np.testing.assert_allclose(basis.T @ basis, np.eye(n_coefficients), atol=1e-5)


@pytest.mark.parametrize("semitones", [-12.0, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 2.5])
def test_a_moved_basis_reads_each_band_so_much_lower(semitones):
    basis = shape_basis(20, semitones)
    assert (basis.shape, basis.dtype) == ((N_BANDS, 20), np.float32)
    for column in range(0, 20, 3):
        twin = naive.moved_cosine(N_BANDS, column, semitones * BANDS_PER_OCTAVE / 12)
        np.testing.assert_allclose(basis[:, column], twin, atol=1e-6)


def test_the_basis_is_not_moved_by_default():
    np.testing.assert_array_equal(shape_basis(30), shape_basis(30, 0.0))


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_bands_moved_by_whole_bands_have_the_coefficients_of_the_original(semitones):
    bands = spectra(4, N_BANDS, 5)
    up = semitones * BANDS_PER_OCTAVE // 12
    bands[:, : abs(up)] = bands[:, N_BANDS - abs(up) :] = 0  # or they would be moved out
    moved = np.roll(bands, up, axis=1)
    np.testing.assert_allclose(
        moved @ shape_basis(48, semitones), bands @ shape_basis(48), rtol=1e-4, atol=1e-3
    )


def test_a_flat_spectrum_has_no_contrast():
    assert not contrast(np.full((2, N_BANDS), 0.5, np.float32)).any()
