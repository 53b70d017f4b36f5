"""How many sources each worker of a fleet should have, and which."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property


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


@dataclass(frozen=True)
class Division:
    """How sources are spread, as one worker sees it.

    Attributes
    ----------
    me : str
        Its node.
    wanted : collection of str
        The sources that it would take.
    owners : mapping of str to str
        Who has which source: nodes by names.
    staying : int
        How many sources it has itself, without those that it is giving up.
    most : mapping of str to (int or None)
        What each worker takes at most, by node, its own included.
    """

    me: str
    wanted: Collection[str]
    owners: Mapping[str, str]
    staying: int
    most: Mapping[str, int | None]

    @property
    def room(self) -> int:
        """How many sources the worker has too few; negative: too many."""
        return self._quotas[self.me] - self.staying

    def wishes(self) -> list[str]:
        """Return what others have beyond their share, in the order in which the worker would take it."""
        found: list[str] = []
        for node in sorted(self.most.keys() - {self.me}):
            theirs = in_order_of(self.me, (name for name in self.wanted if self.owners.get(name) == node))
            found += theirs[: max(0, len(theirs) - self._quotas[node])]
        return found

    @cached_property
    def _quotas(self) -> dict[str, int]:
        counts = Counter(self.owners[name] for name in self.wanted if name in self.owners)
        rooms = {node: Room(counts[node], most) for node, most in self.most.items()}
        rooms[self.me] = Room(self.staying, self.most[self.me])
        return quotas(len(self.wanted), rooms)


def _most(room: Room, n_sources: int) -> int:
    return n_sources if room.most is None else min(room.most, n_sources)


def in_order_of(node: str, sources: Iterable[str]) -> list[str]:
    """Return sources in the order in which a worker takes them: another one for each, lest they collide."""
    return sorted(sources, key=lambda name: hashlib.blake2s(f"{node}/{name}".encode()).digest())
