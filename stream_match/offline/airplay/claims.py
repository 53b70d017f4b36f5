"""What streams called what they played, beside what was heard."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from stream_match.store.history import Airing, Moment

Place = tuple[str, str]
"""Node and source."""

LAST_FOR = timedelta(minutes=2)
"""What a source says of itself is told every minute: after the last word of it, it is true for so long."""


def by_place(moments: Iterable[Moment]) -> dict[Place, list[Moment]]:
    """Return the moments of each source, in order."""
    places: dict[Place, list[Moment]] = defaultdict(list)
    for moment in moments:
        places[moment.node, moment.source].append(moment)
    return dict(places)


class Claims:
    """What each source called what it played, found by time.

    Parameters
    ----------
    moments : mapping of Place to sequence of Moment
        What sources said of themselves.
    """

    def __init__(self, moments: Mapping[Place, Sequence[Moment]]) -> None:
        self._titles = {place: _Titles(own) for place, own in moments.items()}

    def title_of(self, airing: Airing, now: datetime) -> str | None:
        """Return what the stream called an airing for most of its time; None if it said nothing.

        Parameters
        ----------
        airing : Airing
        now : datetime
            Until when an airing lasts that goes on.
        """
        titles = self._titles.get((airing.node, airing.source))
        shares: dict[str, timedelta] = defaultdict(timedelta)
        for title, share in () if titles is None else titles.within(airing.started, airing.ended or now):
            shares[title] += share
        return max(shares, key=lambda title: shares[title], default=None)


class _Titles:
    """The titles of one source in the order of their beginnings."""

    def __init__(self, moments: Sequence[Moment]) -> None:
        said = [(moment.time, until, moment.title) for moment, until in lasting(moments) if moment.title]
        self._said = sorted(said)
        # A clock that was set back tells of the same time twice: the latest end so far is in order always.
        self._latest = list(accumulate((until for _, until, _ in self._said), max))

    def within(self, start: datetime, end: datetime) -> Iterator[tuple[str, timedelta]]:
        """Yield titles, and for how long each was true between two times."""
        for at in range(bisect_right(self._latest, start), len(self._said)):
            begin, until, title = self._said[at]
            if begin >= end:
                return
            if (share := min(until, end) - max(begin, start)) > timedelta():
                yield title, share


def lasting(moments: Sequence[Moment]) -> Iterable[tuple[Moment, datetime]]:
    """Yield each moment of a source, and until when it was true."""
    ends = [following.time for _, following in pairwise(moments)]
    for moment, end in zip(moments, [*ends, *(last.time + LAST_FOR for last in moments[-1:])], strict=True):
        # One that runs says so every minute: of more nothing is known.
        yield moment, min(end, moment.time + LAST_FOR) if moment.state == "running" else end
