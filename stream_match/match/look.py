"""What a decision saw, for who wants it explained; nobody need watch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stream_match.events import MatchFacts
from stream_match.match.recording.query import Query
from stream_match.match.recording.votes import OffsetBins

Objection = Literal[
    "score", "both ways", "known", "version", "explained", "past", "elsewhere", "faint", "behind", "sounding"
]
"""Why a candidate is not claimed.

- ``score``: its score is below the threshold.
- ``both ways``: it reads backwards as well, as a steady tone does.
- ``known``: a match that goes on has its track, or the same recording under another name.
- ``version``: a version of its track sounds, and it agrees less than the recording itself would.
- ``explained``: a match that goes on resembles it so much that it explains the agreement.
- ``past``: it agrees with what was heard, but not with the newest of it.
- ``elsewhere``: other places of its track, which sound different, agree nearly as well.
- ``faint``: a version that stands out of poor rivals, and agrees poorly itself.
- ``behind``: a version, and another piece agrees better.
- ``sounding``: a version, and one sounds already.
"""


@dataclass(frozen=True)
class Standing:
    """How a candidate stands at a decision.

    Parameters
    ----------
    facts : MatchFacts
        As if it began to match now.
    objection : Objection or None
        Why it is not claimed; None if it is.
    """

    facts: MatchFacts
    objection: Objection | None


@dataclass(frozen=True)
class Look:
    """What one decision saw.

    Parameters
    ----------
    kind : {"recording", "version"}
        The lane that decided.
    stream_s : float
        Stream time of the decision.
    standings : tuple of Standing
        Of the candidates, best first.
    query : Query or None
        What was heard last; None in the version lane.
    proposed : OffsetBins or None
        What the votes proposed of the catalogue's own tracks; None in the version lane.
    """

    kind: Literal["recording", "version"]
    stream_s: float
    standings: tuple[Standing, ...]
    query: Query | None = None
    proposed: OffsetBins | None = None


Observer = Callable[[Look], None]
