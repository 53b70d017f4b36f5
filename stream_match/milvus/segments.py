"""A segment of an index folder, written to a Milvus server."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from stream_match.catalog.coded_tracks import each_stored
from stream_match.catalog.entries import SEGMENTS, FileEntry
from stream_match.catalog.parts import TRACKS_FILE
from stream_match.catalog.segments import OpenSegment
from stream_match.errors import CatalogError
from stream_match.milvus.connection import Connection
from stream_match.milvus.files import put_file
from stream_match.milvus.layout import Bytes, Collections, Int64, positions_of
from stream_match.milvus.tables import CODE_AT_FILE, DIGESTS_FILE, STEP_AT_FILE, Leaving, RemoteSegment
from stream_match.milvus.writer import Writer

_GONE = -1

Progress = Callable[[float], None]
"""Is told how many seconds of audio have been pushed since it was called last."""


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
