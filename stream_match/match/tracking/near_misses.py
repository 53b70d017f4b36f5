"""What nearly matched of late, and why it was not claimed: for who asks while it is listened."""

from dataclasses import dataclass

from stream_match.events import MatchFacts
from stream_match.match.tracking.lifecycle import Lane
from stream_match.match.tracking.trace import REASONS, Rejection, Trace

WINDOW_S = 60.0
"""How long a candidate is remembered [seconds]. Who asks has just heard what was not found."""

REMEMBERED = 32
"""Candidates that are kept, one per track and lane. A decision names six, and most of them time and again."""


@dataclass(frozen=True)
class NearMiss:
    """A candidate when its score was highest, and why it was not claimed then.

    Attributes
    ----------
    lane : str
        ``recording`` or ``version``.
    stream_s : float [seconds]
        Stream time of the decision.
    score : float
    facts : MatchFacts
        As if it had begun to match then.
    rejection : str
        The reason, a key of `trace.REASONS`.
    """

    lane: Lane
    stream_s: float
    score: float
    facts: MatchFacts
    rejection: Rejection

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        return REASONS[self.rejection]


class NearMisses:
    """An `Observer` that keeps the best candidates of the last minute that were not claimed.

    What is claimed is forgotten at once. The tracks of a match that goes on are rejected as ``known``: they
    are no misses.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Lane, str], NearMiss] = {}
        self._now_s = 0.0

    def __call__(self, trace: Trace) -> None:
        """Take note of a decision."""
        self._now_s = trace.stream_s
        for traced in trace.candidates:
            key = (trace.lane, traced.track_id)
            if traced.rejection is None or traced.rejection == "known":
                self._kept.pop(key, None)
                continue
            before = self._kept.get(key)
            if before is None or self._is_old(before) or traced.score >= before.score:
                self._kept[key] = NearMiss(
                    trace.lane, trace.stream_s, traced.score, traced.facts, traced.rejection
                )
        if len(self._kept) > REMEMBERED:
            self._forget()

    def best_first(self) -> list[NearMiss]:
        """Return what is kept of the last minute, best score first."""
        recent = (miss for miss in self._kept.values() if not self._is_old(miss))
        return sorted(recent, key=lambda miss: -miss.score)

    def _is_old(self, miss: NearMiss) -> bool:
        return self._now_s - miss.stream_s > WINDOW_S

    def _forget(self) -> None:
        """Forget the old ones; of the others, those of the lowest score."""
        best = sorted(self._kept.items(), key=lambda one: (self._is_old(one[1]), -one[1].score))
        self._kept = dict(best[:REMEMBERED])
