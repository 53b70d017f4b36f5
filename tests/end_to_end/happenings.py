"""What events say: picked, compared, checked."""

import pytest

BY_CHANCE = {
    "event_id", "match_id", "onset_id", "cluster_id", "from_", "time", "node", "source", "source_name",
    "last_audio_at",
}  # fmt: skip
"""Fields that differ from run to run, or say who heard it."""

TOLERANCE_S = 0.001


def matches(events, source=None, phase=None):
    return [
        event
        for event in events
        if event.type == "match" and source in (None, event.source) and phase in (None, event.phase)
    ]


def states(events, source=None):
    return [event.state for event in events if event.type == "status" and source in (None, event.source)]


def ids(events):
    return [event.event_id for event in events]


def as_told(event):
    """The payload without what differs from run to run."""
    return event.model_dump_json(by_alias=True, exclude=BY_CHANCE)


def check_alike(events, others):
    """Check that two lists of match events say the same, as exactly as two decoders agree."""
    assert [(e.phase, e.track, e.kind) for e in events] == [(e.phase, e.track, e.kind) for e in others]
    for name in ("started_s", "ended_s", "reference_s"):
        expected = [getattr(event, name) for event in others]
        assert [getattr(event, name) for event in events] == pytest.approx(expected, abs=TOLERANCE_S)


def check_ended(events):
    """Check that every match that started ended, and every source with them."""
    for source in {event.source for event in events}:
        started = [event.match_id for event in matches(events, source, "started")]
        ended = [event.match_id for event in matches(events, source, "ended")]
        assert sorted(started) == sorted(ended)
        assert len(set(started)) == len(started)
        assert states(events, source)[-1] in ("stopped", "failed")
