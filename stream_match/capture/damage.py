"""Damage in a live stream, told sparsely: a station that is broken must not flood the log."""

import logging
import math
import time

log = logging.getLogger(__name__)

PERIOD_S = 60.0
"""Least time between two lines of one source."""


class DamageLog:
    """Counts the damaged packets of a source over all its openings, and tells when their number has doubled.

    Parameters
    ----------
    name : str
        Name of the source.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._damaged = 0
        self._told = 0
        self._told_at = -math.inf

    def count(self) -> None:
        """Take note of a packet that could not be decoded."""
        self._damaged += 1

    def tell(self) -> None:
        """Tell of damage that is over, if that is due."""
        now = time.monotonic()
        if self._damaged >= max(1, 2 * self._told) and now - self._told_at >= PERIOD_S:
            self._told, self._told_at = self._damaged, now
            log.warning("%s: damaged packets skipped so far: %d", self._name, self._damaged)
