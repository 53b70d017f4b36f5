"""What streams called what they played, beside what was heard."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

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


def claimed_title(airing: Airing, moments: Mapping[Place, Sequence[Moment]], now: datetime) -> str | None:
    """Return what the stream called it for most of the time that it sounded; None if it said nothing.

    Parameters
    ----------
    airing : Airing
    moments : mapping of Place to sequence of Moment
        What sources said of themselves.
    now : datetime
        Until when an airing lasts that goes on.
    """
    own = moments.get((airing.node, airing.source), ())
    end = airing.ended or now
    shares: dict[str, timedelta] = defaultdict(timedelta)
    for moment, until in lasting(own):
        if moment.title is not None:
            shares[moment.title] += min(until, end) - max(moment.time, airing.started)
    best = max(shares.items(), key=lambda share: share[1], default=None)
    return best[0] if best is not None and best[1] > timedelta() else None


def lasting(moments: Sequence[Moment]) -> Iterable[tuple[Moment, datetime]]:
    """Yield each moment of a source, and until when it was true."""
    ends = [following.time for _, following in pairwise(moments)]
    for moment, end in zip(moments, [*ends, *(last.time + LAST_FOR for last in moments[-1:])], strict=True):
        # One that runs says so every minute: of more nothing is known.
        yield moment, min(end, moment.time + LAST_FOR) if moment.state == "running" else end
