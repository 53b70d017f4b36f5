"""Which frames are onsets: peaks of the activation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

LEAST_LOG_ODDS = 2.05
"""From 7.8 to one on a peak is an onset. From 7.4 to one on, mixes have F .720 instead of .727; from 8.2 to
one on, notes that ring into each other (MuseScore_General) .800 instead of .806 (±50 ms)."""

BEFORE_FRAMES = 2
"""A peak is as high as so many frames before it."""

AFTER_FRAMES = 2
"""And higher than so many after it: a small peak comes 20 to 30 ms before that of a stroke."""

REST_FRAMES = 4
"""After an onset, so many frames are none: two notes or strokes begin at least 50 ms apart."""

MOST_OFFSET = 2.0
"""Frames at most 1.5 away from a beginning are learnt from: a time farther off is an error."""


@dataclass(frozen=True)
class Peak:
    """A frame in which something begins.

    Parameters
    ----------
    frame : int
        Number of the frame since the beginning.
    offset : float [frames]
        How much later than expected of that frame, in [-2, 2].
    log_odds : float
        That something begins there.
    """

    frame: int
    offset: float
    log_odds: float


class Picker:
    """Finds onsets in a stream of activations, each `AFTER_FRAMES` after it."""

    def __init__(self) -> None:
        # The past of the next frame to be decided, then that frame.
        self._values = np.full((BEFORE_FRAMES, 2), -np.inf)
        self._next = 0
        self._last = -REST_FRAMES - 1

    def feed(self, activation: Float64) -> list[Peak]:
        """Take the activation of further frames and return the onsets that can be told by now.

        Parameters
        ----------
        activation : np.ndarray [shape=(n_frames, 2), dtype=float64]
            Log odds, and offsets.

        Returns
        -------
        list of Peak
            The last `AFTER_FRAMES` frames are not in it yet.
        """
        values = np.concatenate([self._values, activation])
        count = len(values) - BEFORE_FRAMES - AFTER_FRAMES  # frames with all of those behind them
        if count <= 0:
            self._values = values
            return []
        peaks = []
        for index in _highest(values[:, 0], count):
            frame = self._next + int(index)
            if frame - self._last > REST_FRAMES:
                self._last = frame
                log_odds, offset = values[BEFORE_FRAMES + index]
                peaks.append(Peak(frame, float(np.clip(offset, -MOST_OFFSET, MOST_OFFSET)), float(log_odds)))
        self._next += count
        self._values = values[count:]
        return peaks


def _highest(log_odds: Float64, count: int) -> npt.NDArray[np.int64]:
    """Return which frames are at least as high as those before them, and higher than those after them."""
    own = log_odds[BEFORE_FRAMES : BEFORE_FRAMES + count]
    highest = own >= LEAST_LOG_ODDS
    for later in range(1, AFTER_FRAMES + 1):
        highest &= own > log_odds[BEFORE_FRAMES + later :][:count]
    for ago in range(1, BEFORE_FRAMES + 1):
        highest &= own >= log_odds[BEFORE_FRAMES - ago :][:count]
    return np.flatnonzero(highest)
