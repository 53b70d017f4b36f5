"""The tracks of an index that music resembles, and whether it resembles any."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.descriptors import rhythm, ssd
from stream_match.descriptors.distances import ZScore, column_factors, distances, fit_z_score
from stream_match.descriptors.nearest_tracks import nearest_of
from stream_match.descriptors.segments import LEVEL_DBFS, SegmentDescriptors
from stream_match.events import SimilarTrack, Track

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

LENGTHS = {"rp": len(rhythm.COLUMNS), "ssd": len(ssd.COLUMNS)}
"""The sets that are compared, and their columns; segments are brought to one level."""

NEAR_SHARE = 0.95
"""Music resembles a track if it is as near as this share of the tracks are to their nearest neighbour."""

_SAMPLE = 256
"""Tracks whose nearest neighbours are looked for, to know how near tracks are to one another."""

_ROWS = 8192
"""Tracks compared at once: 100 MB."""


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
    rows : np.ndarray [shape=(n, 1608), dtype=float32]
        Rhythm Pattern and Statistical Spectrum Descriptor of each, as they are; may be mapped from a file.
    closeness : Closeness
    """

    tracks: tuple[Track, ...]
    rows: Float32
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
        found = weighted_distances(row, self.rows, self.closeness.scale)
        nearest = nearest_of(found, min(k, len(found)))
        if found[nearest[0]] > self.closeness.near:
            return ()
        return tuple(
            SimilarTrack(**self.tracks[place].model_dump(), distance=float(found[place])) for place in nearest
        )


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


def fit_closeness(rows: Float32) -> Closeness:
    """Return how the descriptors of a collection are spread.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, 1608), dtype=float32]
        One at least. Of more than 256, some of them, evenly chosen, are asked for their nearest neighbours.

    Raises
    ------
    ParameterError
        If there is none, or one holds NaN or infinity.
    """
    scale = fit_z_score(rows)
    asked = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).round().astype(np.int64))
    factors = np.sqrt(column_factors("weighted", rows.shape[1], LENGTHS, None))
    queries = scale(rows[asked]) * factors
    nearest = np.full(len(asked), np.inf)
    for first in range(0, len(rows), _ROWS):
        others = scale(rows[first : first + _ROWS]) * factors
        squares = (
            np.sum(queries**2, axis=1)[:, np.newaxis] + np.sum(others**2, axis=1) - 2 * queries @ others.T
        )
        own = np.flatnonzero((asked >= first) & (asked < first + len(others)))
        squares[own, asked[own] - first] = np.inf
        nearest = np.minimum(nearest, squares.min(axis=1))
    if len(rows) == 1:
        return Closeness(scale, 0.0)
    return Closeness(scale, float(np.quantile(np.sqrt(np.maximum(nearest, 0)), NEAR_SHARE)))


def weighted_distances(row: Float64, rows: Float32, scale: ZScore) -> Float64:
    """Return how far rows are from one, each set weighted as by default: see `distances`.

    Parameters
    ----------
    row : np.ndarray [shape=(1608,), dtype=float64]
    rows : np.ndarray [shape=(n, 1608), dtype=float32]
    scale : ZScore

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
    """
    scaled = scale(row)
    return np.concatenate(
        [np.empty(0)]
        + [
            distances(scaled, scale(rows[first : first + _ROWS]), "weighted", lengths=LENGTHS)
            for first in range(0, len(rows), _ROWS)
        ]
    )
