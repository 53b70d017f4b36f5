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


def test_contrast_is_of_the_roots_of_bands_above_the_floor():
    magnitude, weights = spectra(4, 2049, 3), log_frequency_filter(RATE_HZ, 4096)
    out = contrast_bands(magnitude, weights)
    assert (out.shape, out.dtype) == ((4, N_BANDS), np.float32)
    assert not out[0].any()
    for row, given in zip(out[1:], magnitude[1:], strict=True):
        bands = [float(weights[band].toarray()[0] @ given) for band in range(N_BANDS)]
        bands = [max(0.0, band - FLOOR * max(bands)) ** 0.5 for band in bands]
        np.testing.assert_allclose(row, naive.contrast(bands, NEIGHBOUR_BANDS), atol=1e-3 * max(bands))


def test_a_flat_spectrum_has_no_contrast():
    assert not contrast(np.full((2, N_BANDS), 0.5, np.float32)).any()
