"""Events on their way out: a bounded queue that knows what may be lost."""

from collections import OrderedDict, defaultdict, deque
from typing import Protocol

from stream_match.events import SOUNDS, WORTH, Event, kind_of

# About a day of one busy source at 1 kB an event: tens of megabytes at worst, and an outage
# of a night loses nothing.
CAPACITY = 10_000


class Waiting(Protocol):
    """Where the events of a sink wait: in memory (`Outbox`), or in a store that outlives the process."""

    @property
    def dropped(self) -> int:
        """How many were given up because too many waited."""

    @property
    def perishable(self) -> int:
        """How many of the waiting events would be lost with the process."""

    @property
    def sounds(self) -> int:
        """How many of those are single sounds."""

    def __len__(self) -> int:
        """Return how many wait."""

    def put(self, event: Event) -> Event | None:
        """Take an event; return the one that had to be dropped for it, if any."""

    async def fill(self) -> None:
        """Look for the next event."""

    def head(self) -> Event | None:
        """Return the event that goes out next, which stays until `pop`; None if `fill` found none."""

    def pop(self) -> None:
        """Forget the head, because it has arrived."""


class Outbox:
    """First in, first out; when full, drops the oldest event of the least worth.

    The head may be under way already, so it is never dropped. An outbox that holds nothing but
    the ends of matches grows beyond its capacity, slowly (one per airing), rather than lose one.

    Parameters
    ----------
    capacity : int, >= 2
        How many events may wait.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._serials: dict[str, deque[int]] = defaultdict(deque)  # by kind, oldest first
        self._next_serial = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> Event | None:
        """Append an event; return the one that had to be dropped for it, if any."""
        self._events[self._next_serial] = event
        self._serials[kind_of(event)].append(self._next_serial)
        self._next_serial += 1
        if len(self._events) <= self._capacity:
            return None
        return self._drop()

    @property
    def perishable(self) -> int:
        """How many of the waiting events would be lost with the process: all."""
        return len(self)

    @property
    def sounds(self) -> int:
        """How many of those are single sounds."""
        return sum(isinstance(event, SOUNDS) for event in self._events.values())

    async def fill(self) -> None:
        """Do nothing: all is here."""

    def head(self) -> Event | None:
        """Return the oldest event, which stays until `pop`."""
        return next(iter(self._events.values()), None)

    def pop(self) -> None:
        """Forget the head, because it has arrived."""
        serial, event = self._events.popitem(last=False)
        serials = self._serials[kind_of(event)]
        if serials and serials[0] == serial:
            serials.popleft()

    def _drop(self) -> Event | None:
        head = next(iter(self._events))
        for kind in WORTH:
            serials = self._serials[kind]
            if serials and serials[0] == head:
                serials.popleft()
            if serials:
                self.dropped += 1
                return self._events.pop(serials.popleft())
        return None
