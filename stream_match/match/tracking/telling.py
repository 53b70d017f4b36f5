"""Which matches are told: none that is too short, and none of a track that has only just ended."""

from collections.abc import Iterable, Mapping

from stream_match.config import MatchSettings
from stream_match.events import MatchFacts


class Telling:
    """Passes on what is told of matches, and holds back what the settings do not want.

    A match is held back until it has lasted for `min_seconds`. The next word of it is then told as its
    beginning. A match that begins within `cooldown_seconds` of the last end of its track is never told. What
    is passed on depends on the facts alone, not on the blocks in which the audio came, and no match ends
    that was not told.

    Parameters
    ----------
    settings : MatchSettings
        Has `min_seconds` and `cooldown_seconds`.
    """

    def __init__(self, settings: MatchSettings) -> None:
        self._min_s = settings.min_seconds
        self._cooldown_s = settings.cooldown_seconds
        self._held: set[str] = set()  # ids of matches that are too short as yet
        self._silent: set[str] = set()  # ids of matches that are never told
        self._ended_s: dict[str, float] = {}  # by track

    def rest(self, ended_s: Mapping[str, float]) -> None:
        """Learn when tracks ended that were told before."""
        self._ended_s |= ended_s

    def told(self, found: Iterable[MatchFacts]) -> list[MatchFacts]:
        """Return what is told of what was found, in its order.

        Parameters
        ----------
        found : iterable of MatchFacts
            Of all matches, each from its beginning to its end.
        """
        return [facts for one in found for facts in self._of(one)]

    def _of(self, facts: MatchFacts) -> list[MatchFacts]:
        if facts.phase == "started":
            self._classify(facts)
        known = facts.match_id
        if known in self._silent:
            if facts.phase == "ended":
                self._silent.remove(known)
            return []
        if known not in self._held:
            return self._passed(facts)
        if _length_s(facts) < self._min_s:
            if facts.phase == "ended":
                self._held.remove(known)
            return []
        self._held.remove(known)
        beginning = facts.model_copy(update={"phase": "started", "ended_s": None})
        return [beginning, *self._passed(facts)] if facts.phase == "ended" else [beginning]

    def _classify(self, facts: MatchFacts) -> None:
        ended_s = self._ended_s.get(facts.track.id)
        if ended_s is not None and facts.started_s - ended_s < self._cooldown_s:
            self._silent.add(facts.match_id)
        elif self._min_s:
            self._held.add(facts.match_id)

    def _passed(self, facts: MatchFacts) -> list[MatchFacts]:
        if self._cooldown_s and facts.ended_s is not None:
            self._ended_s[facts.track.id] = facts.ended_s
        return [facts]


def _length_s(facts: MatchFacts) -> float:
    """Return how long a match has lasted, by what is known now [seconds]."""
    return (facts.stream_s if facts.ended_s is None else facts.ended_s) - facts.started_s
