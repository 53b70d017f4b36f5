"""An index folder, pushed to a Milvus server as a new index or in the place of the one that is there."""

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from stream_match.catalog.coded_tracks import each_stored
from stream_match.catalog.entries import PLANES, SEGMENTS, FileEntry
from stream_match.catalog.parts import TRACKS_FILE
from stream_match.catalog.segments import OpenSegment
from stream_match.catalog.store import OpenIndex, check_file, open_usable
from stream_match.errors import CatalogError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.claims import Beat, Claim, locked
from stream_match.milvus.connection import Connection, Field
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import (
    CODES,
    SHINGLES,
    BlockShape,
    Bytes,
    Collections,
    Int64,
    first_position,
    new_token,
    positions_of,
)
from stream_match.milvus.sweep import drop_generations, drop_push, retire, sweep
from stream_match.milvus.tables import (
    CODE_AT_FILE,
    DIGESTS_FILE,
    STEP_AT_FILE,
    Generation,
    Leaving,
    RemoteManifest,
    RemoteSegment,
    SearchIndex,
    current,
    described,
    put_file,
)
from stream_match.milvus.writer import (
    GROWING_UP_TO,
    LISTS_FROM,
    Writer,
    make,
    search_index,
    settle,
    tables_of,
)

LSH_TRACKS = 100_000
"""Tracks up to which the LSH tables are pushed: every listener holds them in memory."""

_GONE = -1

_NOTHING = (Field("id", "INT64"), Field("none", "BINARY_VECTOR", 8))
"""Fields of a collection that is empty: the server makes none without."""

Progress = Callable[[float], None]
"""Is told how many seconds of audio have been pushed since it was called last."""


@dataclass(frozen=True)
class PushReport:
    """What came of a push.

    Parameters
    ----------
    tracks, codes : int
        What is in the index now.
    audio_s, seconds : float
        Audio in it, and how long it took.
    generation : int
    swept : int
        Collections that broken pushes had left, and that were deleted.
    """

    tracks: int
    codes: int
    audio_s: float
    seconds: float
    generation: int
    swept: int


def push_index(
    folder: Path,
    address: MilvusAddress,
    *,
    lists_from: Mapping[str, int] = LISTS_FROM,
    lsh_tracks: int = LSH_TRACKS,
    progress: Progress = lambda _seconds: None,
) -> PushReport:
    """Push an index folder to a Milvus server; listeners take it up when it is whole there.

    Parameters
    ----------
    folder : Path
    address : MilvusAddress
    lists_from : mapping of str to int
        For `CODES` and for `SHINGLES`, their number from which they are put into lists; up to there, each is
        compared.
    lsh_tracks : int
        Tracks up to which there are LSH tables.
    progress : callable (float) -> None

    Raises
    ------
    CatalogError
        If the folder is no index, or not whole; the server is away, full or of another version; or another
        process has changed the index there meanwhile. Nothing has changed for listeners then.
    """
    began = time.monotonic()
    index = open_usable(folder)
    for name, entry in index.manifest.files().items():
        check_file(index.folder, name, entry, thorough=True)
    with Connection.open(address) as connection:
        before = current(connection, address.name)
        swept = sweep(connection, address.name, before)
        collections = Collections(address.name, new_token(now_ms()))
        with undone(connection, collections):
            generation = _write(connection, collections, index, before, lists_from, lsh_tracks, progress)
            switch(connection, before, generation)
        if before is not None:
            with suppress(MilvusError):  # it has been switched; a later push deletes what is left
                retire(connection, before.collections)
    counts = index.manifest.counts
    return PushReport(
        counts.tracks, counts.codes, counts.seconds, time.monotonic() - began, generation.number, swept
    )


def now_ms() -> int:
    """Return the milliseconds of the wall clock."""
    return int(time.time() * 1000)


@contextmanager
def undone(connection: Connection, collections: Collections) -> Iterator[None]:
    """Delete the collections of a push that fails, as far as the server still answers.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    """
    try:
        yield
    except BaseException as error:
        try:
            live = current(connection, collections.name)  # the answer to a switch may have been lost
            if live is None or live.collections != collections:
                drop_push(connection, collections)
        except MilvusError:
            if isinstance(error, MilvusError):
                raise MilvusError(
                    f"{error}; nothing has changed for listeners, and the next push deletes what this "
                    "one has left",
                    away=error.away,
                ) from error
        raise


