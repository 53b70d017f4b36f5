"""The newest audio as codes, when it was heard, and the windows that are compared."""

from dataclasses import dataclass, replace

import numpy as np

from stream_match.index.port import Bools, Int64, Words
from stream_match.index.spans import STANDARD_CLOCK, CodeClock, Spans, doublings
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
    return windows_s()[2]


@dataclass(frozen=True)
class Query:
    """What was heard last, and when."""

    words: Words  # codes at each of `shifts_semitones`, newest first [shape=(n_shifts, n_frames, n_words)]
    audible: Bools  # [shape=(n_frames,)]
    now: float  # moment of the newest code, in positions
    stride: int  # frames per position
    clock: CodeClock = STANDARD_CLOCK

    @property
    def now_s(self) -> float:
        """Stream time of the newest code."""
        return self.clock.stream_s(self.now)

    @property
    def spans(self) -> Spans:
        """Of its positions."""
        return self.clock.spans

    @property
    def positions(self) -> int:
        """Length in positions."""
        return len(self.audible) // self.stride

    def newest(self, positions: int) -> "Query":
        """Return the newest stretch of this length, or all there is."""
        frames = positions * self.stride
        return replace(self, words=self.words[:, :frames], audible=self.audible[:frames])

    def audible_frames(self, positions: int) -> int:
        """Return how many frames of the newest stretch of this length sound."""
        return int(np.count_nonzero(self.audible[: positions * self.stride]))

    @property
    def silent(self) -> bool:
        """True if too little of it sounds: chance looks like evidence there."""
        return self.audible_frames(self.positions) < self._least_frames

    def windows(self) -> Int64:
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
