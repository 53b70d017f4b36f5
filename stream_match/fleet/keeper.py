"""The leases of one worker: taken, renewed, released and lost, by compare-and-set."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from stream_match.fleet.bucket import Bucket, ConflictError, Entry
from stream_match.fleet.entries import Lease, decoded, encoded
from stream_match.fleet.table import Table

Outcome = Literal["kept", "stolen", "unknown"]


@dataclass
class Held:
    """A lease that is ours.

    Attributes
    ----------
    lease : Lease
        What we write.
    revision : int
        Of our last write; 0 if the bucket has lost it.
    sent_at : float
        When that was sent; monotonic seconds. Whoever sees it sees it later.
    tried_at : float
        When we last tried to write; monotonic seconds.
    """

    lease: Lease
    revision: int
    sent_at: float
    tried_at: float = field(default=0.0)

    @property
    def over_at(self) -> float:
        """When somebody else may take it; monotonic seconds."""
        return self.sent_at + self.lease.lease_s


class Keeper:
    """Keeps leases.

    Parameters
    ----------
    table : Table
        What is known of the bucket; our own writes are told to it.
    monotonic : callable () -> float
        Seconds that never go back.

    Attributes
    ----------
    held : dict of str to Held
        Our leases by key.
    """

    def __init__(self, table: Table, monotonic: Callable[[], float]) -> None:
        self.held: dict[str, Held] = {}
        self._table = table
        self._monotonic = monotonic

    async def take(self, bucket: Bucket, key: str, lease: Lease, last: int) -> bool:
        """Take what is free; return False if somebody else was quicker.

        Parameters
        ----------
        bucket : Bucket
        key : str
        lease : Lease
        last : int
            The revision that was found to be free. What the table says by now may be somebody's lease.
        """
        sent_at = self._monotonic()
        try:
            revision = await bucket.put(key, encoded(lease), last)
        except ConflictError:
            await self._look(bucket, key)
            return False
        self.held[key] = Held(lease, revision, sent_at, sent_at)
        self._note(Entry(key, encoded(lease), revision))
        return True

    async def renew(self, bucket: Bucket, key: str, lease: Lease | None = None) -> Outcome:
        """Write a lease anew, perhaps with something else in it.

        Returns
        -------
        str
            ``"kept"``; ``"stolen"``: somebody else has it, and we have not any more; ``"unknown"``: the
            answer to an earlier write was lost, or the bucket was. Then it is to be tried again.
        """
        held = self.held[key]
        held.lease = lease or held.lease
        held.tried_at = sent_at = self._monotonic()
        try:
            revision = await bucket.put(key, encoded(held.lease), held.revision)
        except ConflictError:
            return await self._after_conflict(bucket, key, held)
        held.revision, held.sent_at = revision, sent_at
        self._note(Entry(key, encoded(held.lease), revision))
        return "kept"

    async def give(self, bucket: Bucket, key: str, lease: Lease) -> None:
        """Write a lease over to another worker. Ours ends, whatever comes of it."""
        held = self.held.pop(key)
        try:
            revision = await bucket.put(key, encoded(lease), held.revision)
        except ConflictError:
            await self._look(bucket, key)
        else:
            self._note(Entry(key, encoded(lease), revision))

    async def release(self, bucket: Bucket, key: str) -> None:
        """Let anybody take it. Ours ends, whatever comes of it."""
        held = self.held.pop(key)
        try:
            await bucket.delete(key, held.revision)
        except ConflictError:
            await self._look(bucket, key)
        else:
            self._table.forget(key)

    async def _after_conflict(self, bucket: Bucket, key: str, held: Held) -> Outcome:
        entry = await self._look(bucket, key)
        if entry is None or entry.value is None:
            held.revision = 0 if entry is None else entry.revision
            return "unknown"
        said = decoded(Lease, entry.value)
        if said is not None and said.instance == held.lease.instance:
            held.revision = entry.revision
            return "unknown"
        del self.held[key]
        return "stolen"

    async def _look(self, bucket: Bucket, key: str) -> Entry | None:
        entry = await bucket.get(key)
        if entry is None:
            self._table.forget(key)
        else:
            self._table.see(entry, self._monotonic())
        return entry

    def _note(self, entry: Entry) -> None:
        self._table.see(entry, self._monotonic())