def _write(
    connection: Connection,
    collections: Collections,
    index: OpenIndex,
    before: Generation | None,
    lists_from: Mapping[str, int],
    lsh_tracks: int,
    progress: Progress,
) -> Generation:
    """Write all of an index, and return its generation, of which nobody knows yet."""
    manifest = index.manifest
    first = first_position(now_ms())
    codes, shingles = _searched(index, lists_from)
    tables = tables_of(manifest.settings, codes, shingles)
    # Lists are made of what is stored.
    small = manifest.counts.codes <= GROWING_UP_TO and codes.exhaustive
    make(connection, collections, tables, loaded=small)
    beat = Beat(connection, collections, Claim(first=first, beyond=first, seen_s=0.0))
    beat()
    writer = Writer(connection, collections, BlockShape.of(manifest.settings), beat)
    segments = []
    beyond = first
    for stored in index.segments:
        segment, beyond = push_segment(
            writer,
            stored,
            index.folder,
            beyond,
            with_lsh=manifest.counts.tracks <= lsh_tracks,
            with_steps=shingles is not None,
            progress=progress,
        )
        segments.append(segment)
    writer.finish()
    for name, entry in manifest.files().items():
        if name.startswith(f"{PLANES}/"):
            put_from(connection, collections, index.folder / name, entry)
    if not small:
        settle(connection, collections, tables, beat)
    _check_counts(connection, collections, writer.written)
    remote = RemoteManifest(
        generation=manifest.generation if before is None else max(manifest.generation, before.number + 1),
        fingerprint=manifest.fingerprint,
        settings=manifest.settings,
        counts=manifest.counts,
        excess=manifest.excess,
        cohort=manifest.cohort,
        planes=manifest.parts.hyperplanes,
        descriptors=manifest.parts.descriptors,
        codes=codes,
        shingles=shingles,
        beyond=beyond,
        segments=tuple(segments),
    )
    # The claim stays: without one, a push that took more than an hour could be swept before it is switched.
    return write_generation(connection, collections, remote)


def _searched(index: OpenIndex, lists_from: Mapping[str, int]) -> tuple[SearchIndex, SearchIndex | None]:
    """Return how the codes and the shingles are searched; None without the part for versions."""
    codes = search_index(CODES, index.manifest.counts.codes, lists_from)
    harmonies = [one.segment.harmony for one in index.segments]
    if any(harmony is None for harmony in harmonies):
        return codes, None
    n_shingles = sum(len(harmony.shingles) for harmony in harmonies if harmony is not None)
    return codes, search_index(SHINGLES, n_shingles, lists_from)


def _check_counts(connection: Connection, collections: Collections, written: Mapping[str, int]) -> None:
    for kind, expected in written.items():
        found = connection.count(collections.of(kind))
        if found != expected:
            raise CatalogError(
                f"the Milvus server {connection.server} holds {found} rows of {kind}, expected {expected}: "
                "push again"
            )


