"""A segment: some tracks, coded and indexed, that never change.

A row is the number of a code, counted through the tracks of the segment; track ``i`` of it has the rows
``starts[i]`` to ``starts[i + 1] - 1``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.index.coding import HASHED_STRIDE, TrackCodes
from stream_match.index.harmony import HarmonySegment
from stream_match.index.lsh import LshTables, build_lsh
from stream_match.index.neighbours import Codes, NeighbourIndex

Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

LSH_TABLES = 3

LSH_KEY_BITS = (8, 24)
"""Fewest and most bits of a bucket's number. Between them there are about as many buckets as codes, as far as
the keys of all tables find room in a code: with 64 bits and three tables, keys have 21 bits at most."""


@dataclass(frozen=True)
class Segment:
    """Some tracks of a catalogue.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First row of each track, and the number of rows.
    words : np.ndarray [shape=(n, n_bits // 64), dtype=uint64]
        Codes of the spectral shape, by row; may be mapped from a file.
    audible : np.ndarray [shape=(n,), dtype=bool]
        Of each row; silence is not in the LSH tables, and its codes agree with nothing.
    chroma_codes : np.ndarray [shape=(m, chroma_bits // 8), dtype=uint8]
        Chroma codes of the rows in `hashed`.
    neighbours : NeighbourIndex
        Over the codes of the spectral shape.
    lsh : LshTables
        Over the chroma codes; its entries are rows.
    harmony : HarmonySegment, optional
        The same tracks for the version lane.
    """

    starts: Int64
    words: Words
    audible: Bools
    chroma_codes: Codes
    neighbours: NeighbourIndex
    lsh: LshTables
    harmony: HarmonySegment | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.words)

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return len(self.starts) - 1

    @property
    def codes(self) -> Codes:
        """Codes of the spectral shape as bytes [shape=(n, n_bits // 8), dtype=uint8]; a view."""
        return self.words.view(np.uint8)

    @cached_property
    def hashed(self) -> npt.NDArray[np.uint32]:
        """Rows that are in the LSH tables, ascending [dtype=uint32]."""
        return hashed_rows(self.audible, self.starts)

    def track_of(self, rows: Int64) -> Int64:
        """Return the track, by its number in the segment, that each row belongs to."""
        return np.searchsorted(self.starts, rows, side="right") - 1


def lsh_key_bits(n_hashed: int, chroma_bits: int) -> int:
    """Return how many bits a key should have, so that a bucket holds about one row.

    Parameters
    ----------
    n_hashed : int, >= 0
    chroma_bits : int
        Length of a chroma code, of which each table takes its own bits.

    Returns
    -------
    int, in `LSH_KEY_BITS`
    """
    least, most = LSH_KEY_BITS
    wanted = min(max(round(math.log2(max(1, n_hashed))), least), most)
    return min(wanted, chroma_bits // LSH_TABLES)


def hashed_rows(audible: Bools, starts: Int64) -> npt.NDArray[np.uint32]:
    """Return the rows that are in the LSH tables: one in `HASHED_STRIDE` of each track, if audible.

    Parameters
    ----------
    audible : np.ndarray [shape=(n,), dtype=bool]
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
    """
    rows = np.flatnonzero(audible)
    within = rows - starts[np.searchsorted(starts, rows, side="right") - 1]
    hashed: npt.NDArray[np.uint32] = rows[within % HASHED_STRIDE == 0].astype(np.uint32)
    return hashed


def build_segment(
    tracks_codes: Sequence[TrackCodes], settings: FeatureSettings, harmony: HarmonySegment | None = None
) -> Segment:
    """Index the codes of tracks; equal codes give equal segments.

    Parameters
    ----------
    tracks_codes : sequence of TrackCodes
    settings : FeatureSettings
    harmony : HarmonySegment, optional
        Of the same tracks.
    """
    from stream_match.index.faiss_index import build_faiss

    starts = np.cumsum([0, *(len(track.codes) for track in tracks_codes)], dtype=np.int64)
    codes = np.concatenate([np.empty((0, settings.n_bits // 8), np.uint8), *(t.codes for t in tracks_codes)])
    audible = np.concatenate([np.empty(0, np.bool_), *(t.audible for t in tracks_codes)])
    none = np.empty((0, settings.chroma_bits // 8), np.uint8)
    chroma_codes = np.concatenate([none, *(t.chroma_codes[t.audible[::HASHED_STRIDE]] for t in tracks_codes)])
    key_bits = lsh_key_bits(len(chroma_codes), settings.chroma_bits)
    return Segment(
        starts=starts,
        words=codes.view(np.uint64),
        audible=audible,
        chroma_codes=chroma_codes,
        neighbours=build_faiss(codes),
        lsh=build_lsh(chroma_codes, hashed_rows(audible, starts), n_tables=LSH_TABLES, key_bits=key_bits),
        harmony=harmony,
    )
