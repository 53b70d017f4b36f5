"""How long events take to be delivered: one of them at a time is followed."""

import time
from collections.abc import Callable


class Delay:
    """Follows an event from the moment in which a sink takes it until it has arrived, then the next one.

    Of thousands that wait, one is remembered. Ids sort by time: when a later one has arrived, the one that is
    followed never will.

    Parameters
    ----------
    clock : callable () -> float
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._followed: tuple[str, float] | None = None
        self._last_s: float | None = None

    @property
    def seconds(self) -> float | None:
        """Seconds that the last one took; more if the one that is under way has taken more already."""
        under_way_s = 0.0 if self._followed is None else self._clock() - self._followed[1]
        return under_way_s or None if self._last_s is None else max(self._last_s, under_way_s)

    def taken(self, event_id: str) -> None:
        """Take note that an event was taken."""
        if self._followed is None:
            self._followed = event_id, self._clock()

    def arrived(self, event_id: str) -> None:
        """Take note that an event has arrived."""
        if self._followed is None or event_id < self._followed[0]:
            return
        if event_id == self._followed[0]:
            self._last_s = self._clock() - self._followed[1]
        self._followed = None

    def given_up(self, event_id: str) -> None:
        """Take note that an event will never arrive."""
        if self._followed is not None and event_id == self._followed[0]:
            self._followed = None
