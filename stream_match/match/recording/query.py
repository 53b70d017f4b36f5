"""What was heard last, as the second look takes it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.index.lines import Words
from stream_match.index.spans import STANDARD, Spans

SHIFTS_SEMITONES = (0.0, -0.5, 0.5, -1.0, 1.0, -1.5, 1.5, -2.0, 2.0)
"""How much higher than its reference a recording may sound and be found: by how much spectra are moved down
before they are looked for. A turntable 3 % fast is half a semitone high; what is moved to another key
for a mix or an upload, by one or two."""

WINDOWS_S = (1.1, 2.2, 4.5, 8.9, 14.9)
"""Lengths of line that are looked at: from what a jingle gives to what deep noise needs."""

LONGEST_S = WINDOWS_S[-1]


@dataclass(frozen=True)
class Query:
    """What was heard last.

    Parameters
    ----------
    words : np.ndarray [shape=(n_shifts, n_frames, n_words), dtype=uint64]
        Codes at each of `SHIFTS_SEMITONES`, newest first, one frame apart.
    audible : np.ndarray [shape=(n_frames,), dtype=bool]
    now : float
        Moment of the newest code, in positions.
    stride : int
        Frames per position.
    spans : Spans
    """

    words: Words
    audible: npt.NDArray[np.bool_]
    now: float
    stride: int
    spans: Spans = STANDARD

    @property
    def positions(self) -> int:
        """Length in positions."""
        return len(self.audible) // self.stride

    def newest(self, positions: int) -> "Query":
        """Return the newest stretch of this length, or all there is."""
        frames = positions * self.stride
        return Query(self.words[:, :frames], self.audible[:frames], self.now, self.stride, self.spans)

    def audible_frames(self, positions: int) -> int:
        """Return how many frames sound of the newest stretch of this length."""
        return int(np.count_nonzero(self.audible[: positions * self.stride]))

    @property
    def silent(self) -> bool:
        """True if too little of it sounds: there, chance looks like evidence."""
        return self.audible_frames(self.positions) < self._least_frames

    def windows(self) -> npt.NDArray[np.int64]:
        """Return the lengths to look at, with all there is as the last where it is less.

        Those in which too little sounds are left out, unless it is `silent` as a whole.
        """
        windows = [self.spans.positions(seconds) for seconds in WINDOWS_S]
        fitting = [w for w in windows if w <= self.positions]
        if len(fitting) < len(windows) and self.positions not in fitting:
            fitting.append(self.positions)
        if not self.silent:
            fitting = [w for w in fitting if self.audible_frames(w) >= self._least_frames]
        return np.array(fitting, np.int64)

    @property
    def _least_frames(self) -> int:
        return min(self.spans.positions(WINDOWS_S[0]), self.positions) * self.stride
