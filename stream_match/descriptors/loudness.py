"""How loud a sound is in each critical band: the specific loudness sensation, frame by frame.

The steps are those of Rauber, Pampalk & Merkl, "Using psycho-acoustic models and self-organizing maps to
create a hierarchical structuring of music by musical styles" (ISMIR 2002), section 3: power spectrum, 24
critical bands (Zwicker & Fastl 1999), spreading between bands (Schroeder, Atal & Hall 1979), decibels,
loudness level in phon, loudness in sone. We differ in one place: the contours of equal loudness are those
of ISO 226:2003, which has a formula, in place of a table of older ones.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.errors import ParameterError
from stream_match.features.framing import framed
from stream_match.features.spectrum import hann

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_FFT = {11_025: 256, 22_050: 512, 44_100: 1024}
"""Samples of a frame, 23 ms, for each sample rate [Hz]; frames overlap by half."""

BARK_EDGES_HZ = (
    0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400,
    5300, 6400, 7700, 9500, 12_000, 15_500,
)  # fmt: skip
"""Edges of the critical bands (Zwicker 1961)."""

N_BANDS = len(BARK_EDGES_HZ) - 1

FULL_SCALE_DB = 85.0
"""Sound pressure level of a sine that fills the range [-1, 1]. It makes all levels of music lie where ISO 226
holds. The software of the papers' authors has about the same value."""

# ISO 226:2003, table 1: frequency [Hz], exponent of loudness perception, level of the linear transfer
# function [dB], threshold of hearing [dB].
_ISO_226 = np.array([
    (20, 0.532, -31.6, 78.5), (25, 0.506, -27.2, 68.7), (31.5, 0.480, -23.0, 59.5),
    (40, 0.455, -19.1, 51.1), (50, 0.432, -15.9, 44.0), (63, 0.409, -13.0, 37.5),
    (80, 0.387, -10.3, 31.5), (100, 0.367, -8.1, 26.5), (125, 0.349, -6.2, 22.1),
    (160, 0.330, -4.5, 17.9), (200, 0.315, -3.1, 14.4), (250, 0.301, -2.0, 11.4),
    (315, 0.288, -1.1, 8.6), (400, 0.276, -0.4, 6.2), (500, 0.267, 0.0, 4.4),
    (630, 0.259, 0.3, 3.0), (800, 0.253, 0.5, 2.2), (1000, 0.250, 0.0, 2.4),
    (1250, 0.246, -2.7, 3.5), (1600, 0.244, -4.1, 1.7), (2000, 0.243, -1.0, -1.3),
    (2500, 0.243, 1.7, -4.2), (3150, 0.243, 2.5, -6.0), (4000, 0.242, 1.2, -5.4),
    (5000, 0.242, -2.1, -1.5), (6300, 0.245, -7.1, 6.0), (8000, 0.254, -11.2, 12.6),
    (10_000, 0.271, -10.7, 13.9), (12_500, 0.301, -3.1, 12.3),
])  # fmt: skip


