"""The last stretch of a stream, by the numbers of its samples."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


class Tape:
    """Keeps the samples that are still needed.

    Samples before the first are taken for silence.
    """

    def __init__(self) -> None:
        self._samples = np.empty(0, np.float32)
        self._start = 0

    @property
    def end(self) -> int:
        """Number of the next sample to come."""
        return self._start + len(self._samples)

    def record(self, y: Float32) -> None:
        """Append samples; they are copied."""
        self._samples = np.concatenate([self._samples, y])

    def forget(self, before: int) -> None:
        """Drop the samples before a number."""
        drop = min(max(0, before - self._start), len(self._samples))
        self._samples = self._samples[drop:].copy()
        self._start += drop

    def stretch(self, start: int, end: int) -> Float32:
        """Return a stretch, of which what lies before the stream is silent.

        Parameters
        ----------
        start, end : int
            Numbers of samples, ``start <= end <= self.end``; `start` not forgotten, or negative.

        Returns
        -------
        np.ndarray [shape=(end - start,), dtype=float32]
            A view, not to be kept, unless it begins before the stream.
        """
        if start >= self._start:
            return self._samples[start - self._start : end - self._start]
        silence = np.zeros(min(end, 0) - start, np.float32)
        return np.concatenate([silence, self._samples[: max(0, end - self._start)]])
