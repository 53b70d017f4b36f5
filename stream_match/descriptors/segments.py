"""Rhythm Patterns and Statistical Spectrum Descriptors of a stream, segment by segment.

A segment has 512 frames of loudness, 5.9 s, and the frames go on from one segment to the next. The pattern
of a track is the median over its segments, the spectrum descriptor their mean. Every whole segment counts,
also the first and the last.
"""

import math

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.loudness import frame_length, specific_loudness
from stream_match.descriptors.rhythm import SEGMENT_FRAMES, rhythm_pattern
from stream_match.descriptors.ssd import spectrum_descriptor
from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

LEVEL_DBFS = -20.0
"""RMS level that segments are brought to where recordings of any level are to be compared. The sone is not a
linear measure: music that is played 20 dB softer has another pattern."""

FAINTEST_DBFS = -70.0
"""Segments are raised as if they had this level at least: what is fainter is not made loud."""

MOST_PATTERNS = 512
"""Patterns kept for the median: 51 minutes, 6 MB. Of a longer stream every second segment counts, then every
fourth, and so on, evenly over all of it."""


class SegmentDescriptors:
    """Describes a stream as it comes, in constant memory.

    Parameters
    ----------
    sr : int [Hz]
        Sample rate: 11,025, 22,050 or 44,100. At 22,050 Hz the highest band is empty, and its values zero.
    level_dbfs : float or None [dB]
        RMS level that each segment is brought to; None leaves it as it is.

    Raises
    ------
    ParameterError
        If there is no such sample rate.
    """

    def __init__(self, sr: int = 22_050, *, level_dbfs: float | None = None) -> None:
        n_fft = frame_length(sr)
        self._sr = sr
        self._level_dbfs = level_dbfs
        self._step = SEGMENT_FRAMES * n_fft // 2
        self._needed = self._step + n_fft - n_fft // 2
        self._frame_rate_hz = sr / (n_fft // 2)
        self._held = np.empty(0, np.float32)
        self._patterns: list[Float64] = []
        self._stride = 1
        self._sum = np.zeros(0)
        self.segments = 0

    @property
    def segment_samples(self) -> int:
        """How many samples the first segment needs; each further one 256 fewer (at 22,050 Hz)."""
        return self._needed

    def feed(self, y: Float32) -> int:
        """Take samples, and return how many segments they complete.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Mono samples in [-1, 1], n >= 0; copied. However a stream is cut, its descriptors are the same,
            to the bit.

        Raises
        ------
        ParameterError
            If `y` has another shape, or holds NaN or infinity; nothing of it is taken then.
        """
        if y.ndim != 1:
            raise ParameterError(f"y has shape {y.shape}; give mono samples, of shape (n,).")
        if not np.all(np.isfinite(y)):
            raise ParameterError("y holds NaN or infinity; give samples in [-1, 1].")
        before = self.segments
        self._held = np.concatenate([self._held, y.astype(np.float32, copy=False)])
        first = 0
        while len(self._held) - first >= self._needed:
            self._take(self._held[first : first + self._needed])
            first += self._step
        self._held = self._held[first:].copy()
        return self.segments - before

    def _take(self, y: Float32) -> None:
        loudness = specific_loudness(y * self._gain(y), self._sr)
        descriptor = spectrum_descriptor(loudness)
        self._sum = self._sum + descriptor if self.segments else descriptor
        if self.segments % self._stride == 0:
            if len(self._patterns) == MOST_PATTERNS:
                del self._patterns[1::2]
                self._stride *= 2
            if self.segments % self._stride == 0:
                self._patterns.append(rhythm_pattern(loudness, self._frame_rate_hz))
        self.segments += 1

    def _gain(self, y: Float32) -> np.float32:
        if self._level_dbfs is None:
            return np.float32(1)
        heard_dbfs = max(rms_dbfs(y), FAINTEST_DBFS)
        return np.float32(10 ** ((self._level_dbfs - heard_dbfs) / 20))

    def rhythm_pattern(self) -> Float64:
        """Return the Rhythm Pattern of what was heard: the median over its segments.

        Returns
        -------
        np.ndarray [shape=(1440,), dtype=float64]
            In the order of `stream_match.descriptors.rhythm.COLUMNS`.

        Raises
        ------
        ParameterError
            If no segment is complete.
        """
        self._check()
        return np.asarray(np.median(self._patterns, axis=0))

    def spectrum_descriptor(self) -> Float64:
        """Return the Statistical Spectrum Descriptor of what was heard: the mean over its segments.

        Returns
        -------
        np.ndarray [shape=(168,), dtype=float64]
            In the order of `stream_match.descriptors.ssd.COLUMNS`.

        Raises
        ------
        ParameterError
            If no segment is complete.
        """
        self._check()
        return self._sum / self.segments

    def _check(self) -> None:
        if not self.segments:
            raise ParameterError(
                f"{len(self._held) / self._sr:.1f} s were heard; a segment needs "
                f"{self._needed / self._sr:.1f} s."
            )


def rms_dbfs(y: Float32) -> float:
    """Return the RMS level of samples [shape=(n,), n >= 1]; that of digital silence is -200 dB."""
    power = float(np.mean(np.square(y, dtype=np.float64)))
    return 10 * math.log10(max(power, 1e-20))
