"""Why candidates are not claimed, what a decision saw of them, and the best that were never claimed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from stream_match.events import MatchFacts
from stream_match.index.tracks import GONE, Numbers, renumbered
from stream_match.match import tuning
from stream_match.match.recording.query import Query
from stream_match.match.recording.votes import OffsetBins
from stream_match.match.tracking.lifecycle import Lane

Rejection = Literal[
    "score", "both ways", "known", "version", "explained", "past", "elsewhere", "faint", "behind", "sounding"
]


REASONS: dict[Rejection, str] = {
    "score": "Its score is below the threshold.",
    "both ways": "It agrees backwards as well, as a steady tone does.",
    "known": "A match that goes on has its track, or the same recording under another name.",
    "version": "A version of its track sounds, and it agrees less than the recording would.",
    "explained": "A match that goes on resembles it, and explains the agreement.",
    "past": "It agrees with what was heard, but not with the newest audio.",
    "elsewhere": "Other places of its track, which sound different, agree nearly as well.",
    "faint": "A version whose background scores are low, and which agrees poorly itself.",
    "behind": "A version, and another piece agrees better.",
    "sounding": "A version, and one sounds already.",
}
"""What each means, in general."""


@dataclass(frozen=True)
class TracedCandidate:
    """A candidate as a decision saw it, and why it is not claimed; None if it is."""

    track_id: str
    score: float
    rejection: Rejection | None
    describe: Callable[[], MatchFacts]  # as if it began to match now; costly, and holds all that was heard

    @property
    def facts(self) -> MatchFacts:
        """What `describe` returns."""
        return self.describe()


@dataclass(frozen=True)
class Trace:
    """What one decision of a lane saw."""

    lane: Lane
    stream_s: float
    candidates: tuple[TracedCandidate, ...]  # best first
    query: Query | None = None  # what was heard last; none in the version lane
    proposed: OffsetBins | None = None  # by the votes, of the catalogue's own tracks


Observer = Callable[[Trace], None]


class Unclaimed:
    """Keeps the best candidate of each track, until the track is claimed."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[float, float, MatchFacts]] = {}
        self._claimed: set[int] = set()

    def claim(self, tracks: Iterable[int]) -> None:
        """Forget tracks for good."""
        self._claimed.update(tracks)
        for track in self._claimed & self._kept.keys():
            del self._kept[track]

    def offer(self, track: int, score: float, rank_score: float, describe: Callable[[], MatchFacts]) -> None:
        """Keep the best score of a track, and how the candidate of the best rank score is described."""
        if track in self._claimed:
            return
        best, rank, facts = self._kept.get(track, (score, rank_score, None))
        if facts is None or rank_score > rank:
            rank, facts = rank_score, describe()
        self._kept[track] = max(best, score), rank, facts
        if len(self._kept) > tuning.REMEMBERED:
            del self._kept[min(self._kept, key=lambda one: self._kept[one][0])]

    def renumber(self, numbers: Numbers) -> None:
        """Go on with other numbers of tracks."""
        self._kept = renumbered(self._kept, numbers)
        self._claimed = {int(numbers[track]) for track in self._claimed if numbers[track] != GONE}

    def best_first(self) -> list[MatchFacts]:
        """Return what is kept, best first."""
        ranked = sorted(self._kept.values(), key=lambda kept: -kept[0])
        return [MatchFacts(**dict(facts) | {"score": score}) for score, _, facts in ranked]
