"""What stands out in the log-frequency spectrum: folded into pitch classes, or band by band.

Noise, speech and rooms raise whole neighbourhoods of the spectrum; partials stand out of them. The
root of the magnitude keeps weak bands from counting like strong ones, as a logarithm would let them.
Folded, that is the contrast chroma: the harmony, whatever plays it. Unfolded, it tells instruments and
octaves apart, and so one recording from another: `stream_match.features.shape` has what becomes of it.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from stream_match.features.chroma import N_CHROMA

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


def contrast_bands(magnitude: Float32, bands_filter: scipy.sparse.csr_matrix) -> Float32:
    """Return how far the root of each band stands out of its neighbourhood.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_fft // 2 + 1), dtype=float32]
    bands_filter : scipy.sparse.csr_matrix [shape=(202, n_fft // 2 + 1)]
        From `log_frequency_filter`.

    Returns
    -------
    np.ndarray [shape=(n_frames, 202), dtype=float32]
        Negative where it lies below.
    """
    bands = np.ascontiguousarray((bands_filter @ magnitude.T).T)
    floor = np.float32(FLOOR) * bands.max(axis=1, keepdims=True, initial=0)
    return contrast(np.sqrt(np.maximum(bands - floor, 0)))


def contrast(bands: Float32) -> Float32:
    """Return how far each band stands out of the mean of its neighbourhood.

    Parameters
    ----------
    bands : np.ndarray [shape=(n_frames, n_bands), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n_frames, n_bands), dtype=float32]
        Negative where it lies below. The neighbourhood is cut off at the ends of the spectrum.
    """
    n_bands = bands.shape[1]
    below = np.maximum(np.arange(n_bands) - NEIGHBOUR_BANDS, 0)
    above = np.minimum(np.arange(n_bands) + NEIGHBOUR_BANDS + 1, n_bands)
    sums = np.zeros((len(bands), n_bands + 1))
    np.cumsum(bands, axis=1, dtype=np.float64, out=sums[:, 1:])
    means = (sums[:, above] - sums[:, below]) / (above - below)
    apart: Float32 = (bands - means).astype(np.float32)
    return apart


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
