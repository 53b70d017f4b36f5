"""Where the line of a match was heard lately: how fast the recording runs, and whether it is that recording.

A recording runs at one speed, and a player that runs 6 % fast or slow is rare. A performance of the same
piece on the same instruments agrees too, if less; but it lingers and hurries, or goes at a pace of its own.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

_LOOKS = 32
_FEWEST_LOOKS = 8
"""The speed of a match is the slope of where it was in the last 12 s, once it has been followed for 3 s."""

MOST_OFF_SPEED = 0.06
"""Speeds of a recording are between 1 - 0.06 and 1 + 0.06."""

_MOST_STRAY = 0.25
"""Positions that the line of a recording may stray from a straight one, as a root of the mean square. Of 810
excerpts of 10 s, in noise down to -5 dB and at other speeds, none does by more than 0.2."""

_LOOKS_FOR_SPEED = 16
_LEAST_TOO_FAST = 0.07
"""Neighbouring looks err alike: it takes 6 s to tell a pianist from a turntable that runs 6 % fast."""

_SURE = 3.0
"""Standard errors by which a speed must be beyond those of a recording."""

_STRAIGHT = 0.1
"""What strays by so little over all of the 12 s, at the speed of a recording, is one after all."""


@dataclass(frozen=True)
class Trail:
    """The moments of the last looks at a match, and the head of its line at each.

    Parameters
    ----------
    points : tuple of (float, float)
        In positions, oldest first.
    bent : bool
        Whether it turned out to be no recording's.
    proved : bool
        Whether it was long enough once to tell, and ran as a recording does.
    """

    points: tuple[tuple[float, float], ...] = ()
    bent: bool = False
    proved: bool = False

    @property
    def long_enough(self) -> bool:
        """True if it says what the speed is."""
        return len(self.points) >= _FEWEST_LOOKS

    @property
    def speed(self) -> float:
        """The slope of the straight line through it, in the sense of least squares."""
        return self._fit()[0]

    def followed_by(self, now: float, head: float) -> "Trail":
        """Return the trail with another point, judged anew."""
        longer = replace(self, points=(*self.points, (now, head))[-_LOOKS:])
        bent = longer._is_bent() if longer.long_enough else self.bent
        return replace(longer, bent=bent, proved=not bent and (self.proved or longer._keeps_pace()))

    def from_here(self) -> "Trail":
        """Return the trail of the same match when it goes on at another place."""
        return replace(self, points=())

    def _keeps_pace(self) -> bool:
        return self.long_enough and abs(self.speed - 1) <= _LEAST_TOO_FAST

    def _is_bent(self) -> bool:
        speed, error, stray = self._fit()
        off = abs(speed - 1)
        if self.bent:
            return len(self.points) < _LOOKS or off > MOST_OFF_SPEED or stray > _STRAIGHT
        too_fast = len(self.points) >= _LOOKS_FOR_SPEED and off - _SURE * error > _LEAST_TOO_FAST
        return too_fast or stray > _MOST_STRAY

    def _fit(self) -> tuple[float, float, float]:
        """Return the slope, its standard error, and the root of the mean square of what it leaves."""
        x, y = np.array(self.points).T
        x -= x.mean()
        y -= y.mean()
        spread = float((x * x).sum())
        slope = float((x * y).sum()) / spread
        left = float(((y - slope * x) ** 2).sum())
        return slope, math.sqrt(left / (len(x) - 2) / spread), math.sqrt(left / len(x))
