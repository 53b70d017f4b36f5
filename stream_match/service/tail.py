"""The last stored events, in memory: those that are not written yet, and some that are."""

from collections import OrderedDict
from itertools import islice, takewhile

from stream_match.events import WORTH, kind_of
from stream_match.publish.outbox import CAPACITY
from stream_match.store.rows import Row

RECENT = 1000
"""Written events that stay, for readers who have kept up and for a store that begins anew."""

UNSAVED = CAPACITY
"""Events that wait for a store that cannot be written. Of more, the least worth are never stored."""

_WORTH = {kind: rank for rank, kind in enumerate(WORTH)}


class Tail:
    """Rows in the order of their numbers; the first of them directly follows what is in the store only.

    Parameters
    ----------
    recent, unsaved : int
        How many written, and unwritten, rows are kept.

    Attributes
    ----------
    begin : int
        Number of the last row that is in the store only.
    """

    def __init__(self, recent: int = RECENT, unsaved: int = UNSAVED) -> None:
        self.begin = 0
        self._recent = recent
        self._most_unsaved = unsaved
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._unsaved: OrderedDict[int, Row] = OrderedDict()
        self._seqs: dict[str, int] = {}  # by event id

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._seqs

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        return list(self._rows.values())

    @property
    def unsaved(self) -> int:
        """How many rows are not written."""
        return len(self._unsaved)

    def unsaved_after(self, seq: int) -> int:
        """Return how many rows behind a number are not written."""
        return sum(number > seq for number in self._unsaved)

    def add(self, row: Row) -> Row | None:
        """Append an unwritten row; return the one that had to be given up for it, if any."""
        self._rows[row.seq] = self._unsaved[row.seq] = row
        self._seqs[row.event.event_id] = row.seq
        return self._least_given_up() if len(self._unsaved) > self._most_unsaved else None

    def portion(self, most: int) -> list[Row]:
        """Return the first unwritten rows."""
        return list(islice(self._unsaved.values(), most))

    def saved(self, rows: list[Row], handed: int) -> None:
        """Take note that rows are written; forget old ones that were handed out, up to `handed`."""
        for row in rows:
            self._unsaved.pop(row.seq, None)
        while len(self._rows) > self._recent:
            seq, row = next(iter(self._rows.items()))
            if seq > handed or seq in self._unsaved:
                return
            self._forget(row)
            self.begin = seq

    def write_again(self) -> None:
        """Take all rows for unwritten: the store is a new one."""
        self._unsaved = OrderedDict(self._rows)

    def after(self, seq: int, limit: int, *, up_to: int) -> list[Row]:
        """Return the first rows behind a number."""
        newer = list(takewhile(lambda row: row.seq > seq, reversed(self._rows.values())))
        return list(islice((row for row in reversed(newer) if row.seq <= up_to), limit))

    def place_of(self, event_id: str) -> int | None:
        """Return the number of the last row up to an id; None if all of them came later."""
        return max((seq for known, seq in self._seqs.items() if known <= event_id), default=None)

    def _least_given_up(self) -> Row | None:
        ranked = ((_WORTH.get(kind_of(row.event)), seq) for seq, row in self._unsaved.items())
        least = min(((rank, seq) for rank, seq in ranked if rank is not None), default=None)
        if least is None:  # ends of matches only: they come slowly, and are worth the room
            return None
        row = self._unsaved.pop(least[1])
        self._forget(row)
        return row

    def _forget(self, row: Row) -> None:
        del self._rows[row.seq]
        self._seqs.pop(row.event.event_id, None)
