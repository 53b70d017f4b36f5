"""The rows of tracks, written to the collections of a push in portions."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from stream_match.catalog.coded_tracks import CodedTrack
from stream_match.config import FeatureSettings
from stream_match.index.shingles import STRIDE, Places, computed
from stream_match.milvus.connection import Connection, Field
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    CHUNK_BYTES,
    CHUNK_KEY,
    CHUNK_LENGTH,
    CODE,
    CODE_KEY,
    CODES,
    DATA,
    FILES,
    SHINGLE,
    SHINGLE_KEY,
    SHINGLE_WIDTH,
    SHINGLES,
    STEP_BLOCK_BYTES,
    STEPS,
    BlockShape,
    Bytes,
    Collections,
    pack_steps,
)
from stream_match.milvus.reads import Row
from stream_match.milvus.tables import SearchIndex

_PORTIONS = {CODES: 20_000, BLOCKS: 1_000, SHINGLES: 8_000, STEPS: 2_000}
"""Rows sent at once, some 2 MB."""

LISTS_FROM: Mapping[str, int] = MappingProxyType({CODES: 300_000, SHINGLES: 50_000})
"""Vectors from which they are put into lists: 15 h of codes, 20 h of shingles. Up to there, each is compared.
To compare is cheaper with codes, and a request looks for ten times as many shingles."""

GROWING_UP_TO = 100_000
"""Codes up to which the server is not told to store them: it does so by and by, and to wait takes 20 s."""

_ATTEMPTS = 12
"""So many times a collection that is not stored or loaded yet is waited for, ten minutes each at most."""

_LOOK_S = 5.0

_LISTS = 1024
"""Of a segment of the server, which holds millions of vectors. It finds their centres by k-means: six times
as many took two cores more than a quarter of an hour, for 131 h."""

_PROBED = {CODES: 48, SHINGLES: 16}
"""Lists that are searched: excerpts are found as often as by the lists of a folder; see `docs/scale.md`."""

_TRIVIAL = SearchIndex(index_type="BIN_FLAT")
"""Of collections that are only read by their keys: the server wants an index to load them."""


@dataclass(frozen=True)
class Table:
    """How a collection is made.

    Parameters
    ----------
    fields : tuple of Field
        The key, and the field of vectors.
    metric : str
    search : SearchIndex
    """

    fields: tuple[Field, ...]
    metric: str
    search: SearchIndex


def search_index(kind: str, n_vectors: int, lists_from: Mapping[str, int] = LISTS_FROM) -> SearchIndex:
    """Return how so many vectors are searched.

    Parameters
    ----------
    kind : str
        `CODES` or `SHINGLES`.
    n_vectors : int
    lists_from : mapping of str to int
        For each kind, the vectors from which they are put into lists.
    """
    binary = "BIN_" if kind == CODES else ""
    if n_vectors < lists_from[kind]:
        return SearchIndex.model_validate({"index_type": f"{binary}FLAT"})
    return SearchIndex.model_validate(
        {"index_type": f"{binary}IVF_FLAT", "nlist": _LISTS, "nprobe": _PROBED[kind]}
    )


def tables_of(
    settings: FeatureSettings, codes: SearchIndex, shingles: SearchIndex | None
) -> dict[str, Table]:
    """Return the collections of a push, by their kind.

    Parameters
    ----------
    settings : FeatureSettings
    codes : SearchIndex
    shingles : SearchIndex, optional
        None without the part for versions.
    """
    block_bits = 8 * BlockShape.of(settings).size
    tables = {
        FILES: Table(
            (
                Field(CHUNK_KEY, "VARCHAR", 96),
                Field(DATA, "BINARY_VECTOR", 8 * CHUNK_BYTES),
                Field(CHUNK_LENGTH, "INT32"),
            ),
            "HAMMING",
            _TRIVIAL,
        ),
        CODES: Table(
            (Field(CODE_KEY, "INT64"), Field(CODE, "BINARY_VECTOR", settings.n_bits)), "HAMMING", codes
        ),
        BLOCKS: Table(
            (Field(BLOCK_KEY, "INT64"), Field(DATA, "BINARY_VECTOR", block_bits)), "HAMMING", _TRIVIAL
        ),
    }
    if shingles is not None:
        tables[SHINGLES] = Table(
            (Field(SHINGLE_KEY, "INT64"), Field(SHINGLE, "FLOAT_VECTOR", SHINGLE_WIDTH)), "IP", shingles
        )
        tables[STEPS] = Table(
            (Field(BLOCK_KEY, "INT64"), Field(DATA, "BINARY_VECTOR", 8 * STEP_BLOCK_BYTES)),
            "HAMMING",
            _TRIVIAL,
        )
    return tables


def make(
    connection: Connection, collections: Collections, tables: Mapping[str, Table], *, loaded: bool
) -> None:
    """Make the collections of a push; its files can be read and written from then on.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    tables : mapping of str to Table
        From `tables_of`.
    loaded : bool
        Whether all of them are: rows can be read as soon as they are written, which costs more.
    """

    def make_one(kind: str) -> None:
        name, table = collections.of(kind), tables[kind]
        params = {} if table.search.nlist is None else {"nlist": table.search.nlist}
        connection.create(name, table.fields)
        connection.index(name, table.fields[1].name, table.search.index_type, table.metric, **params)
        if loaded or kind == FILES:
            connection.load(name)

    _at_once(make_one, tables)


def settle(
    connection: Connection,
    collections: Collections,
    tables: Mapping[str, Table],
    meanwhile: Callable[[], None],
) -> None:
    """Have everything written to the server's storage, and load it.

    Parameters
    ----------
    connection, collections, tables
        As for `make`.
    meanwhile : callable () -> None
        Called every few seconds.
    """

    def settle_one(kind: str) -> None:
        # Loaded before its index is made, it would be searched without until then.
        for work in (connection.flush, connection.await_index, connection.load):
            _until_done(connection, work, collections.of(kind))

    _at_once(settle_one, tables, meanwhile)


def _until_done(connection: Connection, work: Callable[[str], None], name: str) -> None:
    """Ask for something again while the server is there: it may have its hands full, or just have started."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work(name)
        except MilvusError:
            connection.collections()  # it fails if the server is away
        time.sleep(_LOOK_S)
    return work(name)


