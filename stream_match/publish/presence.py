"""Which nodes are there; the ends that a killed one cannot tell, told in its place.

A node that is killed leaves a retained status that says `running` and a track that seems to play. The broker
knows better: it tells the node's last will, `offline`. A reader puts the two together here.
"""

from collections.abc import Iterable, Set

from stream_match.events import ENDED_STATES, Event, MatchEvent, StatusEvent
from stream_match.publish.bounded import Bounded
from stream_match.publish.topics import OFFLINE, STOPPED

OFFLINE_S = 2.0
"""A node is taken as gone when it is offline for so long. One whose connection broke is back within a second
or two; one that was started again corrects the late last will of its earlier run at once."""

REMEMBERED = 2000
"""Nodes, sources and matches that are remembered, each: memory is bounded whatever a broker sends."""

_GONE = (OFFLINE.encode(), STOPPED.encode())  # what one that stopped told, a reader may have missed
_GOING_ON = ("running", "stalled")  # in any other state a source has ended its matches

_Match = tuple[str, str, str]  # node, source, id


class Presence:
    """Follows nodes, sources and matches, and ends what its node cannot end any more.

    The events made here repeat the last word of a match or a source: its time, its place, and its id with
    ``-ended`` or ``-stopped`` behind it. So every reader who heard the same makes the same.
    """

    def __init__(self) -> None:
        self._offline: Bounded[str, float] = Bounded(REMEMBERED)  # node: since when [monotonic seconds]
        self._states: Bounded[tuple[str, str], StatusEvent] = Bounded(REMEMBERED)  # of unended sources
        self._open: Bounded[_Match, MatchEvent] = Bounded(REMEMBERED)
        self._recalled: Bounded[_Match, None] = Bounded(REMEMBERED)  # of the open ones: retained, never heard
        self._ended: Bounded[_Match, None] = Bounded(REMEMBERED)
        self._stopped_here: Bounded[str, str] = Bounded(REMEMBERED)  # id of a status: its node

    def look_away(self) -> None:
        """Forget which nodes are offline, because the connection broke; the broker tells it again."""
        self._offline.clear()

    def node_said(self, node: str, payload: bytes, now: float) -> list[str]:
        """Take note of a node's own status.

        Parameters
        ----------
        node : str
            Its name.
        payload : bytes
            ``online``, ``stopped`` or ``offline``.
        now : float [seconds]
            A monotonic clock.

        Returns
        -------
        list of str
            Ids of events that will come again and are news then: states of a node that is back.
        """
        if payload in _GONE:
            if node not in self._offline:
                self._offline[node] = now
            return []
        self._offline.pop(node, None)
        back = [event_id for event_id, owner in self._stopped_here.items() if owner == node]
        for event_id in back:
            del self._stopped_here[event_id]
        return back

    def hear(self, event: Event, *, retained: bool = False) -> list[Event]:
        """Return what is to be told because of an event: ends that it implies, then the event itself.

        The end of a match that was told already is left out.

        Parameters
        ----------
        event : Event
            Any.
        retained : bool
            Whether the broker had kept it. If not, its node is alive.
        """
        if not retained:
            self._offline.pop(event.node, None)
        if isinstance(event, StatusEvent):
            return self._hear_state(event, retained=retained)
        if isinstance(event, MatchEvent):
            return self._hear_match(event)
        return [event]

    def recall(self, event: MatchEvent) -> None:
        """Take note of what a retained topic says is playing."""
        key = _key(event)
        if event.phase != "ended" and key not in self._ended and key not in self._open:
            self._open[key] = event
            self._recalled[key] = None

    def due(self, now: float) -> list[Event]:
        """Return the ends that nodes which have been offline for `OFFLINE_S` did not tell."""
        gone = {node for node, since in self._offline.items() if now - since >= OFFLINE_S}
        if not gone:
            return []
        return [
            *self._end_matches(match for match in self._open.values() if match.node in gone),
            *self._stop_sources(gone),
        ]

    def _hear_state(self, status: StatusEvent, *, retained: bool) -> list[Event]:
        place = status.node, status.source
        if status.state in ENDED_STATES:
            self._states.pop(place, None)
        else:
            self._states[place] = status
        if status.state in _GOING_ON:
            return [status]
        # What began after this state does not end with it. Events come in order; of retained ones ids tell,
        # which sort by time. A node that came back without a clock has earlier ids than it had before.
        earlier = (
            match
            for key, match in self._open.items()
            if (match.node, match.source) == place
            and (match.event_id < status.event_id or not (retained or key in self._recalled))
        )
        return [*self._end_matches(earlier), status]

    def _hear_match(self, match: MatchEvent) -> list[Event]:
        key = _key(match)
        self._recalled.pop(key, None)
        if match.phase != "ended":
            self._ended.pop(key, None)
            self._open[key] = match
            return [match]
        self._open.pop(key, None)
        told_before = key in self._ended
        self._ended[key] = None
        return [] if told_before else [match]

    def _end_matches(self, matches: Iterable[MatchEvent]) -> list[Event]:
        ends = [_end_of(match) for match in matches]
        return [told for end in ends for told in self._hear_match(end)]

    def _stop_sources(self, nodes: Set[str]) -> list[Event]:
        gone = [status for status in self._states.values() if status.node in nodes]
        for status in gone:
            del self._states[status.node, status.source]
            self._stopped_here[status.event_id] = status.node
        return [_stop_of(status) for status in gone]


def _key(match: MatchEvent) -> _Match:
    return match.node, match.source, match.match_id


def _end_of(match: MatchEvent) -> MatchEvent:
    return match.model_copy(
        update={
            "event_id": f"{match.event_id}-ended",
            "phase": "ended",
            "event_type": "match_ended",
            "ended_s": match.stream_s,
            "reason": "its listener did not tell the end: stopped, killed, or its connection broke",
        }
    )


def _stop_of(status: StatusEvent) -> StatusEvent:
    return status.model_copy(
        update={
            "event_id": f"{status.event_id}-stopped",
            "state": "stopped",
            "reason": f"the node {status.node} is offline: stopped, killed, or its connection broke",
            "attempt": 0,
            "level_dbfs": None,
            "stream_metadata": {},
        }
    )
