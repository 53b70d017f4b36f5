"""What a worker knows of the bucket, and since when."""

from collections.abc import Iterator
from dataclasses import dataclass

from stream_match.fleet.bucket import Entry
from stream_match.fleet.entries import SOURCE, WORKER, Lease, Presence, decoded


@dataclass(frozen=True)
class Known:
    """The last write of a key.

    Attributes
    ----------
    said : Lease or None
        None: it was deleted, or cannot be understood.
    revision : int
        Of the write.
    seen_at : float
        When it was seen first; monotonic seconds.
    counts_s : float [seconds]
        For how long after that it counts; 0 if it was deleted.
    """

    said: Lease | None
    revision: int
    seen_at: float
    counts_s: float

    def is_over(self, now: float) -> bool:
        """Say whether the lease is over."""
        return now - self.seen_at >= self.counts_s


class Table:
    """The last write of every key of the bucket.

    Parameters
    ----------
    lease_s : float [seconds]
        How long what cannot be understood counts as a lease.

    Attributes
    ----------
    is_complete : bool
        Whether every key was told since the connection began.
    """

    def __init__(self, lease_s: float) -> None:
        self.is_complete = False
        self._lease_s = lease_s
        self._known: dict[str, Known] = {}
        self._told: set[str] = set()

    def begin(self) -> None:
        """Begin anew: all keys are told once more."""
        self.is_complete = False
        self._told = set()

    def complete(self) -> None:
        """Take note that all keys were told; the others are gone."""
        self._known = {key: known for key, known in self._known.items() if key in self._told}
        self.is_complete = True

    def see(self, entry: Entry, now: float) -> None:
        """Take note of a write.

        Parameters
        ----------
        entry : Entry
            Of writes that come out of order, the last one counts.
        now : float
            Monotonic seconds. The same write counts from when it was seen first.
        """
        before = self._known.get(entry.key)
        if before is None or entry.revision > before.revision or entry.key not in self._told:
            known = self._understood(entry, now)
            if before is None or before.revision != known.revision:
                self._known[entry.key] = known
        self._told.add(entry.key)

    def forget(self, key: str) -> None:
        """Take note that a key is not there."""
        self._known.pop(key, None)

    def revision(self, key: str) -> int:
        """Return the last revision of a key; 0 if it is not there."""
        known = self._known.get(key)
        return 0 if known is None else known.revision

    def is_free(self, key: str, now: float) -> bool:
        """Say whether nobody has a key."""
        known = self._known.get(key)
        return known is None or known.is_over(now)

    def last_word(self, key: str) -> Lease | None:
        """Return what a key says, whether it is over or not."""
        known = self._known.get(key)
        return None if known is None else known.said

    def held(self, now: float) -> Iterator[tuple[str, Lease]]:
        """Yield the sources that somebody has, with who it is."""
        for key, known in self._known.items():
            if key.startswith(SOURCE) and known.said is not None and not known.is_over(now):
                yield key.removeprefix(SOURCE), known.said

    def alive(self, now: float) -> dict[str, Presence]:
        """Return the workers of now, by node."""
        return {
            key.removeprefix(WORKER): known.said
            for key, known in self._known.items()
            if isinstance(known.said, Presence) and not known.is_over(now)
        }

    def _understood(self, entry: Entry, now: float) -> Known:
        if entry.value is None:
            return Known(None, entry.revision, now, 0.0)
        kind = Presence if entry.key.startswith(WORKER) else Lease
        said = decoded(kind, entry.value)
        return Known(said, entry.revision, now, self._lease_s if said is None else said.lease_s)
