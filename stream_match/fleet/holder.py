"""What a worker is, whom it tells to begin and end sources, and what it takes from outside."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

BEATS = 6
"""Beats in a lease. One of 12 s is written every 2 s, and outlives an election of servers (4 to 9 s)."""


class Holder(Protocol):
    """Who listens to the sources that a worker has."""

    @property
    def wanted(self) -> Collection[str]:
        """Names of all sources that are shared, as far as this worker would take them."""

    @property
    def most(self) -> int | None:
        """How many sources it can listen to; None for any number."""

    def begin(self, name: str) -> None:
        """Begin to listen to a source."""

    def end(self, name: str, reason: str) -> None:
        """End a source in order; nothing happens if it is not listened to."""

    def is_over(self, name: str) -> bool:
        """Say whether a source has ended to the last event."""


@dataclass(frozen=True)
class Me:
    """A worker.

    Attributes
    ----------
    node
        Its name; no two of a fleet have the same one.
    instance
        Tells this process from others of the same node.
    lease_s
        How long its leases count [seconds].
    """

    node: str
    instance: str
    lease_s: float = 12.0

    @property
    def beat_s(self) -> float:
        """From one renewal to the next [seconds]."""
        return self.lease_s / BEATS


@dataclass(frozen=True)
class Surroundings:
    """What a worker takes from outside, so that tests need not wait.

    Attributes
    ----------
    monotonic
        Seconds that never go back.
    now
        The time of day, for people.
    sleep
        Waits.
    chance
        Numbers from 0 to 1.
    complain
        Takes a word for the cause and a sentence; may leave out what it was told already.
    """

    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]
    chance: Callable[[], float]
    complain: Callable[[str, str], object]
