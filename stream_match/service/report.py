"""What a run has cost and brought, for the one line at its end."""

import statistics
from collections import deque
from dataclasses import dataclass, field

MAX_DELAYS = 1000
"""Matches whose delay is remembered; the median of the last thousand says enough."""


@dataclass
class Report:
    """Sums over all sources.

    Attributes
    ----------
    audio_s, engine_s
        Audio heard, and CPU time of the engines for it.
    dropped_s
        Audio lost by overrun.
    outage_s
        Audio lost while sources were away.
    waited_s
        Longest that audio waited in a queue of a live source.
    matches
        How many started.
    sounds
        How many were told.
    delays_s
        From the beginning of a match to its `started`, in audio.
    failed
        Names of the sources that failed.
    undelivered
        Events that were still waiting when their sinks had to be closed.
    """

    audio_s: float = 0.0
    engine_s: float = 0.0
    dropped_s: float = 0.0
    outage_s: float = 0.0
    waited_s: float = 0.0
    matches: int = 0
    sounds: int = 0
    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DELAYS))
    failed: list[str] = field(default_factory=list)
    undelivered: int = 0

    def __str__(self) -> str:
        told = [
            f"heard {self.audio_s:.1f} s of audio",
            f"the engine took {self.engine_s:.1f} s of CPU{self._speed()}",
            f"{self.dropped_s:.1f} s dropped, {self.outage_s:.1f} s lost in outages",
            f"audio waited at most {self.waited_s:.1f} s",
            f"matches: {self.matches}{self._delay()}",
            f"sounds: {self.sounds}",
        ]
        return "; ".join(told)

    def _speed(self) -> str:
        if not (self.audio_s and self.engine_s):
            return ""
        ratio = self.engine_s / self.audio_s
        return f" (real-time factor {ratio:.4f}, {1 / ratio:.0f} times faster than real time)"

    def _delay(self) -> str:
        if not self.delays_s:
            return ""
        return (
            f", known {statistics.median(self.delays_s):.1f} s after they began (median; "
            f"{max(self.delays_s):.1f} s at most)"
        )