def _at_once(
    work: Callable[[str], None], kinds: Iterable[str], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Do the same for several collections: the server mostly waits."""
    with ThreadPoolExecutor() as pool:
        pending = {pool.submit(work, kind) for kind in kinds}
        while pending:
            done, pending = wait(pending, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
            meanwhile()


@dataclass
class Writer:
    """Writes tracks; only portions of them are in memory.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    shape : BlockShape
    on_portion : callable () -> None
        Called after each portion.
    """

    connection: Connection
    collections: Collections
    shape: BlockShape
    on_portion: Callable[[], None]
    written: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[Row]] = field(default_factory=dict)

    def write(self, track: CodedTrack, code_at: int, step_at: int) -> bytes:
        """Write a track.

        Parameters
        ----------
        track : CodedTrack
        code_at, step_at : int
            Where its codes and its steps begin.

        Returns
        -------
        bytes
            Its digest, as `verify` computes it.
        """
        blocks, steps = self._packed(track)
        self._put(CODES, (_row(CODE_KEY, code_at, i, CODE, code) for i, code in enumerate(track.codes.codes)))
        self._put(BLOCKS, (_row(BLOCK_KEY, code_at // BLOCK, i, DATA, row) for i, row in enumerate(blocks)))
        self._put(STEPS, (_row(BLOCK_KEY, step_at // BLOCK, i, DATA, row) for i, row in enumerate(steps)))
        if track.coarse is not None:
            self._put_shingles(track.coarse, step_at)
        return digest_of(blocks, steps)

    def digest(self, track: CodedTrack) -> bytes:
        """Return the digest of a track that is not written."""
        return digest_of(*self._packed(track))

    def _packed(self, track: CodedTrack) -> tuple[Bytes, Bytes]:
        steps = pack_steps(track.coarse) if track.coarse is not None else np.empty((0, 0), np.uint8)
        return self.shape.pack(track.codes), steps

    def _put_shingles(self, coarse: Bytes, step_at: int) -> None:
        places = Places(np.array([0, len(coarse)], np.int64))
        first = 0
        for portion in computed(places, coarse):
            flat = portion.reshape(len(portion), -1).astype(np.float32)
            self._put(
                SHINGLES,
                (
                    {SHINGLE_KEY: step_at + STRIDE * i, SHINGLE: shingle}
                    for i, shingle in enumerate(flat, first)
                ),
            )
            first += len(portion)

    def finish(self) -> None:
        """Write what is waiting."""
        for kind in list(self._waiting):
            self._send(kind)

    def _put(self, kind: str, rows: Iterable[Row]) -> None:
        waiting = self._waiting.setdefault(kind, [])
        for row in rows:
            waiting.append(row)
            if len(waiting) >= _PORTIONS[kind]:
                self._send(kind)

    def _send(self, kind: str) -> None:
        rows = self._waiting[kind]
        if rows:
            self.connection.insert(self.collections.of(kind), rows)
            self.written[kind] = self.written.get(kind, 0) + len(rows)
            rows.clear()
            self.on_portion()


def digest_of(blocks: Bytes, steps: Bytes) -> bytes:
    """Return what tells whether a track is as it was written: 16 bytes of a SHA-256.

    Parameters
    ----------
    blocks, steps : np.ndarray [shape=(n_rows, n_bytes), dtype=uint8]
        Its rows of `BLOCKS` and of `STEPS`.
    """
    return hashlib.sha256(blocks.tobytes() + steps.tobytes()).digest()[:16]


def _row(key: str, first: int, number: int, field_name: str, contents: Bytes) -> Row:
    return {key: first + number, field_name: contents.tobytes()}
