"""The ends that a killed process could not tell, told by the next one."""

from collections.abc import Callable, Iterable, Sequence

from stream_match.events import Event, MatchEvent, StatusEvent
from stream_match.service.stamp import utc
from stream_match.store.rows import HeardUntil

REASON = "the listener was killed or lost its power; this is its last word"


def ends(
    matches: Sequence[MatchEvent],
    states: Iterable[StatusEvent],
    heard: HeardUntil,
    ids: Callable[[], str],
) -> list[Event]:
    """Return the ends of what an earlier process left open.

    Parameters
    ----------
    matches : sequence of MatchEvent
        The last word of each match that has started and not ended.
    states : iterable of StatusEvent
        The last state of each source that has not ended.
    heard : HeardUntil
        How far that process has heard its sources; what it heard in its last seconds may be missing.
    ids : callable () -> str
        Makes ids.

    Returns
    -------
    list of Event
        For each match an ``ended``, then for each source a ``stopped``. They have ids of their own and a
        reason. A match ends with its last word, because nobody knows more; a source with the last that is
        known to have been heard of it.
    """
    told = [_end_of(match, ids()) for match in matches]
    return [*told, *(_heard_to_its_end(_stop_of(state, told, ids()), heard) for state in states)]


def _end_of(match: MatchEvent, event_id: str) -> MatchEvent:
    return match.model_copy(
        update={
            "event_id": event_id,
            "phase": "ended",
            "event_type": "match_ended",
            "ended_s": match.stream_s,
            "reason": REASON,
        }
    )


def _stop_of(state: StatusEvent, ended: Iterable[MatchEvent], event_id: str) -> StatusEvent:
    own = [match for match in ended if (match.node, match.source) == (state.node, state.source)]
    return state.model_copy(
        update={
            "event_id": event_id,
            "time": max([state.time, *(match.time for match in own)]),
            "stream_s": max([state.stream_s, *(match.stream_s for match in own)]),
            "state": "stopped",
            "reason": REASON,
            "attempt": 0,
            "level_dbfs": None,
            "stream_metadata": {},
        }
    )


def _heard_to_its_end(stop: StatusEvent, heard: HeardUntil) -> StatusEvent:
    """Return the end of a source that was heard for longer than its last word says."""
    time, stream_s = heard.get((stop.node, stop.source), (0.0, 0.0))
    if time <= stop.time.timestamp():
        return stop
    return stop.model_copy(update={"time": utc(time), "stream_s": stream_s, "last_audio_at": utc(time)})
