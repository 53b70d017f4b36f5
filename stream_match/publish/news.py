"""What of the events is news to a person."""

from collections.abc import Hashable

from stream_match.events import (
    ClusterEvent,
    Event,
    GenreEvent,
    MatchEvent,
    OnsetClusterEvent,
    OnsetEvent,
    SoundsLikeEvent,
    StatusEvent,
)
from stream_match.publish.bounded import Bounded

RETURN_S = 10.0
"""A kind of sound that was not heard for so long is news again."""

REMEMBERED = 10_000
"""Kinds, sounds, matches and sources that are remembered, each; more come only from what never repeats."""


class News:
    """Knows what a person watching has seen, and what of the rest is news."""

    def __init__(self) -> None:
        self._said: Bounded[Hashable, Hashable] = Bounded(REMEMBERED)  # by node, source and type
        self._heard_s: Bounded[Hashable, float] = Bounded(REMEMBERED)  # by node, source and kind
        self._announced: Bounded[Hashable, None] = Bounded(REMEMBERED)  # by node, source and sound
        self._playing: Bounded[Hashable, None] = Bounded(REMEMBERED)  # by node, source and match

    def is_news(self, event: Event) -> bool:
        """Say whether to show an event, and take it as seen.

        Updates of a match that was shown are no news, nor is a status that says what the last one of its
        source said: one that just runs says so every minute, and one that is away at each attempt. A cluster
        that was created shows in its first sound. A sound that was announced is shown once, when it is
        announced. Any other is news when it is the first of its kind, when its kind comes back after
        `RETURN_S`, and when it makes a round number; who wants every one reads the events. Of unknown music,
        the nearest track and the genre are news when they are others than the last time.

        Parameters
        ----------
        event : Event
            Any, in the order of arrival.
        """
        if isinstance(event, MatchEvent):
            return self._is_new_match(event)
        if isinstance(event, StatusEvent):
            return self._is_new_state(event)
        if isinstance(event, OnsetEvent):
            self._announced[(event.node, event.source, event.onset_id)] = None
            return True
        if isinstance(event, OnsetClusterEvent):
            return self._is_new_sound(event)
        if isinstance(event, SoundsLikeEvent):
            return self._is_new_saying(event, tuple(track.id for track in event.tracks[:1]))
        if isinstance(event, GenreEvent):
            return self._is_new_saying(event, event.genre)
        return not (isinstance(event, ClusterEvent) and event.change == "created")

    def _is_new_match(self, match: MatchEvent) -> bool:
        key = (match.node, match.source, match.match_id)
        shown = key in self._playing
        if match.phase == "ended":
            self._playing.pop(key, None)
        else:
            self._playing[key] = None
        return match.phase != "updated" or not shown

    def _is_new_state(self, status: StatusEvent) -> bool:
        return self._is_new_saying(status, (status.state, status.reason))

    def _is_new_saying(self, event: Event, said: Hashable) -> bool:
        kind = (event.node, event.source, event.type)
        known = self._said.get(kind) == said
        self._said[kind] = said
        return not known

    def _is_new_sound(self, sound: OnsetClusterEvent) -> bool:
        kind = (sound.node, sound.source, sound.cluster_id)
        before_s = self._heard_s.get(kind)
        self._heard_s[kind] = sound.onset_s
        announced = (sound.node, sound.source, sound.onset_id)
        if announced in self._announced:
            del self._announced[announced]
            return False
        # Stream time goes back when a listener is started anew.
        back = before_s is None or not 0 <= sound.onset_s - before_s < RETURN_S
        return back or str(sound.cluster_size).rstrip("0") in ("1", "2", "5")
