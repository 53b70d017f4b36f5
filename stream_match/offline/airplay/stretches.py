"""Stretches of time: joined, cut, taken from each other."""

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


def within(stretches: Iterable[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """Return what of the stretches lies between two times, joined."""
    return joined((max(begin, start), min(until, end)) for begin, until in stretches)


def without(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Return what of the stretches is in none of the others, joined."""
    left: list[Stretch] = []
    cuts = joined(others)
    for start, end in joined(stretches):
        at = start
        for begin, until in cuts:
            if until <= at or begin >= end:
                continue
            left.append((at, begin))
            at = until
        left.append((at, end))
    return joined(left)


def seconds(stretches: Iterable[Stretch]) -> float:
    """Return how long they are together."""
    return sum((end - start).total_seconds() for start, end in stretches)
