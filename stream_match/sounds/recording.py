"""A file that is read several times, and its outline; its samples are never held as a whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_again, read_blocks

Float32 = npt.NDArray[np.float32]

MOST_COLUMNS = 4000
"""Columns of an outline. When there are as many, they are joined in pairs."""

FIRST_STEP_SAMPLES = 64


class Outline:
    """The least and the greatest sample of each of some thousand equal stretches."""

    def __init__(self) -> None:
        self.step = FIRST_STEP_SAMPLES
        """Samples of a stretch."""
        self._lows = np.empty(0, np.float32)
        self._highs = np.empty(0, np.float32)
        self._rest = np.empty(0, np.float32)

    def feed(self, y: Float32) -> None:
        """Take the next samples.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
        """
        y = np.concatenate([self._rest, y])
        # Columns stay an even number, so that they can be joined.
        columns = y[: len(y) // (2 * self.step) * 2 * self.step].reshape(-1, self.step)
        self._rest = y[columns.size :].copy()
        self._lows = np.concatenate([self._lows, columns.min(axis=1)])
        self._highs = np.concatenate([self._highs, columns.max(axis=1)])
        while len(self._lows) > MOST_COLUMNS:
            self._lows = self._lows.reshape(-1, 2).min(axis=1)
            self._highs = self._highs.reshape(-1, 2).max(axis=1)
            self.step *= 2
            if len(self._lows) % 2:
                self._unjoin()

    def _unjoin(self) -> None:
        """Keep the number of columns even: the last one waits for its other half."""
        low, high = self._lows[-1], self._highs[-1]
        waiting = np.full(self.step, low)
        waiting[-1] = high
        self._rest = np.concatenate([waiting, self._rest])
        self._lows, self._highs = self._lows[:-1], self._highs[:-1]

    def columns(self) -> tuple[Float32, Float32]:
        """Return the least and the greatest samples.

        Returns
        -------
        lows, highs : np.ndarray [shape=(n,), dtype=float32]
            Column ``i`` is of the samples from ``i * step`` on.
        """
        if not len(self._rest):
            return self._lows, self._highs
        starts = np.arange(0, len(self._rest), self.step)
        return (
            np.concatenate([self._lows, np.minimum.reduceat(self._rest, starts)]),
            np.concatenate([self._highs, np.maximum.reduceat(self._rest, starts)]),
        )


class Recording:
    """A file of sound.

    Parameters
    ----------
    path : str or Path
        A file in any format that can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.samples = 0
        """Its length, known when it has been read once."""
        self.outline = Outline()

    @property
    def seconds(self) -> float:
        """Its length, known when it has been read once."""
        return self.samples / SAMPLE_RATE_HZ

    def blocks(self) -> Iterator[Float32]:
        """Read the file from its beginning; what is wrong with it is told the first time only.

        Yields
        ------
        np.ndarray [shape=(n,), dtype=float32]
            Mono samples at `SAMPLE_RATE_HZ`.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        if self.samples:
            yield from read_again(self.path)
            return
        for y in read_blocks(self.path):
            self.samples += y.size
            self.outline.feed(y)
            yield y
