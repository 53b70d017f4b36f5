"""Damage in an index on a Milvus server is looked for: every block of it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from stream_match.errors import CatalogError
from stream_match.index.shingles import STRIDE, Places, coefficients_at
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.files import get_file
from stream_match.milvus.layout import CODE, CODE_KEY, CODES, SHINGLE, SHINGLES, BlockShape, unpack_steps
from stream_match.milvus.placed import Placed, place_tracks
from stream_match.milvus.stored import StoredTrack, each_stored
from stream_match.milvus.tables import required

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

    def take(self, track: StoredTrack, shape: BlockShape) -> None:
        """Take something of a track, if it is its turn."""
        self._seen += 1
        if (self._seen - 1) % self.every:
            return
        place = track.place
        codes = shape.unpack(track.blocks, place.codes).codes
        if len(codes):
            middle = len(codes) // 2
            self.codes[place.code_at + middle] = codes[middle].tobytes()
        n_shingles = len(Places(np.array([0, place.steps])))
        if place.step_at is not None and n_shingles:
            first = STRIDE * (n_shingles // 2)
            shingle = coefficients_at(unpack_steps(track.steps, place.steps), np.array([first]))
            self.shingles[place.step_at + first] = shingle.astype(np.float32).reshape(-1).tolist()


def _torn_files(connection: Connection, placed: Placed) -> Iterator[str]:
    for name, entry in placed.manifest.files().items():
        try:
            get_file(connection, placed.generation.collections, entry, repr(name), newest=True)
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
    for track in each_stored(connection, placed, placed.segments):
        row = track.segment.rows[track.number]
        if track.whole:
            sample.take(track, shape)
        else:
            altered.append(row.id)
        progress(row.seconds)
    if altered:
        named = ", ".join(repr(name) for name in altered[:_TOLD])
        more = f" and {len(altered) - _TOLD} more" if len(altered) > _TOLD else ""
        yield f"blocks are missing or have been altered, of {named}{more}: push the index again"


def _unfound(connection: Connection, placed: Placed, sample: _Sample) -> Iterator[str]:
    """Count what is searched, and look up a sample of it."""
    of, manifest = placed.generation.collections.of, placed.manifest
    yield from _too_few(connection, of(CODES), manifest.counts.codes, "codes")
    held = connection.get(of(CODES), CODE_KEY, list(sample.codes), [CODE])
    if {row[CODE_KEY]: row[CODE] for row in held} != sample.codes:
        yield "codes do not fit the blocks that they belong to: push the index again"
    wanted, nprobe = list(sample.codes.values()), manifest.codes.nprobe
    found = connection.search(of(CODES), CODE, wanted, 1, "HAMMING", nprobe=nprobe, strong=True)
    if any(distances.tolist() != [0.0] for _, distances in found):
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
    if any(not len(alike) or alike[0] < _ALIKE * norm for (_, alike), norm in pairs):
        yield "the server does not find shingles that it holds: push the index again"


def _too_few(connection: Connection, collection: str, expected: int, what: str) -> Iterator[str]:
    found = connection.count(collection)
    if found < expected:
        yield f"the server holds {found} {what}, expected {expected}: push the index again"
