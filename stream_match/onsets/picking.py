"""Which rises are onsets: peaks over a threshold that knows the past only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

PAST_FRAMES = 50
"""What the threshold is made of: half a second."""

LATELY_FRAMES = 20
"""The median of the last 0.2 s counts too where it is higher: noise that has just set in is soon the past."""

SPREAD = 2.0
"""How many median deviations above the median of the past an onset is."""

LEAST_DB = 1.75
"""And this many dB more, whatever the past: what a person would hardly notice is none."""

BEFORE_FRAMES = 4
"""An onset rises more than so many frames before it, and than the one after it."""

REST_FRAMES = 3
"""After an onset, so many frames are none: their rise is the same attack."""

MASKING = 0.25
"""Share of the rise of an onset that a later one must exceed, at first: a sound that is rough while it dies
away does not begin again."""

MASKED_FRAMES = 15.0
"""After so many frames (0.15 s) masking has fallen to 1/e."""

NOISE_DB = 1.9
"""The past of a stream that has none yet: about what steady noise gives."""


@dataclass(frozen=True)
class Peak:
    """A frame in which something begins.

    Parameters
    ----------
    frame : int
        Number of the frame since the beginning.
    strength : float
        How far it rises over the median of the past, in median deviations of the past, to which `LEAST_DB` /
        `SPREAD` is added: in silence there are none. More than `SPREAD`.
    """

    frame: int
    strength: float


class Picker:
    """Finds onsets in a stream of flux values, each one frame after it."""

    def __init__(self) -> None:
        # The past of the next frame to be decided, then that frame.
        self._values = np.full(PAST_FRAMES, NOISE_DB)
        self._next = 0
        self._last = -REST_FRAMES - 1
        self._last_rise = 0.0

    def feed(self, flux: Float64) -> list[Peak]:
        """Take the flux of further frames and return the onsets that can be told by now.

        Parameters
        ----------
        flux : np.ndarray [shape=(n_frames,), dtype=float64]

        Returns
        -------
        list of Peak
            The frame before the last one is the latest that may be in it.
        """
        values = np.concatenate([self._values, flux])
        count = len(values) - PAST_FRAMES - 1  # frames with a frame behind them
        if count <= 0:
            self._values = values
            return []
        peaks = [self._peak(*risen) for risen in _risen(values, _highest(values, count))]
        self._next += count
        self._values = values[count:]
        return [peak for peak in peaks if peak is not None]

    def _peak(self, index: int, rise: float, strength: float) -> Peak | None:
        frame = self._next + index
        since = frame - self._last
        if since <= REST_FRAMES or rise < MASKING * self._last_rise * math.exp(-since / MASKED_FRAMES):
            return None
        self._last, self._last_rise = frame, rise
        return Peak(frame, strength)


def _highest(values: Float64, count: int) -> Int64:
    """Return which frames rise more than `LEAST_DB`, and more than those about them: few are left.

    Parameters
    ----------
    values : np.ndarray [shape=(PAST_FRAMES + count + 1,), dtype=float64]
        The past, then the frames that are asked for, then one more.
    """
    own = values[PAST_FRAMES : PAST_FRAMES + count]
    highest = (own > LEAST_DB) & (own >= values[PAST_FRAMES + 1 :])
    for ago in range(1, BEFORE_FRAMES + 1):
        highest &= own >= values[PAST_FRAMES - ago :][:count]
    return np.flatnonzero(highest)


def _risen(values: Float64, frames: Int64) -> Iterator[tuple[int, float, float]]:
    """Yield those of the frames that stand out of their past, with their rise and their strength."""
    if not len(frames):
        return
    own = values[PAST_FRAMES + frames]
    pasts = values[frames[:, np.newaxis] + np.arange(PAST_FRAMES)]
    median = np.maximum(_medians(pasts), _medians(pasts[:, -LATELY_FRAMES:]))
    spread = _medians(np.abs(pasts - median[:, np.newaxis]))
    found = own > median + SPREAD * spread + LEAST_DB
    strength = (own - median) / (spread + LEAST_DB / SPREAD)
    for i in np.flatnonzero(found):
        yield int(frames[i]), float(own[i]), float(strength[i])


def _medians(rows: Float64) -> Float64:
    """Return the median of each row, of even length: `numpy.median` takes four times as long for few rows."""
    middle = rows.shape[1] // 2
    ordered = np.partition(rows, (middle - 1, middle), axis=1)
    medians: Float64 = (ordered[:, middle - 1] + ordered[:, middle]) / 2
    return medians
