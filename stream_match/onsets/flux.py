"""How the spectrum changes from one moment to the next: what a beginning is told from.

Spectral flux of the SuperFlux kind (Böck and Widmer, "Maximum filter vibrato suppression for onset
detection", DAFx 2013): the rise of each band is taken over the loudest of its neighbours earlier, so that a
tone which wavers is no rise. Besides the rise over 20 ms that a stroke makes there is the rise over the
loudest of the last 80 ms, which a tone makes whose pitch is new though nothing gets louder, and how like its
former shape the spectrum is. Compression is relative to a running level and not to full scale, so a
recording and the same one 40 dB softer change alike; the window falls faster than it rises, so that what is
new counts soon.
"""

import numpy as np
import numpy.typing as npt
import scipy.ndimage
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

STROKE_FRAMES = 2
"""A stroke rises over 20 ms: an attack that is spread over two frames counts whole."""

LATELY_FRAMES = (3, 8)
"""The last 30 to 80 ms: a band that was loud in them does not rise when it is loud again."""

ALIKE_FRAMES = (4, 8)
"""The shape of the spectrum is compared with that of 40 and of 80 ms ago."""

LEVEL_S = 1.2
"""Time constant of the running level of each band, and of the running flux."""

OWN_LEVEL = 0.3
"""Share of a band's own level in what it is compared with; the rest is the mean of all bands. With its own
alone hiss counts like drums; with the mean alone a hi-hat behind a bass guitar is not heard."""

KNEE = 0.1
"""Share of the level from which on magnitudes count as their logarithm, below it as they are."""

GROUPS = 5
"""Of neighbouring bands, equally many in each: what begins behind guitars shows in one of them only."""

SPARSE = 5
"""One band in so many is new when a tone is, and the mean over all of them would thin it out."""

AROUND_BANDS = 15
"""A partial stands out of so many bands around it."""

FLOOR = 3e-6
"""Lowest level, as the amplitude of a sine in a band: -110 dBFS, below the noise of 16 bits."""

FEATURES = (
    *(f"stroke {group}" for group in range(GROUPS)),
    *(f"new {group}" for group in range(GROUPS)),
    "new partials",
    *(f"alike {10 * frames} ms" for frames in ALIKE_FRAMES),
    "contrast",
    "running flux",
)
"""What is told of each frame: dB, but for the two shares of likeness."""

