"""Events to publish, made from few words."""

from datetime import UTC, datetime, timedelta

from stream_match.events import (
    ClusterEvent,
    Evidence,
    GenreEvent,
    MatchEvent,
    OnsetClusterEvent,
    OnsetEvent,
    SimilarTrack,
    SoundsLikeEvent,
    StatusEvent,
    Track,
)

BEGIN = datetime(2026, 1, 2, 20, 15, tzinfo=UTC)


def match(number, phase="started", *, match_id="m1", source="kitchen", node="attic", **changes):
    """A match event; events with the same number have the same id."""
    fields = {
        "event_id": f"e{number:06}",
        "node": node,
        "source": source,
        "time": BEGIN + timedelta(seconds=number),
        "stream_s": float(number),
        "phase": phase,
        "event_type": f"match_{phase}",
        "match_id": match_id,
        "started_s": 0.0,
        "track": Track(id="a/b", title="Title", artist="Artist"),
        "reference_s": 83.0,
        "score": 12.0,
        "confidence": 0.97,
        "false_alarms_per_hour": 0.01,
        "evidence": Evidence(faiss_votes=9, lsh_votes=7, similarity=0.8, coverage=0.9),
    }
    return MatchEvent(**(fields | changes))


def status(number, state="running", *, source="kitchen", node="attic", **changes):
    """A status event; events with the same number have the same id."""
    fields = {
        "event_id": f"e{number:06}",
        "node": node,
        "source": source,
        "time": BEGIN + timedelta(seconds=number),
        "stream_s": float(number),
        "state": state,
    }
    return StatusEvent(**(fields | changes))


def sound(number, *, cluster_id="RUN-3", source="kitchen", node="attic", **changes):
    """An event of a sound and its kind; events with the same number have the same id."""
    fields = {
        **_said(number, source, node),
        "onset_id": f"o{number}",
        "onset_s": float(number),
        "strength": 9.5,
        "cluster_id": cluster_id,
        "cluster_size": 4,
        "distance": 0.1,
        "doubt": 0.02,
        "new_cluster": False,
        "features": {"level_db": -0.5},
    }
    return OnsetClusterEvent(**(fields | changes))


def onset(number, *, source="kitchen", node="attic", **changes):
    """An event of a sound that has just begun."""
    fields = {
        **_said(number, source, node),
        "onset_id": f"o{number}",
        "onset_s": float(number),
        "strength": 9.5,
    }
    return OnsetEvent(**(fields | changes))


def cluster(number, change="created", *, source="kitchen", node="attic", **changes):
    """An event of a kind of sounds that has changed."""
    fields = {
        **_said(number, source, node),
        "event_type": f"cluster_{change}",
        "change": change,
        "cluster_id": "RUN-3",
        "cluster_size": 4,
    }
    return ClusterEvent(**(fields | changes))


def sounds_like(number, *ids, source="kitchen", node="attic", **changes):
    """An event of unknown music that resembles tracks."""
    tracks = [SimilarTrack(id=name, distance=0.5 + place) for place, name in enumerate(ids or ("a/b", "c"))]
    fields = {**_said(number, source, node), "heard_s": max(0.0, number - 30.0), "tracks": tracks}
    return SoundsLikeEvent(**(fields | changes))


def genre(number, *, source="kitchen", node="attic", **changes):
    """An event of a guess at a genre."""
    fields = {
        **_said(number, source, node),
        "heard_s": max(0.0, number - 30.0),
        "genre": "disco",
        "probability": 0.71,
        "runner_up": "pop",
    }
    return GenreEvent(**(fields | changes))


def _said(number, source, node):
    return {
        "event_id": f"e{number:06}",
        "node": node,
        "source": source,
        "time": BEGIN + timedelta(seconds=number),
        "stream_s": float(number),
    }
