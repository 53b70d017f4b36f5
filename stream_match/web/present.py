"""What is true now, folded from the events: what a page that was just opened shows first."""

from collections import OrderedDict
from dataclasses import dataclass, field

from stream_match.events import (
    ClusterEvent,
    Event,
    GenreEvent,
    MatchEvent,
    OnsetClusterEvent,
    SoundsLikeEvent,
    StatusEvent,
)
from stream_match.web.port import Answer

MOST_KINDS = 100
"""Kinds of sounds of a source that are remembered here: those heard last. The history has all."""

MOST_MATCHES = 50
"""Matches of a source that may go on; an engine tells a handful at a time."""


@dataclass
class _Source:
    status: StatusEvent | None = None
    matches: OrderedDict[str, MatchEvent] = field(default_factory=OrderedDict)
    kinds: OrderedDict[str, OnsetClusterEvent] = field(default_factory=OrderedDict)
    sounds_like: SoundsLikeEvent | None = None
    genre: GenreEvent | None = None


class Present:
    """The last word of each source about everything.

    Attributes
    ----------
    last_id : str
        Id of the last event that is in it; empty before the first.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self._sources: dict[str, _Source] = {}

    def take(self, event: Event) -> None:
        """Take note of an event."""
        self.last_id = max(self.last_id, event.event_id)
        source = self._sources.setdefault(event.source, _Source())
        if isinstance(event, StatusEvent):
            source.status = event
        elif isinstance(event, MatchEvent):
            _take_match(source.matches, event)
        elif isinstance(event, OnsetClusterEvent):
            source.kinds.pop(event.cluster_id, None)
            source.kinds[event.cluster_id] = event
            if len(source.kinds) > MOST_KINDS:
                source.kinds.popitem(last=False)
        elif isinstance(event, ClusterEvent):
            for gone in event.from_ if event.change == "merged" else ():
                if gone != event.cluster_id:
                    source.kinds.pop(gone, None)
        elif isinstance(event, SoundsLikeEvent):
            source.sounds_like = event
        elif isinstance(event, GenreEvent):
            source.genre = event

    def told(self) -> Answer:
        """Return it all, as JSON can hold it."""
        return {
            "last_id": self.last_id,
            "sources": {
                name: {
                    "status": _dumped(source.status),
                    "matches": [_dumped(match) for match in source.matches.values()],
                    "kinds": [_dumped(kind) for kind in source.kinds.values()],
                    "sounds_like": _dumped(source.sounds_like),
                    "genre": _dumped(source.genre),
                }
                for name, source in self._sources.items()
            },
        }


def _take_match(matches: "OrderedDict[str, MatchEvent]", event: MatchEvent) -> None:
    if event.phase == "ended":
        matches.pop(event.match_id, None)
        return
    matches[event.match_id] = event
    if len(matches) > MOST_MATCHES:
        matches.popitem(last=False)


def _dumped(event: Event | None) -> Answer | None:
    return None if event is None else event.model_dump(mode="json", by_alias=True)
