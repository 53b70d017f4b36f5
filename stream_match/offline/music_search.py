"""Music search by counting: the tracks of an index, ranked by how many frames share a bucket with a file's.

A baseline. It shows what centred hyperplanes and votes for one place buy: it knows no places, and claims
nothing.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stream_match.catalog.hashing import Counted, count_file
from stream_match.catalog.lsh_counts import LshCounts, load_lsh_counts
from stream_match.errors import ParameterError, SourceError
from stream_match.events import Payload, Score, Track
from stream_match.identify import FileResult, shown_name
from stream_match.index.bucket_counts import results_by_track
from stream_match.threads import one_thread

log = logging.getLogger(__name__)

K = 10
"""Tracks that are told of a file, unless told otherwise."""


class CountEvidence(Payload):
    """What a score is made of: results of the track, and its frames with sound."""

    results: int
    frames: int


class RankedTrack(Payload):
    """A track in a ranking: a match of `identify` of which nothing is claimed, and no place is known.

    `score` are results per frame of the track. It grows with the length of the file.
    """

    track: Track
    kind: None = None
    query_s: None = None
    reference_s: None = None
    speed: None = None
    semitones: None = None
    score: Score
    confidence: None = None
    claimed: Literal[False] = False
    evidence: CountEvidence


class Ranking(FileResult):
    """The tracks that share most buckets with a file, best first.

    `results` counts pairs of a frame of the file and one of any track in one bucket, over all tables.
    """

    results: int = 0
    matches: tuple[RankedTrack, ...] = ()


@dataclass(frozen=True)
class _Searched:
    """The tracks that are looked for, and the columns of their counts."""

    part: LshCounts
    columns: list[int]
    tracks: tuple[Track, ...]


def rank_files(index: Path, paths: Iterable[str | Path], *, k: int | None = K) -> Iterator[Ranking]:
    """Rank the tracks of an index for each of some files.

    Parameters
    ----------
    index : Path
        With LSH counts: from `catalog.hash_index`.
    paths : iterable of str or Path
        Audio files.
    k : int or None, >= 1
        How many tracks are told of a file at most; None for all that have a result.

    Yields
    ------
    Ranking
        One per file, in order. A file that cannot be read, or is shorter than a frame, has an error.

    Raises
    ------
    ParameterError
        If `k` is below 1.
    CatalogError
        If the index or its LSH counts cannot be loaded.
    """
    if k is not None and k < 1:
        raise ParameterError(f"k is {k}, expected at least 1")
    searched = _searched(index)
    for path in paths:
        part = searched.part
        try:
            with one_thread():
                heard = count_file(Path(path), part.planes, part.n_tables)
        except SourceError as error:
            yield Ranking(file=shown_name(path), seconds=0.0, error=str(error))
        else:
            yield _ranked(shown_name(path), heard, searched, k)


def _searched(path: Path) -> _Searched:
    index, part = load_lsh_counts(path)
    columns, by_id = part.columns(index), {row.id: row.track for row in index.rows}
    tracks = tuple(by_id.pop(part.rows[number].id) for number in columns)
    if by_id:
        log.warning(
            "tracks of the index %r without LSH counts, which are not looked for: %d, such as %r; run "
            "stream-match index hash %s AUDIO",
            str(path),
            len(by_id),
            min(by_id),
            path,
        )
    return _Searched(part, columns, tracks)


def _ranked(name: str, heard: Counted, searched: _Searched, k: int | None) -> Ranking:
    part, columns = searched.part, searched.columns
    results = results_by_track(heard.counts, part.counts)[columns]
    frames = np.array([part.rows[number].frames for number in columns], np.int64)
    scores = results / np.maximum(frames, 1)
    # Equal scores stand in the order of the ids.
    order = [number for number in np.argsort(-scores, kind="stable").tolist() if results[number]]
    matches = tuple(
        RankedTrack(
            track=searched.tracks[number],
            score=float(scores[number]),
            evidence=CountEvidence(results=int(results[number]), frames=int(frames[number])),
        )
        for number in order[:k]
    )
    return Ranking(file=name, seconds=heard.seconds, results=int(results.sum()), matches=matches)