def push_segment(
    writer: Writer,
    stored: OpenSegment,
    folder: Path,
    first: int,
    *,
    with_lsh: bool,
    with_steps: bool,
    there: Mapping[str, Leaving] = MappingProxyType({}),
    progress: Progress = lambda _seconds: None,
) -> tuple[RemoteSegment, int]:
    """Write a segment of an index folder, but for tracks that are on the server already.

    Parameters
    ----------
    writer : Writer
    stored : OpenSegment
    folder : Path
        Of the index.
    first : int
        Where its positions begin.
    with_lsh, with_steps : bool
        Whether its LSH tables, and its coarse chroma, are written too.
    there : mapping of str to Leaving
        Where the rows of the latter are, by the id of the track.
    progress : callable (float) -> None

    Returns
    -------
    segment : RemoteSegment
    beyond : int
        The first position that is free again.
    """
    entry, harmony = stored.entry, stored.segment.harmony if with_steps else None
    ids = [row.id for row in stored.rows]
    new = [number for number in stored.left if ids[number] not in there]
    code_at, beyond = _places(np.diff(stored.segment.starts), new, first)
    step_at, beyond_steps = _places(np.diff(harmony.starts), new, first) if harmony else (code_at, first)
    for number in set(stored.left) - set(new):
        known = there[ids[number]]
        code_at[number] = known.code_at
        step_at[number] = known.code_at if known.step_at is None else known.step_at
    digests = np.zeros((entry.tracks, 16), np.uint8)
    for number, track in zip(stored.left, each_stored(stored), strict=True):
        if harmony is None:
            track = replace(track, coarse=None)
        if track.row.id in there:
            digest = writer.digest(track)
        else:
            digest = writer.write(track, int(code_at[number]), int(step_at[number]))
        digests[number] = np.frombuffer(digest, np.uint8)
        progress(track.row.seconds)
    names = [TRACKS_FILE]
    if with_lsh:
        names += ["lsh_starts.npy", "lsh_entries.npy"]
    made: dict[str, Int64 | Bytes] = {CODE_AT_FILE: code_at, DIGESTS_FILE: digests}
    if harmony is not None:
        names.append("coarse_starts.npy")
        made[STEP_AT_FILE] = step_at
    parts = (entry.parts.recordings, entry.parts.versions)
    entries = {name: file for part in parts if part is not None for name, file in part.files.items()}
    place = folder / SEGMENTS / entry.folder
    files = {
        name: put_from(writer.connection, writer.collections, place / name, entries[name]) for name in names
    }
    files |= put_arrays(writer.connection, writer.collections, made)
    segment = RemoteSegment(
        name=_name(entry.folder, files),
        tracks=entry.tracks,
        codes=entry.codes,
        hashed=entry.hashed,
        steps=int(harmony.starts[-1]) if harmony is not None else None,
        lsh=entry.lsh if with_lsh else None,
        removed=entry.removed,
        files=files,
    )
    return segment, max(beyond, beyond_steps)


def _name(folder: str, files: Mapping[str, FileEntry]) -> str:
    """Return the name of a segment: another one if its tracks have other positions, for blocks are cached."""
    places = [files[name].sha256 for name in (CODE_AT_FILE, STEP_AT_FILE) if name in files]
    return hashlib.sha256(" ".join([folder, *places]).encode()).hexdigest()[:16]


def _places(lengths: Int64, new: list[int], first: int) -> tuple[Int64, int]:
    """Return where new tracks begin, by number; `_GONE` for others; and the first position after them."""
    at = np.full(len(lengths), _GONE, np.int64)
    at[new], beyond = positions_of(lengths[new], first)
    return at, beyond


def put_from(connection: Connection, collections: Collections, path: Path, expected: FileEntry) -> FileEntry:
    """Store a file of an index folder, which must be as its manifest says.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    path : Path
    expected : FileEntry
    """
    contents = np.memmap(path, np.uint8, "r") if expected.bytes else np.empty(0, np.uint8)
    entry = put_file(connection, collections, contents.data)
    if entry != expected:
        raise CatalogError(f"{str(path)!r} has been altered: build the index again")
    return entry


def put_arrays(
    connection: Connection, collections: Collections, arrays: Mapping[str, Int64 | Bytes]
) -> dict[str, FileEntry]:
    """Store arrays as files.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    arrays : mapping of str to np.ndarray
        By the names of their files.
    """
    files = {}
    for name, array in arrays.items():
        contents = io.BytesIO()
        np.save(contents, array, allow_pickle=False)
        files[name] = put_file(connection, collections, contents.getvalue())
    return files


def write_generation(
    connection: Connection, collections: Collections, manifest: RemoteManifest
) -> Generation:
    """Store a manifest, and return the generation that it makes.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    manifest : RemoteManifest
    """
    entry = put_file(connection, collections, manifest.model_dump_json().encode())
    return Generation(collections, manifest.generation, entry)


def switch(connection: Connection, before: Generation | None, generation: Generation) -> None:
    """Let the alias of an index stand for another generation; from then on, it is the index.

    Parameters
    ----------
    connection : Connection
    before : Generation, optional
        What the alias stood for when the change began.
    generation : Generation

    Raises
    ------
    CatalogError
        If the alias stands for something else meanwhile: another process has changed the index.
    """
    name = generation.collections.name
    with locked(connection, name, f"{generation.collections.token}-{generation.manifest.sha256}"):
        if current(connection, name) != before:
            raise CatalogError(
                f"another process has changed the index {name!r} on {connection.server} meanwhile: look at "
                "it, and do this again if it is still wanted"
            )
        drop_generations(connection, generation, before)
        connection.create(generation.collection, _NOTHING, described(generation))
        if before is None:
            connection.drop_alias(name)  # it may have outlived its collection
        connection.set_alias(name, generation.collection, new=before is None)
