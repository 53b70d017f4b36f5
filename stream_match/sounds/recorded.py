"""Sounds that a listener has told: read back from its lines of JSON."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.errors import SourceError
from stream_match.events import OnsetClusterEvent, from_json

Times = npt.NDArray[np.datetime64]

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Recorded:
    """What a file of events tells of sounds; of each, its time alone is held.

    Parameters
    ----------
    clusters : dict of (str, str) to np.ndarray [shape=(n_sounds,), dtype=datetime64[us]]
        By source and cluster, the times of its sounds in the order of the file [UTC]. Clusters with the most
        sounds come first.
    skipped : int
        Lines that are no event.
    """

    clusters: dict[tuple[str, str], Times]
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
            found = _read(lines)
    except OSError as error:
        raise SourceError(f"the events {str(path)!r} cannot be read: {error.strerror}") from error
    if not found.clusters:
        raise SourceError(
            f"{str(path)!r} holds no onset_cluster event; record some with listen --sink jsonl:PATH"
        )
    return found


def _read(lines: Iterable[str]) -> Recorded:
    clusters: dict[tuple[str, str], array[int]] = {}
    skipped = 0
    for line in lines:
        try:
            event = from_json(line)
        except ValueError:
            skipped += bool(line.strip())
            continue
        if isinstance(event, OnsetClusterEvent):
            times = clusters.setdefault((event.source, event.cluster_id), array("q"))
            time = event.time if event.time.tzinfo is not None else event.time.replace(tzinfo=UTC)
            times.append((time - _EPOCH) // _MICROSECOND)
    largest_first = sorted(clusters.items(), key=lambda item: -len(item[1]))
    return Recorded({key: np.array(times, "datetime64[us]") for key, times in largest_first}, skipped)
