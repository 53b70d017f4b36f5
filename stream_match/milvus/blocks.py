"""Blocks of a segment whose rows are on a server: those that were fetched are at hand until room is short."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_match.milvus.layout import BLOCK
from stream_match.milvus.sparse import SparseRows

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

RECENT_S = 10.0
"""Blocks that were asked for so lately stay, whatever the bound: somebody may be reading them."""

_FREED = 1 / 8
"""Share of the bound that is freed when it is reached, so that this is seldom."""

_TICKS_PER_S = 10

Fetch = Callable[[list[int]], Mapping[int, bytes]]
"""Returns the blocks of some keys; raises a NotAtHandError if it cannot have all of them now."""


class Shape(Protocol):
    """How the rows of a block lie in its bytes, and in arrays."""

    def arrays(self, n_rows: int) -> tuple[SparseRows, ...]:
        """Return arrays for so many rows, all empty."""

    def columns(self, blocks: Bytes) -> tuple[Bytes, ...]:
        """Return what belongs into each array, as bytes [shape=(n_blocks, BLOCK, row_bytes)]."""


class TrackBlocks:
    """The rows of a segment in blocks of tracks: block ``j`` of a track has its rows ``64 * j`` and on.

    Rows are those of the segment, counted through its tracks; on the server each track begins with a block of
    its own. Used by several threads.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First row of each track, and the number of rows.
    at : np.ndarray [shape=(n_tracks,), dtype=int64]
        Where each track begins on the server, a multiple of `BLOCK`; -1 if it is not there.
    shape : Shape
    most_bytes : int
        Bound on what is kept; exceeded only by what is asked for at one time.
    clock : callable () -> float
        Monotonic seconds.

    Attributes
    ----------
    arrays : tuple of SparseRows
        What was fetched; anything else in them is zero, or was fetched once.
    first : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First block of each track, and the number of blocks.
    """

    def __init__(
        self,
        starts: Int64,
        at: Int64,
        shape: Shape,
        *,
        most_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from stream_match.milvus import block_kernels  # when an index is opened, not when this is loaded

        self._kernels = block_kernels
        self.arrays = shape.arrays(int(starts[-1]))
        self.first: Int64 = np.cumsum([0, *(-(-np.diff(starts) // BLOCK)).tolist()], dtype=np.int64)
        self.most_bytes = most_bytes
        self._starts = starts
        self._keys = at // BLOCK
        self._shape = shape
        self._clock = clock
        self._began = clock()
        # When each block was asked for last; 0 if it is not at hand.
        self._asked = SparseRows(int(self.first[-1]), 1, np.uint32).array[:, 0]
        self._held = 0
        self._in_use = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes of the blocks that are at hand."""
        return self._held * self._block_bytes

    @property
    def _block_bytes(self) -> int:
        return BLOCK * sum(one.array.strides[0] for one in self.arrays)

    def missing(self, tracks: "TrackBounds", number: int, wanted: "Stretch") -> Int64:
        """Take note that stretches are about to be read; return the blocks that are not at hand, each once.

        Parameters
        ----------
        tracks : TrackBounds
            Of the catalogue.
        number : int
            Of this segment there.
        wanted : Stretch
            Of tracks of any segment.
        """
        with self._in_use:
            found = self._kernels.missing_blocks(
                self._asked,
                self._now(),
                number,
                *(tracks.segment, tracks.first_block, tracks.length),
                *(wanted.track, wanted.lowest, wanted.highest),
            )
        return np.unique(found)

    def keys(self, blocks: Int64) -> Int64:
        """Return the keys of blocks on the server [shape=(n,), dtype=int64]."""
        track = self._track_of(blocks)
        return self._keys[track] + blocks - self.first[track]

    def fill(self, blocks: Int64, contents: Bytes) -> None:
        """Keep blocks that were fetched.

        Parameters
        ----------
        blocks : np.ndarray [shape=(n,), dtype=int64]
            Each once.
        contents : np.ndarray [shape=(n, n_bytes), dtype=uint8]
        """
        begin, beyond = self._rows(blocks)
        rows = begin[:, np.newaxis] + np.arange(BLOCK)
        inside = rows < beyond[:, np.newaxis]
        with self._in_use:
            for one, column in zip(self.arrays, self._shape.columns(contents), strict=True):
                one.array.view(np.uint8)[rows[inside]] = column[inside]
            self._held += int(np.count_nonzero(self._asked[blocks] == 0))
            self._asked[blocks] = self._now()
            if self.held_bytes > self.most_bytes:
                self._make_room()

    def _make_room(self) -> None:
        """Forget the blocks that were not asked for the longest."""
        held = np.flatnonzero(self._asked)
        asked = self._asked[held]
        keep = int((1 - _FREED) * self.most_bytes / self._block_bytes)
        oldest = held[np.argsort(asked, kind="stable")[: max(0, len(held) - keep)]]
        recent = max(0, self._now() - round(RECENT_S * _TICKS_PER_S))
        gone = np.sort(oldest[self._asked[oldest] < recent])
        self._asked[gone] = 0
        self._held -= len(gone)
        for one in self.arrays:
            one.forget(self._empty(one, one.pages_of(*self._rows(gone))))

    def _empty(self, one: SparseRows, pages: Int64) -> Int64:
        """Return the pages in which no block that is at hand has a part."""
        first, last = (self.block_at(rows) for rows in one.rows_in(pages))
        still = [self._asked[low : high + 1].any() for low, high in zip(first, last, strict=True)]
        return pages[~np.array(still, np.bool_)]

    def _now(self) -> int:
        return 1 + int((self._clock() - self._began) * _TICKS_PER_S)

    def _track_of(self, blocks: Int64) -> Int64:
        return np.searchsorted(self.first, blocks, side="right") - 1

    def block_at(self, rows: Int64) -> Int64:
        """Return the block that each row lies in."""
        track = np.searchsorted(self._starts, rows, side="right") - 1
        block: Int64 = self.first[track] + (rows - self._starts[track]) // BLOCK
        return block

    def _rows(self, blocks: Int64) -> tuple[Int64, Int64]:
        """Return the first row of each block, and the one beyond its last."""
        track = self._track_of(blocks)
        begin = self._starts[track] + BLOCK * (blocks - self.first[track])
        return begin, np.minimum(begin + BLOCK, self._starts[track + 1])


