"""Sounds that a listener has told: read back from its lines of JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stream_match.errors import SourceError
from stream_match.events import OnsetClusterEvent, from_json


@dataclass(frozen=True)
class Recorded:
    """What a file of events tells of sounds.

    Parameters
    ----------
    sounds : tuple of OnsetClusterEvent
        In the order of the file.
    skipped : int
        Lines that are no event.
    """

    sounds: tuple[OnsetClusterEvent, ...]
    skipped: int


def read_events(path: str | Path) -> Recorded:
    """Read the `onset_cluster` events of a file that the sink ``jsonl:PATH`` has written.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    SourceError
        If it cannot be read, or has none.
    """
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            found = _sounds(lines)
    except OSError as error:
        raise SourceError(f"the events {str(path)!r} cannot be read: {error.strerror}") from error
    if not found.sounds:
        raise SourceError(
            f"{str(path)!r} holds no onset_cluster event; record some with listen --sink jsonl:PATH"
        )
    return found


def by_cluster(
    sounds: Iterable[OnsetClusterEvent],
) -> dict[tuple[str, str], list[OnsetClusterEvent]]:
    """Return sounds by source and cluster, clusters with the most sounds first.

    Parameters
    ----------
    sounds : iterable of OnsetClusterEvent
    """
    clusters: dict[tuple[str, str], list[OnsetClusterEvent]] = {}
    for event in sounds:
        clusters.setdefault((event.source, event.cluster_id), []).append(event)
    return dict(sorted(clusters.items(), key=lambda item: -len(item[1])))


def _sounds(lines: Iterable[str]) -> Recorded:
    sounds, skipped = [], 0
    for line in lines:
        try:
            event = from_json(line)
        except ValueError:
            skipped += bool(line.strip())
            continue
        if isinstance(event, OnsetClusterEvent):
            sounds.append(event)
    return Recorded(tuple(sounds), skipped)
