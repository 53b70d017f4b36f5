"""Stretches of time: joined, cut, taken from each other."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

Stretch = tuple[datetime, datetime]
"""Beginning and end."""


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the same time as stretches in order that do not touch; empty ones are left out."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


class Stretches:
    """Stretches that do not touch, found by time.

    Parameters
    ----------
    stretches : iterable of Stretch
        In any order; they may overlap.
    """

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self._all = joined(stretches)
        self._ends = [end for _, end in self._all]

    def within(self, start: datetime, end: datetime) -> list[Stretch]:
        """Return what lies between two times."""
        first = bisect_right(self._ends, start)
        found: list[Stretch] = []
        while first < len(self._all) and self._all[first][0] < end:
            begin, until = self._all[first]
            found.append((max(begin, start), min(until, end)))
            first += 1
        return joined(found)


def without(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Return what of the stretches is in none of the others, joined."""
    left: list[Stretch] = []
    cuts, first = joined(others), 0
    for start, end in joined(stretches):
        while first < len(cuts) and cuts[first][1] <= start:
            first += 1
        at, cut = start, first
        while cut < len(cuts) and cuts[cut][0] < end:
            left.append((at, cuts[cut][0]))
            at = cuts[cut][1]
            cut += 1
        left.append((at, end))
    return joined(left)


def seconds(stretches: Iterable[Stretch]) -> float:
    """Return how long they are together."""
    return sum((end - start).total_seconds() for start, end in stretches)
