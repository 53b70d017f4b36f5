"""Statistical Spectrum Descriptors: seven statistics of the loudness of each critical band.

Follows Lidy & Rauber, "Evaluation of feature extractors and psycho-acoustic transformations for music genre
classification" (ISMIR 2005), section 3.2.
"""

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.loudness import N_BANDS

Float64 = npt.NDArray[np.float64]

STATISTICS = ("mean", "median", "var", "skew", "kurtosis", "min", "max")

COLUMNS = tuple(f"ssd_{name}_b{band + 1:02}" for name in STATISTICS for band in range(N_BANDS))
"""Names of the values: statistic by statistic, and for each the bands from low to high."""

_CONSTANT = 1e-12
"""Range, as a share of the largest value, up to which a band does not change but by rounding."""


def spectrum_descriptor(loudness: Float64) -> Float64:
    """Return the statistics of a segment.

    Variance, skewness and kurtosis are those of a population: their sums are divided by the number of frames.
    Kurtosis is Pearson's, 3 for a normal distribution. Skewness and kurtosis of a band that does not change
    are 0.

    Parameters
    ----------
    loudness : np.ndarray [shape=(n_frames, 24), dtype=float64, unit=sone]
        At least one frame.

    Returns
    -------
    np.ndarray [shape=(168,), dtype=float64]
        In the order of `COLUMNS`.
    """
    mean, least, most = loudness.mean(axis=0), loudness.min(axis=0), loudness.max(axis=0)
    apart = loudness - mean
    variance = np.mean(np.square(apart), axis=0)
    changes = (most - least > _CONSTANT * most) & (variance > 0)
    standard = np.where(changes, apart / np.sqrt(np.where(changes, variance, 1)), 0)
    skewness, kurtosis = np.mean(standard**3, axis=0), np.mean(standard**4, axis=0)
    median = np.median(loudness, axis=0)
    return np.concatenate([mean, median, variance, skewness, kurtosis, least, most])