def specific_loudness(y: Float32, sr: int) -> Float64:
    """Return the loudness of each critical band in frames of 23 ms that overlap by half.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Samples in [-1, 1].
    sr : int [Hz]
        A key of `N_FFT`.

    Returns
    -------
    np.ndarray [shape=(n_frames, 24), dtype=float64, unit=sone]
        Lowest band first; ``n_frames = (n - n_fft) // (n_fft // 2) + 1``, 0 where `y` is shorter than a
        frame. Zero in digital silence, and in bands that lie above half the sample rate.

    Raises
    ------
    ParameterError
        If there is no such sample rate.
    """
    n_fft = frame_length(sr)
    hop = n_fft // 2
    count = max(0, (len(y) - n_fft) // hop + 1)
    frames = framed(np.ascontiguousarray(y, np.float32), n_fft, hop, count)
    window = hann(n_fft).astype(np.float64)
    spectrum = scipy.fft.rfft(frames * window, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    power *= 4 / (n_fft * np.sum(np.square(window)))  # a sine of amplitude 1 has 1 in all
    bands = np.einsum("fk,bk->fb", power, _excitation(sr))
    return sones(phons(bands)) * heard_bands(sr)


def frame_length(sr: int) -> int:
    """Return how many samples a frame has.

    Parameters
    ----------
    sr : int [Hz]

    Raises
    ------
    ParameterError
        If it is no key of `N_FFT`.
    """
    if sr not in N_FFT:
        raise ParameterError(
            f"sr is {sr}; give samples at one of {', '.join(map(str, N_FFT))} Hz, or resample them."
        )
    return N_FFT[sr]


def heard_bands(sr: int) -> npt.NDArray[np.bool_]:
    """Return which bands begin below half the sample rate [shape=(24,), dtype=bool].

    Parameters
    ----------
    sr : int [Hz]
    """
    return np.array(BARK_EDGES_HZ[:-1]) < sr / 2


def band_of(frequency_hz: float) -> int:
    """Return the number of the band that a frequency lies in, counted from 0.

    Parameters
    ----------
    frequency_hz : float
        In [0, 15,500).
    """
    return int(np.searchsorted(BARK_EDGES_HZ, frequency_hz, side="right")) - 1


@lru_cache(maxsize=len(N_FFT))
def _excitation(sr: int) -> Float64:
    """Return what each bin gives to each band, its own and those that it masks [shape=(24, n_bins)]."""
    n_fft = N_FFT[sr]
    frequencies = scipy.fft.rfftfreq(n_fft, 1 / sr)
    edges = np.array(BARK_EDGES_HZ)
    member = (frequencies >= edges[:-1, np.newaxis]) & (frequencies < edges[1:, np.newaxis])
    excitation: Float64 = spreading() @ member.astype(np.float64)
    return excitation


def spreading() -> Float64:
    """Return how much power of one band is felt in another (Schroeder, Atal & Hall 1979, eq. 3).

    Returns
    -------
    np.ndarray [shape=(24, 24), dtype=float64]
        Element ``[i, j]`` of band ``j`` in band ``i``; higher bands are masked further than lower ones.
    """
    apart = np.subtract.outer(np.arange(N_BANDS), np.arange(N_BANDS)) + 0.474
    level_db = 15.81 + 7.5 * apart - 17.5 * np.sqrt(1 + np.square(apart))
    share: Float64 = 10 ** (level_db / 10)
    return share


@lru_cache(maxsize=1)
def _contours() -> tuple[Float64, Float64, Float64]:
    """Return exponent, factor of the power and threshold in each band, for `phons`.

    They are those at the upper edge of the band, as in the software of the papers' authors: what music has in
    the lowest band is nearer to 100 Hz than to its centre, where the ear is less sensitive by 17 dB.
    """
    at, *parameters = _ISO_226.T
    exponent, transfer_db, threshold_db = (
        np.interp(np.log(BARK_EDGES_HZ[1:]), np.log(at), values) for values in parameters
    )
    factor = 0.4e-9 * 10 ** (transfer_db / 10)
    return exponent, factor, (factor * 10 ** (threshold_db / 10)) ** exponent


def phons(power: Float64) -> Float64:
    """Return loudness levels (ISO 226:2003, eq. 2); the parameters are those at the upper edges of the bands.

    Parameters
    ----------
    power : np.ndarray [shape=(..., 24), dtype=float64]
        Power in each band; 1 is that of a sine at full scale.

    Returns
    -------
    np.ndarray [shape=(..., 24), dtype=float64, unit=phon]
        At least 0.
    """
    exponent, factor, threshold = _contours()
    felt = (factor * 10 ** (FULL_SCALE_DB / 10) * power) ** exponent - threshold + 0.005135
    level: Float64 = np.maximum(40 * np.log10(np.maximum(felt, 1e-9)) + 94, 0)
    return level


def sones(level: Float64) -> Float64:
    """Return loudness, which doubles every 10 phon from 40 phon up (Bladon & Lindblom 1981).

    Parameters
    ----------
    level : np.ndarray [dtype=float64, unit=phon]
        At least 0.

    Returns
    -------
    np.ndarray [dtype=float64, unit=sone]
        1 at 40 phon, 0 at 0 phon.
    """
    loudness: Float64 = np.where(level >= 40, 2 ** ((level - 40) / 10), (np.minimum(level, 40) / 40) ** 2.642)
    return loudness
