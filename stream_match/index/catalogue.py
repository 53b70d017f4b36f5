"""The catalogue in memory: an immutable snapshot of segments, shared by everything that listens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.descriptors.similar_tracks import SimilarTracks
from stream_match.events import Track
from stream_match.index.coding import Hyperplanes
from stream_match.index.harmony import Harmony
from stream_match.index.lines import LineReader
from stream_match.index.neighbours import Codes, NeighbourIndex
from stream_match.index.port import Hits
from stream_match.index.segment import Segment
from stream_match.index.tracks import GONE, Tracks

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEIGHBOURS = 50
"""Neighbours of a code that get its vote. In deep noise the right one is seldom the nearest, but it is among
them again and again on one line: 50 for every 46 ms find what comparing everything finds, 50 for every 93 ms
do not."""

_ASKED = 1.5
"""Neighbours asked for, for each one wanted. Those as far away as the last one are left out, for which of
them an index returns is its own affair; with these, 50 remain."""

_ASKED_AGAIN = 8
"""So many times more are asked for, once, where that leaves none, for all are equally near, or where copies
of a recording or removed tracks crowd the others out: else eighty copies of a jingle would be all found."""

_LEAST_LEFT = 1 / 8
"""Of a segment of which a part was removed, as many more are asked for, up to so many times."""

_NEIGHBOURS_PER_RECORDING = 12
"""A recording with copies gets no more of a code's neighbours than this."""

_LARGEST_BUCKET_SHARE = 1 / 1024
_BUCKET = (32, 128)
"""Buckets with more than this share of their segment say little, like stop words, and are passed over; in a
small segment none up to the first size is, and in any the ones beyond the second are. It is no share of the
catalogue: keys have as many bits as the segment needs, so that buckets of two segments cannot be compared."""

_TRACK_BITS, _POSITION_BITS = 26, 26
_DISTANCE_SHIFT = _TRACK_BITS + _POSITION_BITS
"""Room for 67 million tracks, and for positions of 144 days, in the key by which neighbours are ordered."""

_BEYOND = (1 << 11) - 1
"""Distance that no code has."""


@dataclass(frozen=True)
class Part:
    """A segment as it stands in a catalogue.

    Parameters
    ----------
    segment : Segment
    named : tuple of Track
        Its tracks, in their order; none if it is a background.
    removed : frozenset of int
        Tracks, by their number in the segment, that are not in the catalogue any more.
    """

    segment: Segment
    named: tuple[Track, ...]
    removed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Searched:
    """What one index of neighbours searches: a segment, or several, their rows counted through all of them.

    Parameters
    ----------
    index : NeighbourIndex
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First row of each track, and the number of rows.
    numbers : np.ndarray [shape=(n_tracks,), dtype=int64]
        Of its tracks in the catalogue; `GONE` for those that were removed.
    left : float, in [0, 1]
        Share of its codes that belong to tracks which were not removed; 1 if none has been for certain.
    """

    index: NeighbourIndex
    starts: Int64
    numbers: Int64
    left: float


