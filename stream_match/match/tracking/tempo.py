"""The tempo of a match: where its line was lately, and whether a recording runs like that.

A recording runs at one speed. A performance of the piece on the same instruments agrees too, if less; but it
lingers and hurries, or goes at a pace of its own.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from stream_match.match import tuning


@dataclass(frozen=True)
class TempoTrack:
    """The moments at which a match was looked at, and its reference position at each."""

    points: tuple[tuple[float, float], ...] = ()  # stream time and reference time, oldest first
    off_pace: bool = False  # whether it turned out to be no recording's

    @property
    def tells_speed(self) -> bool:
        """Whether it is long enough to tell the speed."""
        return self.seconds >= 2 * tuning.NEWEST_S

    @property
    def seconds(self) -> float:
        """How long it was looked at, gaps left out."""
        return len(self.points) * tuning.DECISION_S

    @property
    def speed(self) -> float:
        """The slope of the straight line through it, by least squares."""
        return self._fit()[0]

    @property
    def on_pace(self) -> bool:
        """Whether it is long enough to tell, and runs as a recording does."""
        return self.tells_speed and not self.off_pace and abs(self.speed - 1) <= tuning.OFF_SPEED

    def followed_by(self, now_s: float, reference_s: float) -> "TempoTrack":
        """Return it with another point, judged anew."""
        kept = tuple(point for point in self.points if point[0] > now_s - tuning.FOLLOWED_S)
        longer = replace(self, points=(*kept, (now_s, reference_s)))
        return replace(longer, off_pace=longer._is_off_pace()) if longer.tells_speed else longer

    def from_here(self) -> "TempoTrack":
        """Return that of the same match when it goes on at another place."""
        return replace(self, points=())

    def _is_off_pace(self) -> bool:
        speed, error, stray_s = self._fit()
        off = abs(speed - 1)
        if self.off_pace:
            long_enough = self.seconds >= tuning.FOLLOWED_S - 2 * tuning.DECISION_S
            return not long_enough or off > tuning.OFF_SPEED or stray_s > tuning.STRAY_S / 2
        surely_off = off - tuning.SURE_ERRORS * error > tuning.OFF_SPEED
        return (surely_off and self.seconds >= tuning.FOLLOWED_S / 2) or stray_s > tuning.STRAY_S

    def _fit(self) -> tuple[float, float, float]:
        """Return the slope, its standard error, and the root mean square of what it leaves."""
        x, y = np.array(self.points).T
        x -= x.mean()
        y -= y.mean()
        spread = float((x * x).sum())
        slope = float((x * y).sum()) / spread
        left = float(((y - slope * x) ** 2).sum())
        return slope, math.sqrt(left / (len(x) - 2) / spread), math.sqrt(left / len(x))
