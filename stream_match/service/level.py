"""How loud a source is."""

import math
from collections import deque

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ

LEVEL_SAMPLES = SAMPLE_RATE_HZ
"""Of which the level is taken: the last second."""

FLOOR_POWER = 1e-12
"""The mean square that silence counts as: -120 dBFS, for JSON knows no infinity."""


class Level:
    """RMS level of the last second."""

    def __init__(self) -> None:
        self._powers: deque[tuple[float, int]] = deque()
        self._samples = 0

    def hear(self, y: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> None:
        """Take note of samples, at most a second of them."""
        if y.size:
            self._powers.append((float(np.dot(y, y)), y.size))
            self._samples += y.size
        while self._powers and self._samples - self._powers[0][1] >= LEVEL_SAMPLES:
            self._samples -= self._powers.popleft()[1]

    @property
    def dbfs(self) -> float | None:
        """The level in dB relative to full scale; None if nothing was heard, or nothing that has a level."""
        if not self._samples:
            return None
        power = sum(power for power, _ in self._powers) / self._samples
        if not math.isfinite(power):
            return None
        return decibels(power)


def decibels(power: float) -> float:
    """Return a mean square as a level [dBFS], at least -120."""
    return 10 * math.log10(max(power, FLOOR_POWER))
