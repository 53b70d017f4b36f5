"""How many sources each worker of a fleet should have, and which."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """What a worker has, and what it could have.

    Attributes
    ----------
    held : int, >= 0
        Sources that it has.
    most : int, >= 0, or None
        Sources that it takes at most; None for any number.
    """

    held: int = 0
    most: int | None = None


def quotas(n_sources: int, workers: Mapping[str, Room]) -> dict[str, int]:
    """Return how many sources each worker should have.

    Parameters
    ----------
    n_sources : int, >= 0
        Sources to be spread.
    workers : mapping of str to Room
        By node.

    Returns
    -------
    dict of str to int
        As equal as `most` allows. What cannot be divided goes to those who have more already, so that
        few sources move. The sum is `n_sources`, unless there is too little room.
    """
    found, left = {}, n_sources
    # The smallest first: what it does not take is divided among the others. Remainders fall to the last.
    order = sorted(workers, key=lambda node: (_most(workers[node], n_sources), workers[node].held, node))
    for number, node in enumerate(order):
        found[node] = min(_most(workers[node], n_sources), left // (len(order) - number))
        left -= found[node]
    return found


def _most(room: Room, n_sources: int) -> int:
    return n_sources if room.most is None else min(room.most, n_sources)


def in_order_of(node: str, sources: Iterable[str]) -> list[str]:
    """Return sources in the order in which a worker takes them: another one for each, lest they collide."""
    return sorted(sources, key=lambda name: hashlib.blake2s(f"{node}/{name}".encode()).digest())