@dataclass(frozen=True)
class Catalogue:
    """A catalogue, ready to be searched; nothing of it ever changes.

    Parameters
    ----------
    settings : FeatureSettings
    planes : Hyperplanes
        That all codes were made with.
    segments : tuple of Segment
    numbers : tuple of np.ndarray [shape=(n_tracks of the segment,), dtype=int64]
        For each segment, the numbers of its tracks in `tracks`; `GONE` for those that were removed.
    tracks : Tracks
    score_bias : float, >= 0
        How much scores are too high since the tracks resemble each other: `catalog/self_similarity`.
        Above 0, poor agreement is doubted, too: `match/recording/scoring`.
    similar : SimilarTracks or None
        The tracks by what they sound like; None if they were not described.
    """

    settings: FeatureSettings
    planes: Hyperplanes
    segments: tuple[Segment, ...]
    numbers: tuple[Int64, ...]
    tracks: Tracks
    score_bias: float = 0.0
    similar: SimilarTracks | None = None

    @cached_property
    def lines(self) -> LineReader:
        """What reads codes along lines."""
        words = tuple(segment.words for segment in self.segments)
        return LineReader(words, self.tracks, self.settings)

    @cached_property
    def harmony(self) -> Harmony | None:
        """The same tracks for the version lane; None if that lane is off."""
        parts = [segment.harmony for segment in self.segments]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return Harmony(self.settings, known, self.numbers, len(self.tracks.named), self.tracks.groups)

    def audible(self, track: int) -> Bools:
        """Return which positions of a track are of sound and not of silence."""
        segment, rows = self._place(track)
        return segment.audible[rows]

    def codes(self, track: int) -> Codes:
        """Return the codes of a track [shape=(n, n_bits // 8), dtype=uint8]."""
        segment, rows = self._place(track)
        return segment.codes[rows]

    def chroma_codes(self, track: int) -> tuple[Int64, Codes]:
        """Return the positions of a track that are in the LSH tables, ascending, and their chroma codes.

        Returns
        -------
        positions : np.ndarray [shape=(m,), dtype=int64]
        codes : np.ndarray [shape=(m, chroma_bits // 8), dtype=uint8]
        """
        segment, rows = self._place(track)
        at = slice(*np.searchsorted(segment.hashed, [rows.start, rows.stop]).tolist())
        return segment.hashed[at].astype(np.int64) - rows.start, segment.chroma_codes[at]

    def _place(self, track: int) -> tuple[Segment, slice]:
        """Return the segment of a track, and its rows there."""
        first = int(self.tracks.first[track])
        rows = slice(first, first + int(self.tracks.length[track]))
        return self.segments[int(self.tracks.segment[track])], rows

    def propose(self, codes: Codes, chroma_codes: Codes) -> tuple[Hits, Hits]:
        """Ask both voters.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
            For the nearest codes of the spectral shape.
        chroma_codes : np.ndarray [shape=(m, chroma_bits // 8), dtype=uint8]
            For the codes in one bucket of the LSH tables with them.

        Returns
        -------
        tuple of Hits
            Of the neighbours and of the buckets.
        """
        return self._nearest(codes), self._in_one_bucket(chroma_codes)

    def _nearest(self, codes: Codes) -> Hits:
        """Return the nearest neighbours of each code: as many, and in the same order, as any index would."""
        asked = math.ceil(NEIGHBOURS * _ASKED)
        rows, keys, short = self._neighbours(codes, asked)
        if len(short):
            stays = ~np.isin(rows, short)
            others, more, _ = self._neighbours(codes[short], asked * _ASKED_AGAIN)
            rows, keys = np.append(rows[stays], short[others]), np.append(keys[stays], more)
            order = np.argsort(rows, kind="stable")
            rows, keys = rows[order], keys[order]
        agreement = 1 - 2 * (keys >> _DISTANCE_SHIFT) / self.settings.n_bits
        position = keys & ((1 << _POSITION_BITS) - 1)
        return Hits(rows, _track_of(keys), position, np.maximum(agreement, 0).astype(np.float32))

    def _neighbours(self, codes: Codes, asked: int) -> tuple[Int64, Int64, Int64]:
        """Return the neighbours of each code, nearest first, and the codes that may have more.

        Returns
        -------
        rows, keys : np.ndarray [shape=(n_neighbours,), dtype=int64]
            The code of each, ascending, and its key.
        short : np.ndarray [shape=(n_short,), dtype=int64]
            Codes of which too few remain: the rest is equally near, or belongs to copies or removed tracks.
        """
        from stream_match.index.search_kernels import nearest  # when matching begins, not when this is loaded

        keys, limit, crowded = self._ordered_neighbours(codes, asked)
        return nearest(
            keys,
            limit,
            _DISTANCE_SHIFT,
            _POSITION_BITS,
            _TRACK_BITS,
            self.tracks.recordings,
            self.tracks.copies,
            crowded,
            _NEIGHBOURS_PER_RECORDING,
            NEIGHBOURS,
        )

    @cached_property
    def _left(self) -> tuple[float, ...]:
        """Share of each segment's codes that belong to tracks which were not removed."""
        lengths = [np.diff(segment.starts) for segment in self.segments]
        return tuple(
            float(length[numbers != GONE].sum() / max(1, length.sum()))
            for length, numbers in zip(lengths, self.numbers, strict=True)
        )

    @cached_property
    def searched(self) -> tuple[Searched, ...]:
        """The indexes of neighbours that are asked about each code: one for each segment."""
        each = zip(self.segments, self.numbers, self._left, strict=True)
        return tuple(
            Searched(segment.neighbours, segment.starts, numbers, left) for segment, numbers, left in each
        )

    def _ordered_neighbours(self, codes: Codes, k: int) -> tuple[Int64, Int64, Bools]:
        """Return the neighbours of each code in one key each, by distance, track and position.

        Returns
        -------
        keys : np.ndarray [shape=(n, n_keys), dtype=int64]
            Ascending; the distance is `_BEYOND` where there is none.
        limit : np.ndarray [shape=(n,), dtype=int64]
            Distance of the k-th of all: those strictly nearer are known completely, those as near are not.
        crowded : np.ndarray [shape=(n,), dtype=bool]
            Where some of what was found belongs to tracks that were removed.
        """
        found: list[Int64] = []
        limit = np.full(len(codes), _BEYOND, np.int64)
        crowded = np.zeros(len(codes), np.bool_)
        for one in self.searched:
            if one.left == 0:
                continue
            n_rows = int(one.starts[-1])
            asked = min(math.ceil(k / max(one.left, _LEAST_LEFT)), n_rows)
            distances, rows = one.index.search(codes, asked)
            far = np.where(rows >= 0, distances.astype(np.int64), _BEYOND)
            if asked < n_rows:
                limit = np.minimum(limit, far[:, -1])
            rows = np.clip(rows, 0, n_rows - 1)  # what a damaged file names leads nowhere else
            within = np.searchsorted(one.starts, rows, side="right") - 1
            track = one.numbers[within]
            if one.left < 1:
                far[track == GONE] = _BEYOND
                crowded |= (track == GONE).any(axis=1)
                track = np.maximum(track, 0)
            position = rows - one.starts[within]
            found.append((far << _DISTANCE_SHIFT) | (track << _POSITION_BITS) | position)
        none = np.empty((len(codes), 0), np.int64)
        keys = np.sort(found[0] if len(found) == 1 else np.concatenate([none, *found], axis=1), axis=1)
        if keys.shape[1] > k:
            limit = np.minimum(limit, keys[:, k - 1] >> _DISTANCE_SHIFT)
        return keys, limit, crowded

    def _in_one_bucket(self, codes: Codes) -> Hits:
        """Return what is in one bucket with each code; one hit per table and row."""
        hits: list[Hits] = []
        for segment, numbers, left in zip(self.segments, self.numbers, self._left, strict=True):
            row, found = segment.lsh.lookup(codes, largest_bucket=self._largest_bucket(segment))
            found = np.minimum(found, len(segment) - 1)
            within = segment.track_of(found)
            track = numbers[within]
            position = found - segment.starts[within]
            if left < 1:
                kept = track != GONE
                row, track, position = row[kept], track[kept], position[kept]
            hits.append(Hits(row, track, position, np.ones(len(row), np.float32)))
        return hits[0] if len(hits) == 1 else Hits.joined(hits)

    @staticmethod
    def _largest_bucket(segment: Segment) -> int:
        least, most = _BUCKET
        return min(max(least, int(len(segment.chroma_codes) * _LARGEST_BUCKET_SHARE)), most)


