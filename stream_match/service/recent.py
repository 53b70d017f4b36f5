"""Which tracks have ended lately, from one engine of a source to the next."""

from typing import Protocol, runtime_checkable

from stream_match.events import Facts, MatchFacts

MOST_TRACKS = 1000
"""Of which an end is known; of more, the oldest are forgotten."""


@runtime_checkable
class Resting(Protocol):
    """An engine that does not tell a track again too soon; `stream_match.engine.Engine` is one."""

    def rest(self, ended_s: dict[str, float]) -> None:
        """Learn when tracks last ended, on the engine's own time: before 0."""


class RecentEnds:
    """Ends of tracks by stream time, as they were told."""

    def __init__(self) -> None:
        self._ended_s: dict[str, float] = {}

    def note(self, told: list[Facts]) -> None:
        """Take note of ends among what is told."""
        for facts in told:
            if isinstance(facts, MatchFacts) and facts.ended_s is not None:
                self._ended_s.pop(facts.track.id, None)
                self._ended_s[facts.track.id] = facts.ended_s
        while len(self._ended_s) > MOST_TRACKS:
            del self._ended_s[next(iter(self._ended_s))]

    def give(self, engine: object, begun_s: float) -> None:
        """Tell a new engine, whose own time begins at this stream time."""
        if isinstance(engine, Resting):
            engine.rest({track: ended_s - begun_s for track, ended_s in self._ended_s.items()})
