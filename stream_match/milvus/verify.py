"""Damage in an index on a Milvus server is looked for: every block of it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from stream_match.errors import CatalogError
from stream_match.index.shingles import STRIDE, Places, coefficients_at
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection, MilvusError
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    CODE,
    CODE_KEY,
    CODES,
    DATA,
    SHINGLE,
    SHINGLES,
    STEP_BLOCK_BYTES,
    STEPS,
    BlockShape,
    Bytes,
    unpack_steps,
)
from stream_match.milvus.opened import Placed, PlacedSegment, place_tracks
from stream_match.milvus.tables import get_file, required
from stream_match.milvus.writer import digest_of

_BLOCKS_AT_ONCE = 1000
"""Blocks in one request: 2 MB."""

_SAMPLE = 200
"""Tracks, spread evenly, of which a code and a shingle are looked up."""

_TOLD = 5
"""Tracks with damage that are named."""

_ALIKE = 0.99
"""A shingle is at least so like the one that is found for it; their numbers are rounded."""


def verify_remote(
    address: MilvusAddress, *, progress: Callable[[float], None] = lambda _seconds: None
) -> list[str]:
    """Look for damage in an index on a Milvus server.

    Files and blocks are compared with their hashes, all of them; of what is searched, a sample.

    Parameters
    ----------
    address : MilvusAddress
    progress : callable (float) -> None
        Is told how many seconds of audio have been looked at since it was called last.

    Returns
    -------
    list of str
        A sentence per problem; empty if the index is whole.

    Raises
    ------
    MilvusError
        If the server is away.
    """
    try:
        with Connection.open(address) as connection:
            placed = place_tracks(connection, required(connection, address.name))
            sample = _Sample(max(1, len(placed.rows) // _SAMPLE))
            return [
                *_torn_files(connection, placed),
                *_altered_tracks(connection, placed, sample, progress),
                *_unfound(connection, placed, sample),
            ]
    except MilvusError as error:
        if error.away:
            raise
        return [str(error)]
    except CatalogError as error:
        return [str(error)]


@dataclass
class _Sample:
    """Codes and shingles of some tracks, by their keys.

    Parameters
    ----------
    every : int
        One track in so many.
    """

    every: int
    codes: dict[int, bytes] = field(default_factory=dict)
    shingles: dict[int, list[float]] = field(default_factory=dict)
    _seen: int = 0

    def take(self, track: "_ReadTrack", shape: BlockShape) -> None:
        """Take something of a track, if it is its turn."""
        self._seen += 1
        if (self._seen - 1) % self.every:
            return
        place = track.segment.rows_of(track.number)
        codes = shape.unpack(track.blocks, place.codes).codes
        if len(codes):
            middle = len(codes) // 2
            self.codes[place.code_at + middle] = codes[middle].tobytes()
        n_shingles = len(Places(np.array([0, place.steps])))
        if place.step_at is not None and n_shingles:
            first = STRIDE * (n_shingles // 2)
            shingle = coefficients_at(unpack_steps(track.steps, place.steps), np.array([first]))
            self.shingles[place.step_at + first] = shingle.astype(np.float32).reshape(-1).tolist()


@dataclass(frozen=True)
class _ReadTrack:
    """The blocks of a track, as they are on the server."""

    segment: PlacedSegment
    number: int
    blocks: Bytes
    steps: Bytes


def _torn_files(connection: Connection, placed: Placed) -> Iterator[str]:
    for name, entry in placed.manifest.files().items():
        try:
            get_file(connection, placed.generation.collections, entry, repr(name))
        except MilvusError:
            raise
        except CatalogError as error:
            yield str(error)


def _altered_tracks(
    connection: Connection, placed: Placed, sample: _Sample, progress: Callable[[float], None]
) -> Iterator[str]:
    """Compare the blocks of every track with its digest."""
    shape = BlockShape.of(placed.manifest.settings)
    altered = []
    for track in _read_tracks(connection, placed):
        row = track.segment.rows[track.number]
        if digest_of(track.blocks, track.steps) == track.segment.digests[track.number].tobytes():
            sample.take(track, shape)
        else:
            altered.append(row.id)
        progress(row.seconds)
    if altered:
        named = ", ".join(repr(name) for name in altered[:_TOLD])
        more = f" and {len(altered) - _TOLD} more" if len(altered) > _TOLD else ""
        yield f"blocks are missing or have been altered, of {named}{more}: push the index again"


def _read_tracks(connection: Connection, placed: Placed) -> Iterator[_ReadTrack]:
    for segment in placed.segments:
        portion: list[int] = []
        size = 0
        for number in segment.left:
            portion.append(number)
            size += segment.rows[number].codes
            if size >= BLOCK * _BLOCKS_AT_ONCE or number == segment.left[-1]:
                blocks = _read(connection, placed, BLOCKS, segment, portion)
                steps = _read(connection, placed, STEPS, segment, portion)
                for each in portion:
                    yield _ReadTrack(segment, each, blocks[each], steps[each])
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
    return {
        number: np.frombuffer(b"".join(found.get(block, b"") for block in blocks), np.uint8).reshape(
            -1, width
        )
        for number, blocks in wanted.items()
    }


def _unfound(connection: Connection, placed: Placed, sample: _Sample) -> Iterator[str]:
    """Count what is searched, and look up a sample of it."""
    of, manifest = placed.generation.collections.of, placed.manifest
    yield from _too_few(connection, of(CODES), manifest.counts.codes, "codes")
    held = connection.get(of(CODES), CODE_KEY, list(sample.codes), [CODE])
    if {row[CODE_KEY]: row[CODE] for row in held} != sample.codes:
        yield "codes do not fit the blocks that they belong to: push the index again"
    wanted, nprobe = list(sample.codes.values()), manifest.codes.nprobe
    found = connection.search(of(CODES), CODE, wanted, 1, "HAMMING", nprobe=nprobe, strong=True)
    if any(distances[:1] != [0.0] for _, distances in found):
        yield "the server does not find codes that it holds: push the index again"
    if manifest.shingles is None:
        return
    n_shingles = sum(
        len(Places(np.array([0, int(count)]))) for s in placed.segments for count in s.steps[s.left]
    )
    yield from _too_few(connection, of(SHINGLES), n_shingles, "shingles")
    looked_for, nprobe = list(sample.shingles.values()), manifest.shingles.nprobe
    found = connection.search(of(SHINGLES), SHINGLE, looked_for, 1, "IP", nprobe=nprobe, strong=True)
    norms = [float(np.square(shingle).sum()) for shingle in looked_for]
    pairs = zip(found, norms, strict=True)
    if any(not alike or alike[0] < _ALIKE * norm for (_, alike), norm in pairs):
        yield "the server does not find shingles that it holds: push the index again"


def _too_few(connection: Connection, collection: str, expected: int, what: str) -> Iterator[str]:
    found = connection.count(collection)
    if found < expected:
        yield f"the server holds {found} {what}, expected {expected}: push the index again"
