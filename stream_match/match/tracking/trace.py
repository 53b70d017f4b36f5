"""What a decision saw, for who wants it explained."""

from collections.abc import Callable
from dataclasses import dataclass

from stream_match.events import MatchFacts
from stream_match.match.recording.query import Query
from stream_match.match.recording.votes import OffsetBins
from stream_match.match.tracking.lifecycle import Lane
from stream_match.match.tracking.rejection import Rejection


@dataclass(frozen=True)
class TracedCandidate:
    """How a candidate stands at a decision.

    Parameters
    ----------
    facts : MatchFacts
        As if it began to match now.
    rejection : Rejection or None
        Why it is not claimed; None if it is.
    """

    facts: MatchFacts
    rejection: Rejection | None


@dataclass(frozen=True)
class Trace:
    """What one decision saw.

    Parameters
    ----------
    lane : {"recording", "version"}
        The lane that decided.
    stream_s : float
        Stream time of the decision.
    candidates : tuple of TracedCandidate
        Best first.
    query : Query or None
        What was heard last; None in the version lane.
    proposed : OffsetBins or None
        What the votes proposed of the catalogue's own tracks; None in the version lane.
    """

    lane: Lane
    stream_s: float
    candidates: tuple[TracedCandidate, ...]
    query: Query | None = None
    proposed: OffsetBins | None = None


Observer = Callable[[Trace], None]
