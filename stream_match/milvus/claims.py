"""Who is writing: claims on positions, and the lock under which an alias is switched.

A claim is a row among the files of a push. It says which positions a writer uses, and when it was last seen
at work: so what a killed writer has left can be told from what another one is writing just now. Times are
those of the writers' wall clocks.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import Field, ValidationError

from stream_match.catalog.rows import Written
from stream_match.errors import CatalogError
from stream_match.milvus.connection import Connection
from stream_match.milvus.connection import Field as Column
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.files import file_row
from stream_match.milvus.layout import CHUNK_KEY, CHUNK_LENGTH, DATA, FILES, Collections, lock_of
from stream_match.milvus.tables import Leaving

BEAT_S = 15.0
"""A writer says so often that it is at work."""

DEAD_AFTER_S = 3600.0
"""A writer that has not said so for this long is dead: no clocks are that far apart."""

_LOCK_S = 60.0
"""A lock is held for less than a second; one that is older belongs to a writer that was killed."""

_MOST_CLAIMS = 1000

Clock = Callable[[], float]


class Claim(Written):
    """A claim on the positions `first` to `beyond` - 1, of codes and of steps."""

    first: int = Field(ge=0, lt=1 << 63)
    beyond: int = Field(ge=0, lt=1 << 63)
    seen_s: float = Field(ge=0, description="When its writer was last at work, in seconds since 1970")

    @property
    def key(self) -> str:
        """Its key among the files."""
        return f"claim-{self.first:016x}"

    def rows(self, *, with_steps: bool) -> Leaving:
        """Return all rows that its writer may have written; steps only if the index has any."""
        size = self.beyond - self.first
        step_at, steps = (self.first, size) if with_steps else (None, 0)
        return Leaving(code_at=self.first, codes=size, step_at=step_at, steps=steps)

    def is_dead(self, now_s: float) -> bool:
        """Return whether its writer has been killed."""
        return now_s - self.seen_s > DEAD_AFTER_S


@dataclass
class Beat:
    """Says from time to time that a writer is at work.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    claim : Claim
    clock, wall : callable () -> float
        Monotonic, and wall clock.
    """

    connection: Connection
    collections: Collections
    claim: Claim
    clock: Clock = time.monotonic
    wall: Clock = time.time
    _last: float = field(default=float("-inf"), init=False)

    def __call__(self) -> None:
        """To be called as often as is convenient."""
        if self.clock() - self._last < BEAT_S:
            return
        claim = self.claim.model_copy(update={"seen_s": self.wall()})
        row = file_row(claim.key, claim.model_dump_json().encode())
        self.connection.upsert(self.collections.of(FILES), [row])
        self._last = self.clock()

    def end(self) -> None:
        """Say that the writer is done."""
        withdraw(self.connection, self.collections, self.claim)


def withdraw(connection: Connection, collections: Collections, claim: Claim) -> None:
    """Delete a claim."""
    connection.delete(collections.of(FILES), f'{CHUNK_KEY} in ["{claim.key}"]')


def claims_in(connection: Connection, collections: Collections) -> list[Claim]:
    """Return the claims of a push and of what was added to it.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    """
    rows = connection.find(
        collections.of(FILES), f'{CHUNK_KEY} like "claim-%"', [DATA, CHUNK_LENGTH], limit=_MOST_CLAIMS
    )
    claims = []
    for row in rows:
        try:
            claims.append(Claim.model_validate_json(row[DATA][: row[CHUNK_LENGTH]]))
        except ValidationError:
            continue
    return claims


@contextmanager
def locked(connection: Connection, name: str, owner: str, *, wall: Clock = time.time) -> Iterator[None]:
    """Hold the lock of an index, for the moment in which its alias is switched.

    The server makes no two collections of one name, and none another one's description.

    Parameters
    ----------
    connection : Connection
    name : str
        Of the index.
    owner : str
        Not the same for any two writers.
    wall : callable () -> float

    Raises
    ------
    CatalogError
        If another writer holds it.
    """
    lock = lock_of(name)
    _break_old(connection, lock, wall())
    description = json.dumps({"owner": owner, "since_s": wall()})
    try:
        connection.create(lock, [Column("id", "INT64"), Column("none", "BINARY_VECTOR", 8)], description)
    except MilvusError as error:
        if error.away or connection.describe(lock) is None:
            raise
        raise _held(connection, name) from error
    found = connection.describe(lock)
    if found is None or found.description != description:
        raise _held(connection, name)
    try:
        yield
    finally:
        connection.drop(lock)


def _break_old(connection: Connection, lock: str, now_s: float) -> None:
    found = connection.describe(lock)
    if found is None:
        return
    try:
        since_s = float(json.loads(found.description)["since_s"])
    except (ValueError, KeyError, TypeError):
        return
    if now_s - since_s > _LOCK_S:
        connection.drop(lock)


def _held(connection: Connection, name: str) -> CatalogError:
    return CatalogError(
        f"another process is changing the index {name!r} on {connection.server} at this moment: try again"
    )
