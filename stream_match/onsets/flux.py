"""How much the spectrum rises from one moment to the next: spectral flux of the SuperFlux kind.

Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013: the rise of each band is
taken over the loudest of its neighbours a little earlier, so that a tone which wavers is no rise. Where
we differ: compression is relative to a running level and not to full scale, so that a recording and the same
one 40 dB softer give the same flux; the window falls faster than it rises, so that what is new counts
soon; and of five parts of the spectrum the one that rises most counts alone.
"""

import numpy as np
import numpy.typing as npt
import scipy.signal
import scipy.sparse

from stream_match.features.spectrum import FrameBuffer, magnitudes

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_FFT = 1024
HOP_SAMPLES = 220
"""10 ms at 22,050 Hz."""

FALL_SAMPLES = 420
"""The window rises over the other 604 samples. A symmetric one tells the same onsets 2 ms later."""

LOWEST_HZ = 30.0
HIGHEST_HZ = 10_500.0
BANDS_PER_OCTAVE = 24

LAG_FRAMES = 2
"""A rise is measured over 20 ms: an attack that is spread over two frames counts whole."""

LEVEL_S = 1.2
"""Time constant of the running level of each band."""

OWN_LEVEL = 0.3
"""Share of a band's own level in what it is compared with; the rest is the mean of all bands. With its own
alone hiss counts like drums; with the mean alone a hi-hat behind a bass guitar is not heard."""

KNEE = 0.1
"""Share of the level from which on magnitudes count as their logarithm, below it as they are."""

GROUPS = 5
"""Of neighbouring bands, equally many in each. That group counts which rises most: what begins behind guitars
shows in one part of the spectrum only, and the mean over all bands would thin it out."""

LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.7, 1.3
"""Weight of the lowest and of the highest band, on a line in between. What begins is bright, and voices and
basses that go on fill the lower octaves; with less weight there, dull kicks are missed."""

FLOOR = 3e-6
"""Lowest level, as the amplitude of a sine in a band: -110 dBFS, below the noise of 16 bits."""


def window() -> Float32:
    """Return the asymmetric window of `N_FFT` samples: two halves of Hann windows, peak 1, and sum 512.

    Returns
    -------
    np.ndarray [shape=(N_FFT,), dtype=float32]
        Values in [0, 1].
    """
    rise, fall = N_FFT - FALL_SAMPLES, FALL_SAMPLES
    up = np.sin(np.pi / 2 * np.arange(rise) / rise) ** 2
    down = np.cos(np.pi / 2 * np.arange(fall) / fall) ** 2
    return np.concatenate([up, down]).astype(np.float32)


def band_filter(sample_rate_hz: float) -> scipy.sparse.csr_matrix:
    """Return triangular filters on the bins nearest to quarter tones; where these are one bin, the bin.

    Parameters
    ----------
    sample_rate_hz : float, > 2 * HIGHEST_HZ

    Returns
    -------
    scipy.sparse.csr_matrix [shape=(n_bands, N_FFT // 2 + 1), dtype=float32]
        Rows add up to 1. The lowest two bins are in no band: they hold what a steady offset leaks.
    """
    octaves = np.log2(HIGHEST_HZ / LOWEST_HZ)
    centres_hz = LOWEST_HZ * 2.0 ** (np.arange(int(octaves * BANDS_PER_OCTAVE) + 1) / BANDS_PER_OCTAVE)
    bins = np.unique(np.round(centres_hz * N_FFT / sample_rate_hz).astype(int))
    weights = np.zeros((len(bins) - 2, N_FFT // 2 + 1), np.float32)
    for row, (low, centre, high) in zip(weights, zip(bins, bins[1:], bins[2:], strict=False), strict=True):
        row[low : centre + 1] = np.linspace(0, 1, centre - low + 1)
        row[centre : high + 1] = np.linspace(1, 0, high - centre + 1)
        row /= row.sum()
    return scipy.sparse.csr_matrix(weights)


class Flux:
    """Rises of the spectrum of a stream, a value per hop.

    Parameters
    ----------
    sample_rate_hz : float
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._frames = FrameBuffer(N_FFT, HOP_SAMPLES)
        self._window = window()
        self._filter = band_filter(sample_rate_hz)
        self._weights = np.linspace(LOWEST_WEIGHT, HIGHEST_WEIGHT, self._filter.shape[0])
        groups = np.array_split(np.arange(self._filter.shape[0]), GROUPS)
        self._groups = np.array([group[0] for group in groups])
        self._in_group = np.array([len(group) for group in groups])
        self._share = 1 - np.exp(-HOP_SAMPLES / (LEVEL_S * sample_rate_hz))
        self._past: Float64 | None = None  # the last LAG_FRAMES frames
        self._level: Float64 | None = None

    def feed(self, y: Float32) -> Float64:
        """Take samples and return the flux of the frames that they complete.

        The result does not depend, to the last bit, on how the signal is cut into blocks.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames,), dtype=float64]
            Weighted mean rise of the bands of the group that rises most [dB], >= 0. Frame `t` ends at sample
            ``t * HOP_SAMPLES + N_FFT``.
        """
        frames = self._frames.feed(y)
        if not len(frames):
            return np.empty(0)
        spectrum = magnitudes(frames, self._window)
        # A sine of amplitude a has the magnitude a * sum(window) / 2.
        bands = (self._filter @ spectrum.T).T * (4 / N_FFT)
        return self._rises(bands.astype(np.float64))

    def _rises(self, bands: Float64) -> Float64:
        if self._past is None or self._level is None:  # what sounds at the beginning has not risen
            self._past = np.repeat(bands[:1], LAG_FRAMES, axis=0)
            self._level = bands[0]
        levels = self._running(bands)
        reference = OWN_LEVEL * levels + (1 - OWN_LEVEL) * levels.mean(axis=1, keepdims=True) + FLOOR
        joined = np.concatenate([self._past, bands])
        self._past = joined[len(bands) :].copy()
        now = compressed(joined[LAG_FRAMES:], reference)
        before = compressed(_loudest_neighbour(joined[: len(bands)]), reference)
        rises = np.maximum(now - before, 0) * self._weights
        flux: Float64 = np.max(np.add.reduceat(rises, self._groups, axis=1) / self._in_group, axis=1)
        return flux

    def _running(self, bands: Float64) -> Float64:
        """Return the running mean of each band as it was before each frame."""
        assert self._level is not None
        state = ((1 - self._share) * self._level)[np.newaxis]
        after, state = scipy.signal.lfilter([self._share], [1, self._share - 1], bands, axis=0, zi=state)
        before = np.concatenate([self._level[np.newaxis], after[:-1]])
        self._level = after[-1].copy()
        return before


def compressed(bands: Float64, level: Float64) -> Float64:
    """Return magnitudes in dB over the knee.

    Parameters
    ----------
    bands, level : np.ndarray [shape=(n_frames, n_bands), dtype=float64]
        Magnitudes, and what they are compared with.
    """
    decibels: Float64 = 20 * np.log10(1 + bands / (KNEE * level))
    return decibels


def _loudest_neighbour(bands: Float64) -> Float64:
    loudest = bands.copy()
    np.maximum(loudest[:, 1:], bands[:, :-1], out=loudest[:, 1:])
    np.maximum(loudest[:, :-1], bands[:, 1:], out=loudest[:, :-1])
    return loudest
