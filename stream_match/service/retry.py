"""When a lost source is tried again, and what the log says of it."""

import logging
import math
import re

from stream_match.publish.backoff import Backoff
from stream_match.publish.sparse import SparseLog
from stream_match.service.world import World

log = logging.getLogger(__name__)

FIRST_HOUR_S = 3600.0
"""Part of an outage in which the waits stay below the setting `reconnect_max_seconds`."""

LATER_MAX_S = 60.0
"""Longest wait after the first hour: a station that was off for a night is heard within a minute."""

MAX_CAUSES = 30
"""Causes that the log tells apart. More count as one: a server may send another text each time."""

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


class Retry:
    """The waits between attempts, and the sentences about going away and coming back.

    The waits are 1, 2, 4, 8 s and so on up to `max_s`; after the first hour of an outage up to `LATER_MAX_S`.
    Chance shortens each by up to a half. Audio ends an outage; only a steady run begins the waits anew.

    One cause is logged at most once in five minutes. Coming back is logged when going away was.

    Parameters
    ----------
    name : str
        Name of the source.
    max_s : float, >= 1 [seconds]
        The longest wait in the first hour.
    world : World
        Clock and chance.
    always_max_s : float [seconds]
        The longest wait however long the outage is, for what is no burden to ask.

    Attributes
    ----------
    attempt : int
        Attempts since the source last ran.
    """

    def __init__(self, name: str, max_s: float, world: World, *, always_max_s: float = math.inf) -> None:
        self.attempt = 0
        self._name = name
        self._max_s = max_s
        self._always_max_s = always_max_s
        self._world = world
        self._backoff = Backoff(chance=world.chance)
        self._complaints = SparseLog(log, clock=world.monotonic)
        self._causes: set[str] = set()
        self._outage_since: float | None = None  # monotonic; until it runs at all
        self._told = False

    def lost(self, reason: str, *, ago_s: float = 0.0) -> float:
        """Take note that the source is lost.

        Parameters
        ----------
        reason : str
            One sentence for the log.
        ago_s : float, >= 0 [seconds]
            How long ago it was lost: what was heard since had waited in the queue.

        Returns
        -------
        float [seconds]
            How long to wait before the next attempt.
        """
        now = self._world.monotonic()
        self.attempt += 1
        self._outage_since = now if self._outage_since is None else self._outage_since
        wait_s = max(0.0, self._backoff.next_s(self._cap_s(now - self._outage_since)) - ago_s)
        sentence = f"{self._name}: {reason}; trying again in {wait_s:.0f} s"
        self._told |= self._complaints.tell(self._cause(reason), sentence)
        return wait_s

    def back(self) -> None:
        """Take note that audio is heard."""
        if self._told and self._outage_since is not None:
            # A warning as the loss was: whoever reads only warnings must not think that it is still away.
            log.warning("%s: back after %.0f s", self._name, self._world.monotonic() - self._outage_since)
        self.attempt, self._outage_since, self._told = 0, None, False

    def steady(self) -> None:
        """Take note that the source has run for long enough to begin the waits anew."""
        self._backoff.reset()

    def _cap_s(self, outage_s: float) -> float:
        cap_s = self._max_s if outage_s < FIRST_HOUR_S else max(self._max_s, LATER_MAX_S)
        return min(cap_s, self._always_max_s)

    def _cause(self, reason: str) -> str:
        """Reduce a reason to its kind: numbers in it differ from time to time."""
        cause = _NUMBER.sub("#", reason)
        if len(self._causes) < MAX_CAUSES:
            self._causes.add(cause)
        return cause if cause in self._causes else "another cause"
