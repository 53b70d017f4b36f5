"""Log lines that do not flood: one of a kind in a while."""

import logging
import time
from collections.abc import Callable

PERIOD_S = 300.0  # often enough to be found in a day's log, seldom enough not to fill it


class SparseLog:
    """Tells each kind of trouble at most once per period, and how often it was silent meanwhile.

    Parameters
    ----------
    log : logging.Logger
        Where the sentences go.
    period_s : float [seconds]
        The least time between two sentences of one kind.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, log: logging.Logger, *, period_s: float = PERIOD_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._period_s = period_s
        self._clock = clock
        self._told_at: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def tell(self, kind: str, sentence: str) -> bool:
        """Log a warning unless its kind was told within the period; return whether it was logged."""
        now = self._clock()
        if now - self._told_at.get(kind, float("-inf")) < self._period_s:
            self._silent[kind] = self._silent.get(kind, 0) + 1
            return False
        self._told_at[kind] = now
        silent = self._silent.pop(kind, 0)
        self._log.warning(
            "%s%s", sentence, f" (and {silent} times since this was last told)" if silent else ""
        )
        return True
