"""The newest samples of a source, as 16-bit numbers, and where they are broken."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.clips.samples import Float32, Int16, sixteen_bits

MOST_STRETCHES = 1000
"""Unbroken stretches that are remembered. A stream that breaks more often loses its oldest audio sooner, so
that memory is bounded whatever comes."""


@dataclass
class Stretch:
    """Samples that follow each other without a gap.

    Attributes
    ----------
    first : int
        Number of its first sample, of all that were ever heard.
    begins_s : float [seconds]
        Stream time of that sample.
    """

    first: int
    begins_s: float

    def at(self, sample: int) -> float:
        """Return the stream time of a sample [seconds]."""
        return self.begins_s + (sample - self.first) / SAMPLE_RATE_HZ

    def sample(self, stream_s: float) -> int:
        """Return the number of the sample at a stream time."""
        return self.first + round((stream_s - self.begins_s) * SAMPLE_RATE_HZ)


class RollingAudio:
    """A ring of samples. It takes 2 bytes a sample: 44 kB a second.

    Parameters
    ----------
    seconds : float, >= 0
        How much it holds. Memory is taken as it fills.
    """

    def __init__(self, seconds: float) -> None:
        self._ring = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16)
        self._end = 0  # samples ever heard
        self._stretches: deque[Stretch] = deque([Stretch(0, 0.0)])

    @property
    def end_s(self) -> float:
        """Stream time at the end of what was heard [seconds]."""
        return self._stretches[-1].at(self._end)

    @property
    def newest(self) -> Stretch:
        """The last stretch in which anything was heard."""
        *_, last = (one for one in self._stretches if one.first < self._end or one is self._stretches[0])
        return last

    def hear(self, y: Float32) -> None:
        """Append samples; beyond full scale they are clipped.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
        """
        if not self._ring.size:
            return
        y = y[-self._ring.size :] if (skipped := max(0, y.size - self._ring.size)) else y
        self._end += skipped
        samples = sixteen_bits(y)
        place = self._end % self._ring.size
        until_wrap = min(y.size, self._ring.size - place)
        self._ring[place : place + until_wrap] = samples[:until_wrap]
        self._ring[: y.size - until_wrap] = samples[until_wrap:]
        self._end += y.size
        self._forget()

    def break_off(self, gap_s: float) -> None:
        """Take note that what comes does not continue what was heard.

        Parameters
        ----------
        gap_s : float, >= 0 [seconds]
            Audio that is missing, as far as is known.
        """
        begins_s = self.end_s + gap_s
        if self._stretches[-1].first == self._end:
            self._stretches[-1].begins_s = begins_s
        else:
            self._stretches.append(Stretch(self._end, begins_s))
        self._forget()

    def stretch_at(self, stream_s: float) -> Stretch:
        """Return the newest stretch that begins at a time or before; the oldest if there is none."""
        begun = (one for one in reversed(self._stretches) if round(one.begins_s, 3) <= stream_s)
        return next(begun, self._stretches[0])

    def end_of(self, stretch: Stretch) -> float:
        """Return the stream time at the end of a stretch, so far if it is the newest [seconds]."""
        after = next((one for one in self._stretches if one.first > stretch.first), None)
        return stretch.at(self._end if after is None else after.first)

    def cut_out(self, stretch: Stretch, start_s: float, end_s: float) -> tuple[Int16, float]:
        """Return the audio between two times, as far as it is in one stretch and still held.

        Parameters
        ----------
        stretch : Stretch
            No sample of another one is returned.
        start_s, end_s : float [seconds]
            Stream times.

        Returns
        -------
        y : np.ndarray [shape=(n,), dtype=int16]
            A copy; may be empty.
        begins_s : float [seconds]
            Stream time of its first sample.
        """
        first = max(stretch.sample(start_s), stretch.first, self._oldest)
        last = max(first, min(stretch.sample(end_s), stretch.sample(self.end_of(stretch))))
        place = first % max(1, self._ring.size)
        until_wrap = self._ring[place : place + last - first]
        return np.concatenate([until_wrap, self._ring[: last - first - until_wrap.size]]), stretch.at(first)

    @property
    def _oldest(self) -> int:
        """Number of the oldest sample that is held."""
        return max(0, self._end - self._ring.size)

    def _forget(self) -> None:
        """Forget stretches of which no sample is held any more, and the oldest of too many."""
        while len(self._stretches) > 1 and (
            self._stretches[1].first <= self._oldest or len(self._stretches) > MOST_STRETCHES
        ):
            self._stretches.popleft()