_PAST = LATELY_FRAMES[1]
_LEAST_NORM = np.float32(1e-3)  # of a shape, dB: silence is like nothing


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
    """Changes of the spectrum of a stream, some values per hop.

    Parameters
    ----------
    sample_rate_hz : float
    """

    def __init__(self, sample_rate_hz: float) -> None:
        self._frames = FrameBuffer(N_FFT, HOP_SAMPLES)
        self._window = window()
        self._filter = band_filter(sample_rate_hz)
        groups = np.array_split(np.arange(self._filter.shape[0]), GROUPS)
        self._groups = np.array([group[0] for group in groups])
        self._in_group = np.array([len(group) for group in groups], np.float32)
        self._share = float(1 - np.exp(-HOP_SAMPLES / (LEVEL_S * sample_rate_hz)))
        self._past: Float32 | None = None  # the last _PAST frames, in dB
        self._level: Float64 | None = None
        self._running_flux = 0.0

    def feed(self, y: Float32) -> Float32:
        """Take samples and return the changes of the frames that they complete.

        The result does not depend, to the last bit, on how the signal is cut into blocks.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames, len(FEATURES)), dtype=float32]
            Finite. Frame ``t`` ends at sample ``t * HOP_SAMPLES + N_FFT``.
        """
        frames = self._frames.feed(y)
        if not len(frames):
            return np.empty((0, len(FEATURES)), np.float32)
        spectrum = magnitudes(frames, self._window)
        # A sine of amplitude a has the magnitude a * sum(window) / 2.
        bands = (self._filter @ spectrum.T).T * (4 / N_FFT)
        return self._changes(self._compressed(bands.astype(np.float64)))

    def _compressed(self, bands: Float64) -> Float32:
        """Return magnitudes in dB over the knee, a share of the level as it was before each frame."""
        levels = self._levels(bands)
        reference = OWN_LEVEL * levels + (1 - OWN_LEVEL) * levels.mean(axis=1, keepdims=True) + FLOOR
        decibels: Float32 = np.float32(20) * np.log10(1 + (bands / (KNEE * reference)).astype(np.float32))
        return decibels

    def _levels(self, bands: Float64) -> Float64:
        """Return the running mean of each band as it was before each frame."""
        level = bands[0] if self._level is None else self._level
        before = np.empty_like(bands)
        for row, now in zip(before, bands, strict=True):  # scipy.signal doubles the time of a start
            row[:] = level
            level = self._share * now + (1 - self._share) * level
        self._level = level
        return before

    def _changes(self, now: Float32) -> Float32:
        if self._past is None:  # what sounds at the beginning has not risen
            self._past = np.repeat(now[:1], _PAST, axis=0)
        bands = np.concatenate([self._past, now])
        self._past = bands[-_PAST:].copy()
        louder = _loudest_neighbour(bands)
        stroke = self._by_group(np.maximum(now - _ago(louder, STROKE_FRAMES), 0))
        new = np.maximum(now - _loudest_lately(louder), 0)
        running = self._running_means(stroke.max(axis=1))
        columns = [stroke, self._by_group(new), _most(new), *_alike(bands), running]
        return np.concatenate(columns, axis=1)

    def _running_means(self, flux: Float32) -> Float32:
        """Return the running mean of the flux before each frame: a filter takes longer for so few."""
        means = []
        for value in flux.tolist():
            means.append(self._running_flux)
            self._running_flux += self._share * (value - self._running_flux)
        return np.array(means, np.float32)[:, np.newaxis]

    def _by_group(self, rises: Float32) -> Float32:
        sums: Float32 = np.add.reduceat(rises, self._groups, axis=1)
        return sums / self._in_group


def _loudest_neighbour(bands: Float32) -> Float32:
    """Return the loudest of each band and its two neighbours."""
    loudest = bands.copy()
    np.maximum(loudest[:, 1:], bands[:, :-1], out=loudest[:, 1:])
    np.maximum(loudest[:, :-1], bands[:, 1:], out=loudest[:, :-1])
    return loudest


def _ago(frames: Float32, ago: int) -> Float32:
    """Return the frames that lie so many before each one; `_PAST` are there before the first."""
    return frames[_PAST - ago : len(frames) - ago]


def _loudest_lately(frames: Float32) -> Float32:
    """Return the loudest of each band in `LATELY_FRAMES` before each frame."""
    first, last = LATELY_FRAMES
    loudest = _ago(frames, first).copy()
    for ago in range(first + 1, last + 1):
        np.maximum(loudest, _ago(frames, ago), out=loudest)
    return loudest


def _most(rises: Float32) -> Float32:
    """Return the mean of the largest fifth of the rises."""
    largest: Float32 = np.sort(rises, axis=1)[:, -(rises.shape[1] // SPARSE) :]
    means: Float32 = largest.mean(axis=1, keepdims=True)
    return means


def _alike(bands: Float32) -> list[Float32]:
    """Return how like its former shapes the spectrum is, in [0, 1.8], and how far it stands out, in dB."""
    shape = np.maximum(bands - scipy.ndimage.uniform_filter1d(bands, AROUND_BANDS, axis=1), 0)
    blurred = _loudest_neighbour(shape)
    norm = np.sqrt(np.square(shape).sum(axis=1, keepdims=True)) + _LEAST_NORM
    now, now_norm = _ago(shape, 0), _ago(norm, 0)
    likeness = [
        (now * _ago(blurred, ago)).sum(axis=1, keepdims=True) / (now_norm * _ago(norm, ago))
        for ago in ALIKE_FRAMES
    ]
    return [*likeness, now_norm / np.float32(np.sqrt(bands.shape[1]))]
