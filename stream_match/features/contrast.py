"""What stands out in the log-frequency spectrum: folded into pitch classes, or as a shape.

Noise, speech and rooms raise whole neighbourhoods of the spectrum; partials stand out of them. The
root of the magnitude keeps weak bands from counting like strong ones, as a logarithm would let them.
Folded, that is the contrast chroma: the harmony, whatever plays it. Unfolded and smoothed, it is the
spectral shape, which tells instruments and octaves apart, and so one recording from another.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from stream_match.features.chroma import N_CHROMA, unit_rows

Float32 = npt.NDArray[np.float32]

LOWEST_HZ = 110.0
BANDS_PER_OCTAVE = 36
N_BANDS = 202
"""Bands from 110 Hz over 5.6 octaves, to 5.3 kHz: what codecs, rooms and small loudspeakers leave."""

FLOOR = 1e-3
"""Share of the loudest band, -60 dB, below which a band holds what the window leaks, not sound."""

_A = 9
"""Pitch class of the lowest band."""

NEIGHBOUR_BANDS = 7
"""Bands on each side that a band is compared with: a little over a whole tone."""


def log_frequency_filter(sample_rate_hz: float, n_fft: int) -> scipy.sparse.csr_matrix:
    """Return triangular filters, a third of a semitone apart and at least one bin wide on each side.

    Parameters
    ----------
    sample_rate_hz : float, > 2 * 5.3 kHz
    n_fft : int [samples]

    Returns
    -------
    scipy.sparse.csr_matrix [shape=(202, n_fft // 2 + 1), dtype=float32]
        Rows add up to 1. Sparse products add in one fixed order, whatever stands beside a column.
    """
    bin_hz = sample_rate_hz / n_fft
    centres = LOWEST_HZ * 2 ** (np.arange(N_BANDS) / BANDS_PER_OCTAVE)
    half_widths = np.maximum(centres * (2 ** (1 / BANDS_PER_OCTAVE) - 1), bin_hz)
    distance = np.abs(np.arange(n_fft // 2 + 1) * bin_hz - centres[:, np.newaxis])
    weights = np.maximum(0, 1 - distance / half_widths[:, np.newaxis])
    weights /= weights.sum(axis=1, keepdims=True)
    return scipy.sparse.csr_matrix(weights.astype(np.float32))


def contrast(bands: Float32) -> Float32:
    """Return how far each band stands out of the mean of its neighbourhood.

    Parameters
    ----------
    bands : np.ndarray [shape=(n_frames, n_bands), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n_frames, n_bands), dtype=float32]
        >= 0; the neighbourhood is cut off at the ends of the spectrum.
    """
    n_bands = bands.shape[1]
    below = np.maximum(np.arange(n_bands) - NEIGHBOUR_BANDS, 0)
    above = np.minimum(np.arange(n_bands) + NEIGHBOUR_BANDS + 1, n_bands)
    sums = np.zeros((len(bands), n_bands + 1))
    np.cumsum(bands, axis=1, dtype=np.float64, out=sums[:, 1:])
    means = (sums[:, above] - sums[:, below]) / (above - below)
    above_mean: Float32 = np.maximum(bands - means, 0).astype(np.float32)
    return above_mean


def fold(bands: Float32) -> Float32:
    """Add up the bands of each pitch class, those between two classes shared out to both.

    Sharp borders would lose a recording that is played a quarter tone off; these give way.

    Parameters
    ----------
    bands : np.ndarray [shape=(n_frames, 202), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n_frames, 12), dtype=float32]
        C first.
    """
    semitones_above_a = np.arange(N_BANDS) * N_CHROMA / BANDS_PER_OCTAVE
    distance = semitones_above_a[:, np.newaxis] + _A - np.arange(N_CHROMA)
    distance = np.abs((distance + N_CHROMA / 2) % N_CHROMA - N_CHROMA / 2)
    shares = np.maximum(0, 1 - distance).astype(np.float32)
    folded: Float32 = np.einsum("ij,jk->ik", bands, shares)
    return folded


def contrast_bands(magnitude: Float32, bands_filter: scipy.sparse.csr_matrix) -> Float32:
    """Return what stands out in spectra, band by band, each frame scaled to unit L2 norm.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_fft // 2 + 1), dtype=float32]
    bands_filter : scipy.sparse.csr_matrix [shape=(202, n_fft // 2 + 1)]
        From `log_frequency_filter`.

    Returns
    -------
    np.ndarray [shape=(n_frames, 202), dtype=float32]
        Values in [0, 1]. An all-zero spectrum gives an all-zero row.
    """
    bands = np.ascontiguousarray((bands_filter @ magnitude.T).T)
    floor = np.float32(FLOOR) * bands.max(axis=1, keepdims=True, initial=0)
    return unit_rows(contrast(np.sqrt(np.maximum(bands - floor, 0))))


def shape_basis(n_coefficients: int, semitones: float = 0.0) -> Float32:
    """Return the slowest cosines along the bands, those of the orthonormal DCT-II, moved up.

    Parameters
    ----------
    n_coefficients : int, in [1, 202]
        96 resolve a semitone and a half. Fewer bear more detuning, more tell better from noise.
    semitones : float
        Sound that is so much higher than it was made gives the coefficients of the original; bands are
        interpolated linearly, and what is moved in from beyond the spectrum is zero.

    Returns
    -------
    np.ndarray [shape=(202, n_coefficients), dtype=float32]
    """
    cosines = scipy.fft.dct(np.eye(N_BANDS), axis=1, norm="ortho")[:, :n_coefficients]
    place = np.arange(N_BANDS)[:, np.newaxis] - semitones * BANDS_PER_OCTAVE / N_CHROMA
    from_band = np.maximum(0, 1 - np.abs(place - np.arange(N_BANDS)))
    return np.ascontiguousarray(from_band @ cosines, dtype=np.float32)
