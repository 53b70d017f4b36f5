"""Rhythm Patterns: how strongly the loudness of each critical band is modulated, and how fast.

Follows Pampalk, Rauber & Merkl, "Content-based organization and visualization of music archives" (ACM
Multimedia 2002), and Rauber, Pampalk & Merkl (ISMIR 2002). The pattern of a segment is weighted by how
strongly each rate of modulation is felt. The papers then sharpen and blur it. We do not, and neither does
the later software of the same group.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.descriptors.loudness import N_BANDS

Float64 = npt.NDArray[np.float64]

SEGMENT_FRAMES = 512
N_MODULATIONS = 60

COLUMNS = tuple(
    f"rp_m{rate + 1:02}_b{band + 1:02}" for rate in range(N_MODULATIONS) for band in range(N_BANDS)
)
"""Names of the values: modulation 1 to 60, and for each the bands from low to high."""


def modulation_hz(frame_rate_hz: float) -> Float64:
    """Return the rates of modulation: 0.17 to 10.1 Hz in steps of 0.17 Hz.

    Parameters
    ----------
    frame_rate_hz : float
        Frames of loudness in a second.

    Returns
    -------
    np.ndarray [shape=(60,), dtype=float64, unit=Hz]
    """
    rates: Float64 = np.arange(1, N_MODULATIONS + 1) * frame_rate_hz / SEGMENT_FRAMES
    return rates


def rhythm_pattern(loudness: Float64, frame_rate_hz: float) -> Float64:
    """Return the rhythm pattern of a segment.

    Parameters
    ----------
    loudness : np.ndarray [shape=(512, 24), dtype=float64, unit=sone]
        As by `specific_loudness`.
    frame_rate_hz : float

    Returns
    -------
    np.ndarray [shape=(1440,), dtype=float64, unit=sone]
        Amplitudes of modulation in the order of `COLUMNS`, times 1 / (f/4 + 4/f): fluctuation is felt most
        at f = 4 Hz (Fastl 1982), where the factor is 0.5.
    """
    amplitude = np.abs(scipy.fft.rfft(loudness, axis=0)[1 : N_MODULATIONS + 1]) * 2 / SEGMENT_FRAMES
    rates = modulation_hz(frame_rate_hz)
    felt: Float64 = amplitude / (rates / 4 + 4 / rates)[:, np.newaxis]
    return felt.ravel()
