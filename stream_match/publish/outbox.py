"""Events on their way out: a bounded queue that knows what may be lost."""

from collections import OrderedDict, defaultdict, deque

from stream_match.events import Event, MatchEvent

# About a day of one busy source at 1 kB an event: tens of megabytes at worst, and an outage
# of a night loses nothing.
CAPACITY = 10_000

# What is given up first. Of sounds there are many and the next one comes; an update is repeated by the next
# one, and so is what unknown music is like; a state is told again as the retained one, a beginning can be
# read from its end. An end is in no rank: it is never dropped.
_RANKS = ("onset", "onset_cluster", "updated", "genre", "sounds_like", "status", "cluster", "started")


def _rank(event: Event) -> str:
    return event.phase if isinstance(event, MatchEvent) else event.type


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
        self._serials: dict[str, deque[int]] = defaultdict(deque)  # by rank, oldest first
        self._next_serial = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> Event | None:
        """Append an event; return the one that had to be dropped for it, if any."""
        self._events[self._next_serial] = event
        self._serials[_rank(event)].append(self._next_serial)
        self._next_serial += 1
        if len(self._events) <= self._capacity:
            return None
        return self._drop()

    def head(self) -> Event | None:
        """Return the oldest event, which stays until `pop`."""
        return next(iter(self._events.values()), None)

    def pop(self) -> None:
        """Forget the head, because it has arrived."""
        serial, event = self._events.popitem(last=False)
        serials = self._serials[_rank(event)]
        if serials and serials[0] == serial:
            serials.popleft()

    def _drop(self) -> Event | None:
        head = next(iter(self._events))
        for rank in _RANKS:
            serials = self._serials[rank]
            if serials and serials[0] == head:
                serials.popleft()
            if serials:
                self.dropped += 1
                return self._events.pop(serials.popleft())
        return None
