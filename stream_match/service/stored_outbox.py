"""What waits for one reader: stored events in the store, sounds in memory."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from stream_match.errors import StoreError
from stream_match.events import Event
from stream_match.publish.outbox import CAPACITY, Outbox
from stream_match.publish.sparse import SparseLog
from stream_match.service.tail import Tail
from stream_match.store.rows import Row

log = logging.getLogger(__name__)

PAGE = 100
"""Events that are read from the store at once."""

RETRY_S = 5.0
"""Pause before a store that could not be read is read again."""


class StoredOutbox:
    """An outbox whose stored events stay in the store until they have arrived; as `publish.outbox.Waiting`.

    Sounds, which are not stored, wait in memory beside them. Both go out in the order of their ids.

    Parameters
    ----------
    read : coroutine function (int, int)
        Returns the first so many events behind a number.
    arrived : callable (str, int) or None
        Told under the reader's name up to which number everything has arrived.
    tail : Tail
        Has the ids of stored events that were just handed out.
    name : str or None
        Under which its place is remembered.
    capacity : int
        How many sounds may wait.

    Attributes
    ----------
    position : int
        Number up to which everything has arrived.
    """

    def __init__(
        self,
        read: Callable[[int, int], Awaitable[list[Row]]],
        arrived: Callable[[str, int], None] | None,
        tail: Tail,
        *,
        name: str | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self.name = name
        self.position = 0
        self._read = read
        self._arrived = arrived
        self._tail = tail
        self._stored = 0
        self._page: deque[Row] = deque()
        self._unstored = Outbox(capacity)
        self._head: Event | None = None
        self._complaints = SparseLog(log)

    @property
    def dropped(self) -> int:
        """How many sounds were given up because too many waited."""
        return self._unstored.dropped

    @property
    def perishable(self) -> int:
        """How many of the waiting events would be lost with the process."""
        return len(self._unstored) + self._tail.unsaved_after(self.position)

    @property
    def sounds(self) -> int:
        """How many of those are single sounds."""
        return len(self._unstored)

    def __len__(self) -> int:
        return self._stored + len(self._unstored)

    def put(self, event: Event) -> Event | None:
        """Take an event; return the one that had to be dropped for it, if any."""
        if event.event_id not in self._tail:
            return self._unstored.put(event)
        self._stored += 1
        return None

    async def fill(self) -> None:
        """Look for the next event. Waits for a store that cannot be read: what is in it comes first."""
        while not self._page:
            try:
                self._page.extend(await self._read(self.position, PAGE))
                break
            except StoreError as error:
                self._complaints.tell(error.kind, f"{error} What waits in it goes out when it can be read.")
                await asyncio.sleep(RETRY_S)
        if not self._page:
            self._stored = 0  # what retention deleted does not wait any more
        if self._head is None:
            self._head = self._next()

    def head(self) -> Event | None:
        """Return the event that goes out next, which stays until `pop`; None if `fill` found none."""
        return self._head

    def pop(self) -> None:
        """Forget the head, because it has arrived."""
        head, self._head = self._head, None
        if head is None:  # the reader was rewound: what was under way counts as not arrived
            return
        if self._page and head is self._page[0].event:
            self.position = self._page.popleft().seq
            self._stored = max(0, self._stored - 1)
            if self._arrived is not None and self.name is not None:
                self._arrived(self.name, self.position)
        else:
            self._unstored.pop()

    def rewind(self, position: int, waiting: int) -> None:
        """Go on behind another event; what is under way counts as not arrived."""
        self.position, self._stored, self._head = position, waiting, None
        self._page.clear()

    def _next(self) -> Event | None:
        unstored = self._unstored.head()
        if not self._page:
            return unstored
        stored = self._page[0].event
        return stored if unstored is None or stored.event_id < unstored.event_id else unstored
