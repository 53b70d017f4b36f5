"""An airing as JSON, as cells of a table, and as a line for a person."""

from typing import Any

from stream_match.events import Track
from stream_match.offline.airplay.cells import local, safe, utc
from stream_match.store.history import Airing

COLUMNS = (
    "node", "source", "started_utc", "started_local", "ended_utc", "ended_local", "seconds", "track_id",
    "title", "artist", "album", "kind", "confidence", "false_alarms_per_hour", "stream_title", "reason",
    "name",
)  # fmt: skip


def airing_fields(airing: Airing, title: str | None) -> dict[str, Any]:
    """Return what JSON says of an airing, with what the stream called it."""
    return {
        "node": airing.node,
        "source": airing.source,
        "track": airing.track.model_dump(),
        "kind": airing.kind,
        "started": utc(airing.started),
        "ended": utc(airing.ended) or None,
        "seconds": airing.seconds,
        "confidence": airing.confidence,
        "false_alarms_per_hour": airing.false_alarms_per_hour,
        "stream_title": title,
        "reason": airing.reason,
        "name": airing.name,
    }


def airing_cells(airing: Airing, title: str | None) -> list[object]:
    """Return the values of `COLUMNS`."""
    times = [shown for at in (airing.started, airing.ended) for shown in (utc(at), local(at))]
    return [
        airing.node, airing.source, *times, airing.seconds, *named(airing.track), airing.kind,
        airing.confidence, airing.false_alarms_per_hour, safe(title), safe(airing.reason),
        safe(airing.name),
    ]  # fmt: skip


def airing_line(airing: Airing, title: str | None) -> str:
    """Return a line for a person."""
    sure = f"{min(99, round(100 * airing.confidence))} %"  # certainty is never claimed
    remarks = [*([f"called {airing.name}"] if airing.name else []), sure]
    remarks += ["another version"] if airing.kind == "version" else []
    remarks += [f"the stream says: {title}"] if title else []
    remarks += ["goes on"] if airing.ended is None else []
    remarks += [airing.reason] if airing.reason else []
    return (
        f"{local(airing.started)}  {clocked(airing.seconds):>7}  {airing.source}  {name_of(airing.track)}"
        f"   ({'; '.join(remarks)})"
    )


def named(track: Track) -> list[str]:
    """Return the cells of a track: id, title, artist, album."""
    return [safe(text) for text in (track.id, track.title, track.artist, track.album)]


def name_of(track: Track) -> str:
    """Return what a person calls a track."""
    return " – ".join(filter(None, (track.title or track.id, track.artist)))


def clocked(seconds: float) -> str:
    """Return a length as minutes and seconds, from an hour on with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
