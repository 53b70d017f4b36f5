"""The port to the place where leases stand: keys and values with revisions, written by compare-and-set."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from stream_match.errors import StreamMatchError


class FleetError(StreamMatchError):
    """The bucket does not answer, or refuses to work; it is tried again.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ConflictError(Exception):
    """Somebody else has written the key since the revision that was expected."""


@dataclass(frozen=True)
class Entry:
    """The last write of a key.

    Attributes
    ----------
    key
        What was written.
    value
        None: it was deleted.
    revision
        Number of the write; each later write of the bucket has a greater one.
    """

    key: str
    value: bytes | None
    revision: int


class Bucket(Protocol):
    """Keys and values.

    Every method raises `FleetError` if there is no answer in time. Then nobody knows whether it was done.
    """

    async def put(self, key: str, value: bytes, last: int) -> int:
        """Write a key if its last revision is `last` (0: it is not there); return the new revision.

        Raises
        ------
        ConflictError
            If it has another revision.
        """

    async def delete(self, key: str, last: int) -> None:
        """Delete a key if its last revision is `last`.

        Raises
        ------
        ConflictError
            If it has another revision.
        """

    async def get(self, key: str) -> Entry | None:
        """Return the last write of a key; None if there is none."""

    def watch(self) -> AsyncIterator[Entry | None]:
        """Yield the last write of every key, then None, then each write as it comes."""

    async def until_lost(self) -> NoReturn:
        """Wait until the connection has broken; raise `FleetError` then."""
