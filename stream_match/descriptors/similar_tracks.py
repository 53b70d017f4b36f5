"""The tracks of an index that music resembles, and whether it resembles any."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.descriptors import rhythm, ssd
from stream_match.descriptors.distances import ZScore, column_factors, distances, fit_z_score_to_parts
from stream_match.descriptors.nearest_tracks import nearest_of
from stream_match.descriptors.segments import LEVEL_DBFS, SegmentDescriptors
from stream_match.events import SimilarTrack, Track

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LENGTHS = {"rp": len(rhythm.COLUMNS), "ssd": len(ssd.COLUMNS)}
"""The sets that are compared, and their columns; segments are brought to one level."""

_WIDTH = sum(LENGTHS.values())

NEAR_SHARE = 0.95
"""Music resembles a track if it is as near as this share of the tracks are to their nearest neighbour."""

_SAMPLE = 256
"""Tracks whose nearest neighbours are looked for, to know how near tracks are to one another."""

_ROWS = 1024
"""Tracks compared at once: 13 MB."""


@dataclass(frozen=True)
class Closeness:
    """How the descriptors of a collection are spread, as far as it is needed to say what is near.

    Parameters
    ----------
    scale : ZScore
        Of all columns, those of `LENGTHS` one set after the other.
    near : float
        Distance beyond which nothing resembles a track.
    """

    scale: ZScore
    near: float


@dataclass(frozen=True)
class SimilarTracks:
    """Tracks by what they sound like.

    Parameters
    ----------
    tracks : tuple of Track
    sets : mapping of str to np.ndarray [shape=(m, n_columns), dtype=float32]
        Values of the sets of `LENGTHS`, as they are; may be mapped from files. A row of NaN tells that its
        track is too short.
    rows : np.ndarray [shape=(n_tracks,), dtype=int64]
        The row of each track in all of these.
    closeness : Closeness
    """

    tracks: tuple[Track, ...]
    sets: Mapping[str, Float32]
    rows: Int64
    closeness: Closeness

    def nearest(self, row: Float64, k: int) -> tuple[SimilarTrack, ...]:
        """Return the tracks that music resembles, nearest first.

        Parameters
        ----------
        row : np.ndarray [shape=(1608,), dtype=float64]
            Its descriptors, as they are.
        k : int, >= 1
            How many at most.

        Returns
        -------
        tuple of SimilarTrack
            Empty if it is farther from all of them than they are from one another.
        """
        if not self.tracks:
            return ()
        found = np.concatenate([self._distances(row, part) for part in parts(self.sets, self.rows)])
        nearest = [place for place in nearest_of(found, k) if np.isfinite(found[place])]
        if not nearest or found[nearest[0]] > self.closeness.near:
            return ()
        return tuple(
            SimilarTrack(**self.tracks[place].model_dump(), distance=float(found[place])) for place in nearest
        )

    def _distances(self, row: Float64, part: Float32) -> Float64:
        scale, known = self.closeness.scale, np.isfinite(part).all(axis=1)
        found = np.full(len(part), np.inf)
        if known.any():
            found[known] = distances(scale(row), scale(part[known]), "weighted", lengths=LENGTHS)
        return found


def parts(sets: Mapping[str, Float32], rows: Int64) -> Iterator[Float32]:
    """Yield the values of the sets of `LENGTHS` side by side, of some tracks at a time.

    Parameters
    ----------
    sets : mapping of str to np.ndarray [shape=(m, n_columns), dtype=float32]
    rows : np.ndarray [shape=(n,), dtype=int64]
    """
    for first in range(0, len(rows), _ROWS):
        some = rows[first : first + _ROWS]
        yield np.concatenate([sets[name][some] for name in LENGTHS], axis=1)


def levelled_row(y: Float32, sr: int) -> Float64:
    """Return what is compared of music, whatever its level.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono samples, 6.0 s at least.
    sr : int [Hz]

    Returns
    -------
    np.ndarray [shape=(1608,), dtype=float64]

    Raises
    ------
    ParameterError
        As `SegmentDescriptors`.
    """
    segments = SegmentDescriptors(sr, level_dbfs=LEVEL_DBFS)
    segments.feed(y)
    return np.concatenate([segments.rhythm_pattern(), segments.spectrum_descriptor()])


def fit_closeness(sets: Mapping[str, Float32], rows: Int64) -> Closeness:
    """Return how the descriptors of a collection are spread.

    Parameters
    ----------
    sets : mapping of str to np.ndarray [shape=(m, n_columns), dtype=float32]
        Values of the sets of `LENGTHS`.
    rows : np.ndarray [shape=(n,), dtype=int64]
        Those of the tracks. Without any, nothing is near; of more than 256, some of them, evenly chosen, are
        asked for their nearest neighbours.

    Raises
    ------
    ParameterError
        If a value is NaN or infinite.
    """
    if not len(rows):
        return Closeness(ZScore(np.zeros(_WIDTH), np.zeros(_WIDTH)), 0.0)
    scale = fit_z_score_to_parts(parts(sets, rows))
    asked = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).round().astype(np.int64))
    factors = np.sqrt(column_factors("weighted", _WIDTH, LENGTHS, None))
    queries = np.concatenate([scale(part) for part in parts(sets, rows[asked])]) * factors
    nearest, first = np.full(len(asked), np.inf), 0
    for part in parts(sets, rows):
        others = scale(part) * factors
        lengths = np.sum(queries**2, axis=1)[:, np.newaxis] + np.sum(others**2, axis=1)
        squares = lengths - 2 * queries @ others.T
        own = np.flatnonzero((asked >= first) & (asked < first + len(others)))
        squares[own, asked[own] - first] = np.inf
        nearest, first = np.minimum(nearest, squares.min(axis=1)), first + len(others)
    if len(rows) == 1:
        return Closeness(scale, 0.0)
    return Closeness(scale, float(np.quantile(np.sqrt(np.maximum(nearest, 0)), NEAR_SHARE)))