@dataclass(frozen=True)
class Stretch:
    """Tracks and what is read of them; the arrays have one entry for each.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
        Numbers in the catalogue.
    lowest, highest : np.ndarray [shape=(n,), dtype=int64]
        First and last place; what lies outside the track is left out.
    """

    track: Int64
    lowest: Int64
    highest: Int64


@dataclass(frozen=True)
class TrackBounds:
    """Where the tracks of a catalogue stand; the arrays have one entry for each.

    Parameters
    ----------
    segment, first_block, length : np.ndarray [shape=(n_tracks,), dtype=int64]
        Its segment, the first of its blocks there, and how many rows it has.
    """

    segment: Int64
    first_block: Int64
    length: Int64


class Holdings:
    """The blocks of all segments of a catalogue, fetched in one request.

    Parameters
    ----------
    segments : sequence of TrackBlocks or None
        None for a segment that is here.
    segment, first, length : np.ndarray [shape=(n_tracks,), dtype=int64]
        For each track of the catalogue its segment, its first row there, and how many it has.
    fetch : Fetch
    """

    def __init__(
        self,
        segments: "Iterable[TrackBlocks | None]",
        segment: Int64,
        first: Int64,
        length: Int64,
        fetch: Fetch,
    ) -> None:
        self._segments = {number: blocks for number, blocks in enumerate(segments) if blocks is not None}
        first_block = np.full(len(segment), -1, np.int64)
        for number, blocks in self._segments.items():
            own = np.flatnonzero(segment == number)
            first_block[own] = blocks.block_at(first[own])
        self._tracks = TrackBounds(segment, first_block, length)
        self._fetch = fetch

    def whole(self, tracks: Iterable[int]) -> None:
        """Have all of some tracks at hand.

        Raises
        ------
        NotAtHandError
            If they cannot be had now.
        """
        track = np.fromiter(tracks, np.int64)
        self.have(Stretch(track, np.zeros(len(track), np.int64), self._tracks.length[track] - 1))

    def have(self, wanted: Stretch) -> None:
        """Have stretches of tracks at hand.

        Raises
        ------
        NotAtHandError
            If they cannot be had now.
        """
        missing = {
            number: blocks
            for number, segment in self._segments.items()
            if len(blocks := segment.missing(self._tracks, number, wanted))
        }
        if missing:
            self._have_fetched(missing)

    def _have_fetched(self, missing: Mapping[int, Int64]) -> None:
        keys = {number: self._segments[number].keys(blocks).tolist() for number, blocks in missing.items()}
        found = self._fetch([key for own in keys.values() for key in own])
        for number, blocks in missing.items():
            contents = b"".join(found[key] for key in keys[number])
            self._segments[number].fill(blocks, np.frombuffer(contents, np.uint8).reshape(len(blocks), -1))
