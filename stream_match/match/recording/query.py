"""The newest audio as codes, and the windows that are compared."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.index.lines import Words
from stream_match.index.spans import STANDARD, Spans, doublings
from stream_match.match import tuning


def shifts_semitones() -> tuple[float, ...]:
    """Return how much higher than its reference a recording may sound: 0, then down and up, ever farther."""
    step = tuning.SHIFT_STEP_SEMITONES
    count = round(tuning.MOST_SHIFT_SEMITONES / step)
    return (0.0, *(way * number * step for number in range(1, count + 1) for way in (-1, 1)))


def windows_s() -> tuple[float, ...]:
    """Return the lengths that are compared, shortest first."""
    return doublings(tuning.SHORTEST_WINDOW_S, tuning.LONGEST_WINDOW_S)


def medium_window_s() -> float:
    """Return the third of these lengths: enough to tell a recording from others on its instruments."""
    return 4 * tuning.SHORTEST_WINDOW_S


@dataclass(frozen=True)
class Query:
    """What was heard last.

    Parameters
    ----------
    words : np.ndarray [shape=(n_shifts, n_frames, n_words), dtype=uint64]
        Codes at each of `shifts_semitones`, newest first, one frame apart.
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
        """Return how many frames of the newest stretch of this length sound."""
        return int(np.count_nonzero(self.audible[: positions * self.stride]))

    @property
    def silent(self) -> bool:
        """True if too little of it sounds: chance looks like evidence there."""
        return self.audible_frames(self.positions) < self._least_frames

    def windows(self) -> npt.NDArray[np.int64]:
        """Return the windows in positions; the last is the whole query where that is shorter.

        Windows in which too little sounds are left out, unless the query is `silent`.
        """
        windows = [self.spans.positions(seconds) for seconds in windows_s()]
        fitting = [w for w in windows if w <= self.positions]
        if len(fitting) < len(windows) and self.positions not in fitting:
            fitting.append(self.positions)
        if not self.silent:
            fitting = [w for w in fitting if self.audible_frames(w) >= self._least_frames]
        return np.array(fitting, np.int64)

    @property
    def _least_frames(self) -> int:
        return min(self.spans.positions(tuning.SHORTEST_WINDOW_S), self.positions) * self.stride