def catalogue_of(
    parts: Sequence[Part], planes: Hyperplanes, settings: FeatureSettings, *, score_bias: float = 0.0
) -> Catalogue:
    """Make a catalogue of segments.

    Parameters
    ----------
    parts : sequence of Part
        Those that have names first, then those of a background.
    planes : Hyperplanes
    settings : FeatureSettings
    score_bias : float
    """
    named: list[Track] = []
    numbers, segments, firsts, lengths = [], [], [], []
    count = 0
    for number, part in enumerate(parts):
        kept = np.ones(part.segment.n_tracks, np.bool_)
        kept[sorted(part.removed)] = False
        numbers.append(np.where(kept, count + np.cumsum(kept) - 1, GONE))
        count += int(kept.sum())
        named += [track for track, stays in zip(part.named, kept, strict=False) if stays]
        segments.append(np.full(kept.sum(), number, np.int64))
        firsts.append(part.segment.starts[:-1][kept])
        lengths.append(np.diff(part.segment.starts)[kept])
    none = np.empty(0, np.int64)
    tracks = Tracks(
        tuple(named),
        np.concatenate([none, *segments]),
        np.concatenate([none, *firsts]),
        np.concatenate([none, *lengths]),
    )
    return Catalogue(
        settings, planes, tuple(part.segment for part in parts), tuple(numbers), tracks, score_bias
    )


def grouped(catalogue: Catalogue, groups: Int64 | None) -> Catalogue:
    """Return a catalogue of which it is known which tracks hold the same recording.

    Parameters
    ----------
    catalogue : Catalogue
    groups : np.ndarray [shape=(n_all,), dtype=int64] or None
        As in `Tracks`.
    """
    return replace(catalogue, tracks=replace(catalogue.tracks, groups=groups))


def _track_of(keys: Int64) -> Int64:
    """Return the tracks that keys name."""
    return (keys >> _POSITION_BITS) & ((1 << _TRACK_BITS) - 1)
