"""Tracks read from an index on a Milvus server, as they were coded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stream_match.catalog.coded_tracks import CodedTrack
from stream_match.milvus.connection import Connection
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    DATA,
    STEP_BLOCK_BYTES,
    STEPS,
    BlockShape,
    Bytes,
    unpack_steps,
)
from stream_match.milvus.placed import Placed, PlacedSegment
from stream_match.milvus.tables import Leaving
from stream_match.milvus.writer import digest_of

_BLOCKS_AT_ONCE = 1000
"""Blocks in one request: 2 MB."""


@dataclass(frozen=True)
class StoredTrack:
    """The blocks of a track, as they are on the server.

    Parameters
    ----------
    segment : PlacedSegment
    number : int
        Of the track there.
    blocks, steps : np.ndarray [shape=(n_rows, n_bytes), dtype=uint8]
        Those that are there.
    """

    segment: PlacedSegment
    number: int
    blocks: Bytes
    steps: Bytes

    @property
    def place(self) -> Leaving:
        """Where its rows are."""
        return self.segment.rows_of(self.number)

    @property
    def whole(self) -> bool:
        """Whether it is as it was written."""
        expected: bytes = self.segment.digests[self.number].tobytes()
        return digest_of(self.blocks, self.steps) == expected

    def coded(self, shape: BlockShape) -> CodedTrack:
        """Return it as it was coded; it must be whole."""
        place = self.place
        coarse = None if place.step_at is None else unpack_steps(self.steps, place.steps)
        codes = shape.unpack(self.blocks, place.codes)
        return CodedTrack(self.segment.rows[self.number], codes, coarse)


def each_stored(
    connection: Connection, placed: Placed, segments: Sequence[PlacedSegment]
) -> Iterator[StoredTrack]:
    """Yield the tracks of segments that have not been removed, a portion of them in memory.

    Parameters
    ----------
    connection : Connection
    placed : Placed
    segments : sequence of PlacedSegment
        Of these.
    """
    for segment in segments:
        portion: list[int] = []
        size = 0
        for number in segment.left:
            portion.append(number)
            size += segment.rows[number].codes
            if size >= BLOCK * _BLOCKS_AT_ONCE or number == segment.left[-1]:
                blocks = _read(connection, placed, BLOCKS, segment, portion)
                steps = _read(connection, placed, STEPS, segment, portion)
                for each in portion:
                    yield StoredTrack(segment, each, blocks[each], steps[each])
                portion, size = [], 0


def _read(
    connection: Connection, placed: Placed, kind: str, segment: PlacedSegment, numbers: list[int]
) -> dict[int, Bytes]:
    """Return the blocks of tracks, by their number; what is missing is left out."""
    width = STEP_BLOCK_BYTES if kind == STEPS else BlockShape.of(placed.manifest.settings).size
    wanted: dict[int, range] = {}
    for number in numbers:
        place = segment.rows_of(number)
        first, count = (place.code_at, place.codes) if kind == BLOCKS else (place.step_at, place.steps)
        wanted[number] = range(0) if first is None else range(first // BLOCK, -(-(first + count) // BLOCK))
    keys = [block for blocks in wanted.values() for block in blocks]
    found: dict[int, bytes] = {}
    for at in range(0, len(keys), _BLOCKS_AT_ONCE):
        rows = connection.get(
            placed.generation.collections.of(kind), BLOCK_KEY, keys[at : at + _BLOCKS_AT_ONCE], [DATA]
        )
        found |= {row[BLOCK_KEY]: row[DATA] for row in rows}
    joint = {n: b"".join(found.get(block, b"") for block in blocks) for n, blocks in wanted.items()}
    return {number: np.frombuffer(rows, np.uint8).reshape(-1, width) for number, rows in joint.items()}
