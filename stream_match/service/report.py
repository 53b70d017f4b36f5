"""What a run has cost and brought: by source, and for the one line at its end."""

import statistics
from collections import deque
from dataclasses import dataclass, field

MAX_DELAYS = 1000
"""Matches whose delay is remembered, by source; the median of the last thousand says enough."""


@dataclass
class Account:
    """Sums over one source, since the start of the process.

    Attributes
    ----------
    audio_s, engine_s : float [seconds]
        Audio heard, and CPU time of the engines for it.
    dropped_s : float [seconds]
        Audio lost by overrun.
    overruns : int
        How often audio was lost by overrun.
    outage_s : float [seconds]
        Audio lost while the source or its matcher was away.
    waited_s : float [seconds]
        Longest that audio waited in the queue of a live source.
    reconnects : int
        How often the source was lost, or its matcher broke.
    matches : int
        How many started.
    sounds : int
        How many were told.
    delays_s : deque of float [seconds]
        From the beginning of a match to its `started`, in audio.
    """

    audio_s: float = 0.0
    engine_s: float = 0.0
    dropped_s: float = 0.0
    overruns: int = 0
    outage_s: float = 0.0
    waited_s: float = 0.0
    reconnects: int = 0
    matches: int = 0
    sounds: int = 0
    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DELAYS))

    @property
    def real_time_factor(self) -> float | None:
        """CPU time for one second of audio [seconds]; None if nothing was heard."""
        return self.engine_s / self.audio_s if self.audio_s else None


@dataclass
class Report:
    """Sums over all sources.

    Attributes
    ----------
    failed : list of str
        Names of the sources that failed.
    undelivered : int
        Events that were still waiting when their sinks had to be closed.
    """

    failed: list[str] = field(default_factory=list)
    undelivered: int = 0
    _accounts: dict[str, Account] = field(default_factory=dict)

    def account(self, source: str) -> Account:
        """Return the sums of a source; one that comes back goes on counting."""
        return self._accounts.setdefault(source, Account())

    @property
    def audio_s(self) -> float:
        """Audio heard [seconds]."""
        return sum(account.audio_s for account in self._accounts.values())

    @property
    def engine_s(self) -> float:
        """CPU time of the engines [seconds]."""
        return sum(account.engine_s for account in self._accounts.values())

    @property
    def dropped_s(self) -> float:
        """Audio lost by overrun [seconds]."""
        return sum(account.dropped_s for account in self._accounts.values())

    @property
    def outage_s(self) -> float:
        """Audio lost while sources were away [seconds]."""
        return sum(account.outage_s for account in self._accounts.values())

    @property
    def waited_s(self) -> float:
        """Longest that audio waited in a queue of a live source [seconds]."""
        return max((account.waited_s for account in self._accounts.values()), default=0.0)

    @property
    def matches(self) -> int:
        """How many matches started."""
        return sum(account.matches for account in self._accounts.values())

    @property
    def sounds(self) -> int:
        """How many sounds were told."""
        return sum(account.sounds for account in self._accounts.values())

    @property
    def delays_s(self) -> list[float]:
        """From the beginning of a match to its `started`, in audio [seconds]."""
        return [delay for account in self._accounts.values() for delay in account.delays_s]

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
