"""Raw audio of any rate and number of channels → mono float32 at 22,050 Hz, exact in time."""

from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.mixdown import Mixdown
from stream_match.errors import SourceError

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000

QUALITY = "HQ"
"""Preset of soxr. It takes 7 of the 125 s of CPU in which 13 hours of audio become an index."""

MAX_SAMPLE = 1e9
"""Beyond it a number is not a sample but damage, and would overflow float32 in the filter. Files whose
full scale is that of a 24-bit integer still pass."""


def to_float(y: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale integer samples to a full scale of 1; floats keep their values.

    Parameters
    ----------
    y : np.ndarray [any shape, dtype=uint8, int16, int32, float32 or float64]
        Samples; 24-bit audio is expected in the upper bytes of int32.

    Returns
    -------
    np.ndarray [same shape, dtype=float32]
        May share memory with `y` if that is float32 already.
    """
    if y.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            return y.astype(np.float32, copy=False)
    if y.dtype.kind == "u":
        return (y.astype(np.float32) - 128.0) / np.float32(128.0)
    return y.astype(np.float32) / np.float32(2.0 ** (8 * y.dtype.itemsize - 1))


class Resampler:
    """Convert blocks of one signal to mono float32 at `SAMPLE_RATE_HZ`.

    However the signal is cut, the joined output equals that of ``soxr.resample`` on the whole,
    to the last bit. Audio at `SAMPLE_RATE_HZ` is passed through. Channels are averaged, but for
    those that cancel each other in the mean: then one of them is taken (see `Mixdown`).

    Parameters
    ----------
    rate_hz : int, 1,000 to 768,000
        Rate of the blocks that come in.
    channels : int, >= 1
        Number of their channels.
    shown : str
        What the signal is, as a message names it.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.

    Raises
    ------
    SourceError
        If there are no channels, not the one that is asked for, or the rate is out of range.
    """

    def __init__(
        self, rate_hz: int, channels: int, shown: str = "the audio", *, channel: int | None = None
    ) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise SourceError(
                f"{shown} has a sample rate of {rate_hz} Hz; "
                f"expected {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz: convert it first"
            )
        self._rate_hz = rate_hz
        self._mixdown = Mixdown(rate_hz, channels, channel, shown)
        self._damaged = 0
        self._stream = self._open()

    def _open(self) -> Any:
        if self._rate_hz == SAMPLE_RATE_HZ:
            return None
        import soxr

        return soxr.ResampleStream(self._rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality=QUALITY)

    @property
    def damaged(self) -> int:
        """Number of incoming samples that were not numbers, or infinite, and became 0."""
        return self._damaged

    def feed(self, y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Take one block and return what can be said by now.

        Parameters
        ----------
        y : np.ndarray [shape=(n, channels), dtype=float32]
            The next samples; not kept, not changed.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            Mono samples at `SAMPLE_RATE_HZ`, owned by the caller; often empty at first, because
            the filter looks ahead.
        """
        # Mixed down before the filter: half the work for the same result.
        mono = self._mixdown.feed(self._repaired(y))
        if self._stream is None:
            return mono
        return np.asarray(self._stream.resample_chunk(mono), dtype=np.float32)

    def flush(self) -> npt.NDArray[np.float32]:
        """End the signal and return its tail; the next `feed` begins another signal.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            The last mono samples at `SAMPLE_RATE_HZ`.
        """
        mono = self._mixdown.flush()
        if self._stream is None:
            return mono
        tail = self._stream.resample_chunk(mono, last=True)
        self._stream = self._open()
        return np.asarray(tail, dtype=np.float32)

    def _repaired(self, y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # NaN fails every comparison, and is the greatest and the least of what it is among.
        if y.size == 0 or (float(y.max()) <= MAX_SAMPLE and float(y.min()) >= -MAX_SAMPLE):
            return y
        bad = ~(np.abs(y) <= MAX_SAMPLE)
        self._damaged += int(np.count_nonzero(bad))
        return np.where(bad, np.float32(0.0), y)
