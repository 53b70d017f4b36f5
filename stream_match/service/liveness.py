"""Whether a source is still looked after: signs of supervision, and when the next one is overdue.

A source that is away is no reason for a restart: it is opened again by its supervision, which gives a sign at
every attempt. A restart helps where no sign comes any more, or where audio waits and nobody analyses it.
"""

import math
from collections.abc import Callable

from stream_match.events import ENDED_STATES, State
from stream_match.service import states

STUCK_S = 60.0
"""Longest time [seconds] that audio may wait while nothing of it is analysed. An engine takes milliseconds
for a second of audio, and seconds to begin. A higher value delays a restart; a lower one restarts a busy
computer."""

SPARE_S = 30.0
"""Added to what an opening and its wait may take, before the supervision counts as stuck."""


class Liveness:
    """Signs of one source's supervision.

    Parameters
    ----------
    monotonic : callable () -> float
        Seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._sign_at = monotonic()
        self._wait_s = 0.0

    def sign(self, *, wait_s: float = 0.0) -> None:
        """Take note that a piece of audio was analysed, or that a state was told.

        Parameters
        ----------
        wait_s : float, >= 0 [seconds]
            A pause that follows by intention.
        """
        self._sign_at, self._wait_s = self._monotonic(), wait_s

    def trouble(self, state: State | None, *, audio_waits: bool, is_watched: bool) -> str | None:
        """Say what is stuck; None if the supervision works, or a restart would not help.

        Parameters
        ----------
        state : str or None
            Of the source.
        audio_waits : bool
            Whether its queue holds audio.
        is_watched : bool
            Whether the supervision gives it up when it is silent. A pipe may be silent for ever.
        """
        if state == "paused" or state in ENDED_STATES:
            return None
        silent_s = self._monotonic() - self._sign_at
        if audio_waits and state != "reconnecting" and silent_s > STUCK_S:
            return f"audio has been waiting for {silent_s:.0f} s, and nothing of it is analysed"
        longest_s = self._wait_s + states.LOST_S + SPARE_S if is_watched else math.inf
        if silent_s > longest_s:
            return f"its supervision has given no sign for {silent_s:.0f} s"
        return None
