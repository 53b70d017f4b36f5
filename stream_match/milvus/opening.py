"""An index on a Milvus server, opened: its tables come into a folder here, its codes when they are needed."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from shutil import rmtree

import numpy as np
import numpy.typing as npt

from stream_match.catalog.background import ready
from stream_match.catalog.described_rows import open_descriptors
from stream_match.catalog.entries import PLANES, SEGMENTS, LshShape, PartEntry, SegmentEntry, SegmentParts
from stream_match.catalog.parts import PART_VERSIONS, RECORDINGS, TRACKS_FILE, in_order, map_array
from stream_match.catalog.rows import Rows, parse_rows, starts_of
from stream_match.catalog.segments import OpenSegment, open_planes
from stream_match.catalog.store import comparable, joined, unreadable
from stream_match.errors import CatalogError
from stream_match.index.catalogue import Catalogue
from stream_match.index.harmony import HarmonySegment
from stream_match.index.lsh import LshTables
from stream_match.index.segment import Segment
from stream_match.index.shingles import Places
from stream_match.milvus.blocks import Fetch, Holdings, Stretch, TrackBlocks
from stream_match.milvus.connection import Connection
from stream_match.milvus.files import fetch_files
from stream_match.milvus.gathered import Gathered
from stream_match.milvus.layout import (
    BLOCK_KEY,
    BLOCKS,
    CODE,
    CODES,
    DATA,
    SHINGLE,
    SHINGLES,
    STEP_BLOCK_BYTES,
    STEPS,
    BlockShape,
    Int64,
)
from stream_match.milvus.neighbours import MilvusNeighbours, Positions, Vectors
from stream_match.milvus.outage import Request, Server
from stream_match.milvus.probe import Probe
from stream_match.milvus.reading import CodeShape, Elsewhere, RemoteCatalogue, StepShape
from stream_match.milvus.shingles import MilvusShingles
from stream_match.milvus.tables import (
    CODE_AT_FILE,
    STEP_AT_FILE,
    Generation,
    RemoteManifest,
    RemoteSegment,
    SearchIndex,
    read_manifest,
)

CACHE_VARIABLE = "XDG_CACHE_HOME"

MOST_BYTES = 256 << 20
"""Codes that are kept at hand, of all segments: four hours of what twenty streams read."""

_MOST_STEP_BYTES = 64 << 20

_PROBED_NEIGHBOURS = 76
"""Found by any complete search, if there are so many codes; the lists that are searched may have fewer."""

_BLOCKS_AT_ONCE = 1024
"""Blocks in one request: 3 MB."""

Known = dict[tuple[str, str], TrackBlocks]
"""The blocks of segments, by their push and name: another generation goes on with them."""


def cache_folder(connection: Connection) -> Path:
    """Return the folder in which the tables of an index are kept."""
    base = os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache"
    address = connection.address
    place = f"{address.host}_{address.port}_{address.name}".replace(os.sep, "_").replace(":", "_")
    return Path(base, "stream-match", "milvus", place)


class Opened:
    """A generation of an index on a server, open.

    Parameters
    ----------
    connection : Connection
        For its tables.
    server : Server
        For all that is asked of it later.
    generation : Generation
    folder : Path
        Where its tables are kept; files that are there already are not fetched again.
    known : Known
        Blocks of earlier generations; those of this one are added.
    new : sequence of OpenSegment
        Segments that are here, beside those on the server.

    Attributes
    ----------
    manifest : RemoteManifest
    segments : tuple of OpenSegment
        Those on the server.
    catalogue : Catalogue
        Ready to listen with.
    probe : Probe
        Whether the server answers what is asked of it.

    Raises
    ------
    CatalogError
        If it is not whole, of another format version or other feature code; or the server does not answer,
        or the folder cannot be written.
    """

    segments: tuple[OpenSegment, ...]

    def __init__(
        self,
        connection: Connection,
        server: Server,
        generation: Generation,
        folder: Path,
        known: Known,
        new: Sequence[OpenSegment] = (),
    ) -> None:
        self.manifest = read_manifest(connection, generation)
        self._server = server
        self._collections = generation.collections
        self._folder = folder
        self._shape = BlockShape.of(self.manifest.settings)
        try:
            fetch_files(connection, generation.collections, self.manifest.files(), folder)
            _forget_others(folder, self.manifest)
            self.catalogue = self._open(known, new)
        except (OSError, MemoryError) as error:
            raise unreadable(error, folder) from error
        self.probe = Probe(
            generation.collections,
            self._shape.code_bytes,
            fewest=min(
                _PROBED_NEIGHBOURS if self.manifest.codes.exhaustive else 1, self.manifest.counts.codes
            ),
            with_versions=self.manifest.shingles is not None,
        )
        # What was written before the alias was switched is seen by all that is asked from now on.
        self.probe(connection, strong=True)

    def _open(self, known: Known, new: Sequence[OpenSegment]) -> Catalogue:
        manifest, settings = self.manifest, self.manifest.settings
        planes = open_planes(self._folder / PLANES / manifest.planes.folder, manifest.planes, settings)
        rows = [self._rows(segment) for segment in manifest.segments]
        at = [self._at(segment, CODE_AT_FILE) for segment in manifest.segments]
        lengths = [np.diff(starts_of(own)) for own in rows]
        positions = Positions(np.concatenate(at), np.concatenate(lengths))
        neighbours = MilvusNeighbours(
            self._vectors(CODES, CODE, "HAMMING", manifest.counts.codes, manifest.codes), positions
        )
        blocks = self._code_blocks(rows, at, known)
        self.segments = tuple(
            OpenSegment(_entry_of(entry), own, self._segment(entry, own, held, neighbours))
            for entry, own, held in zip(manifest.segments, rows, blocks, strict=True)
        )
        segments = [*self.segments, *new]
        catalogue = joined(segments, planes, manifest)
        named = tuple(segment.rows[number] for segment in segments for number in segment.left)
        harmony, steps = self._harmony()
        elsewhere = Elsewhere(
            neighbours,
            positions,
            tuple(blocks),
            self._fetch(BLOCKS, self._shape.size),
            self._fetch(STEPS, STEP_BLOCK_BYTES),
            harmony,
            steps,
        )
        given = {one.name: getattr(catalogue, one.name) for one in fields(Catalogue)}
        given["similar"] = comparable(open_descriptors(self._folder / PLANES, manifest.descriptors), named)
        return ready(RemoteCatalogue(**given, elsewhere=elsewhere))

    def _rows(self, segment: RemoteSegment) -> Rows:
        folder = self._folder / SEGMENTS / segment.name
        rows = parse_rows((folder / TRACKS_FILE).read_bytes(), folder)
        if len(rows) != segment.tracks or sum(row.codes for row in rows) != segment.codes:
            raise _contradiction(folder, "counts")
        return rows

    def _at(self, segment: RemoteSegment, file: str) -> Int64:
        return np.array(
            map_array(self._folder / SEGMENTS / segment.name / file, "<i8", (segment.tracks,)), np.int64
        )

    def _vectors(self, kind: str, field: str, metric: str, count: int, index: SearchIndex) -> Vectors:
        return Vectors(self._server, self._collections.of(kind), field, metric, count, index.nprobe)

    def _code_blocks(self, rows: list[Rows], at: list[Int64], known: Known) -> list[TrackBlocks]:
        """Return the blocks of each segment; what an earlier generation has at hand stays so."""
        in_all = max(1, self.manifest.counts.codes)
        found = []
        for segment, own, places in zip(self.manifest.segments, rows, at, strict=True):
            most_bytes = MOST_BYTES * segment.codes // in_all
            key = (self._collections.token, segment.name)
            if key not in known:
                shape = CodeShape(self._shape)
                known[key] = TrackBlocks(starts_of(own), places, shape, most_bytes=most_bytes)
            known[key].most_bytes = most_bytes
            found.append(known[key])
        names = {(self._collections.token, segment.name) for segment in self.manifest.segments}
        for gone in known.keys() - names:
            del known[gone]
        return found

    def _segment(
        self, entry: RemoteSegment, rows: Rows, blocks: TrackBlocks, neighbours: MilvusNeighbours
    ) -> Segment:
        words, audible = (one.array for one in blocks.arrays)
        hashed = entry.hashed if entry.lsh is not None else 0
        chroma_bytes = self.manifest.settings.chroma_bits // 8
        return Segment(
            starts=starts_of(rows),
            words=words,
            audible=audible[:, 0].view(np.bool_),
            chroma_codes=np.broadcast_to(np.zeros((1, chroma_bytes), np.uint8), (hashed, chroma_bytes)),
            neighbours=neighbours,
            lsh=self._lsh(entry),
        )

    def _lsh(self, entry: RemoteSegment) -> LshTables:
        shape = entry.lsh
        if shape is None:
            return LshTables(np.zeros((1, 2), np.uint32), np.zeros((1, 0), np.uint32))
        folder = self._folder / SEGMENTS / entry.name
        starts = map_array(folder / "lsh_starts.npy", "<u4", (shape.tables, 2**shape.key_bits + 1))
        found = map_array(folder / "lsh_entries.npy", "<u4", (shape.tables, entry.hashed))
        if shape.key_bits > self.manifest.settings.chroma_bits or not in_order(starts, entry.hashed):
            raise _contradiction(folder, "lsh_starts.npy")
        return LshTables(starts, found)

    def _harmony(self) -> tuple[HarmonySegment | None, TrackBlocks | None]:
        """Return all segments in one for the version lane; None without it."""
        manifest = self.manifest
        if manifest.shingles is None:
            return None, None
        parts = [self._step_starts(segment) for segment in manifest.segments]
        lengths = np.concatenate([np.diff(starts) for starts in parts])
        at = np.concatenate([self._at(segment, STEP_AT_FILE) for segment in manifest.segments])
        starts: Int64 = np.cumsum([0, *lengths.tolist()], dtype=np.int64)
        blocks = TrackBlocks(starts, at, StepShape(), most_bytes=_MOST_STEP_BYTES)
        (rows,) = blocks.arrays
        fetch = self._fetch(STEPS, STEP_BLOCK_BYTES)
        own = Holdings([blocks], np.zeros(len(lengths), np.int64), starts[:-1], lengths, fetch)
        left = np.concatenate([_left(segment) for segment in manifest.segments])
        there = np.cumsum([0, *np.where(left, lengths, 0).tolist()], dtype=np.int64)
        shingles = MilvusShingles(
            starts,
            rows.array,
            self._vectors(SHINGLES, SHINGLE, "IP", len(Places(there)), manifest.shingles),
            Positions(at, lengths),
            lambda track, lowest, highest: own.have(Stretch(track, lowest, highest)),
        )
        return HarmonySegment(starts, rows.array, shingles), blocks

    def _step_starts(self, segment: RemoteSegment) -> Int64:
        folder = self._folder / SEGMENTS / segment.name
        starts = np.array(map_array(folder / "coarse_starts.npy", "<i8", (segment.tracks + 1,)), np.int64)
        if segment.steps is None or not in_order(starts, segment.steps):
            raise _contradiction(folder, "coarse_starts.npy")
        return starts

    def _fetch(self, kind: str, n_bytes: int) -> Fetch:
        collection = self._collections.of(kind)

        def send(_: None, keys: list[int]) -> list[bytes]:
            wanted = [*dict.fromkeys(keys)]
            found: dict[int, bytes] = {}
            for first in range(0, len(wanted), _BLOCKS_AT_ONCE):
                found |= self._server.ask(_blocks(collection, wanted[first : first + _BLOCKS_AT_ONCE]))
            lacking = [key for key in wanted if len(found.get(key, b"")) != n_bytes]
            if lacking:
                raise self._server.fault(
                    f"Milvus lacks {len(lacking)} of {len(wanted)} blocks in {collection}: "
                    "a part of it is lost, or not loaded"
                )
            return [found[key] for key in keys]

        gathered = Gathered(send, most=_BLOCKS_AT_ONCE)
        return lambda keys: dict(zip(keys, gathered.ask(None, keys), strict=True))


def _blocks(collection: str, keys: list[int]) -> Request[dict[int, bytes]]:
    def request(connection: Connection, within_s: float) -> dict[int, bytes]:
        rows = connection.get(collection, BLOCK_KEY, keys, [DATA], strong=False, timeout_s=within_s)
        return {row[BLOCK_KEY]: row[DATA] for row in rows}

    return request


def _left(segment: RemoteSegment) -> npt.NDArray[np.bool_]:
    """Return which tracks of a segment have not been removed [shape=(n_tracks,), dtype=bool]."""
    left = np.ones(segment.tracks, np.bool_)
    left[list(segment.removed)] = False
    return left


def _entry_of(segment: RemoteSegment) -> SegmentEntry:
    """Return the entry of a segment as an index folder would have it."""
    return SegmentEntry(
        folder=segment.name,
        tracks=segment.tracks,
        codes=segment.codes,
        hashed=segment.hashed,
        lsh=segment.lsh or LshShape(tables=1, key_bits=1),
        removed=segment.removed,
        parts=SegmentParts(recordings=PartEntry(version=PART_VERSIONS[RECORDINGS])),
    )


def _forget_others(folder: Path, manifest: RemoteManifest) -> None:
    """Delete what another generation had in the folder; who has it mapped keeps it."""
    wanted = {Path(name).parent for name in manifest.files()}
    for place in _places(folder):
        if place.relative_to(folder) not in wanted:
            with suppress(OSError):
                rmtree(place)


def _places(folder: Path) -> Iterator[Path]:
    for kind in (PLANES, SEGMENTS):
        if (folder / kind).is_dir():
            yield from (folder / kind).iterdir()


def _contradiction(folder: Path, what: str) -> CatalogError:
    return CatalogError(f"{str(folder)!r} contradicts itself ({what}): delete it, it is fetched again")
