"""Chroma: what a spectrum holds of each of the twelve pitch classes."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

N_CHROMA = 12
_A0_HZ = 27.5
_CENTRE_OCTAVE = 5.0
_OCTAVE_WIDTH = 2.0


def chroma_filter(sample_rate_hz: float, n_fft: int) -> Float32:
    """Return the filter that gathers a spectrum into pitch classes.

    Follows ``librosa.filters.chroma`` at its defaults (Gaussian bumps a semitone wide, columns of unit
    L2 norm, octaves weighted around the fifth) with ``tuning=0``.

    Parameters
    ----------
    sample_rate_hz : float, > 0
    n_fft : int, >= 2 [samples]

    Returns
    -------
    np.ndarray [shape=(12, n_fft // 2 + 1), dtype=float32]
        Row 0 is C.
    """
    hertz = np.linspace(0, sample_rate_hz, n_fft, endpoint=False)[1:]
    octaves = np.log2(hertz / _A0_HZ)
    # The bin at 0 Hz has no pitch; librosa puts it 1.5 octaves below the first that has one.
    classes = N_CHROMA * np.concatenate([[octaves[0] - 1.5], octaves])
    widths = np.concatenate([np.maximum(np.diff(classes), 1.0), [1.0]])
    distance = classes[np.newaxis, :] - np.arange(N_CHROMA, dtype=np.float64)[:, np.newaxis]
    half = round(N_CHROMA / 2)
    distance = np.remainder(distance + half + 10 * N_CHROMA, N_CHROMA) - half
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0, keepdims=True)
    weights *= np.exp(-0.5 * ((classes / N_CHROMA - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)
    from_c = np.roll(weights, -3, axis=0)
    return np.ascontiguousarray(from_c[:, : 1 + n_fft // 2], dtype=np.float32)


def chroma_stft(magnitude: Float32, weights: Float32, *, power: float) -> Float32:
    """Fold spectra into pitch classes, each frame scaled to unit L2 norm.

    Follows ``librosa.feature.chroma_stft(S=magnitude**power, norm=2, tuning=0)``, transposed.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_fft // 2 + 1), dtype=float32]
    weights : np.ndarray [shape=(12, n_fft // 2 + 1), dtype=float32]
        From `chroma_filter`.
    power : float, > 0
        2 for librosa's power spectrum, 1 for magnitudes.

    Returns
    -------
    np.ndarray [shape=(n_frames, 12), dtype=float32]
        Values in [0, 1]; C first. An all-zero spectrum gives an all-zero row.
    """
    return unit_rows(np.einsum("ij,kj->ik", magnitude ** np.float32(power), weights))


def unit_rows(rows: Float32) -> Float32:
    """Scale each row to unit L2 norm; rows that are all zero stay so.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d), dtype=float32]
    """
    norms: Float32 = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[norms <= np.finfo(np.float32).tiny] = 1
    scaled: Float32 = rows / norms[:, np.newaxis]
    return scaled
