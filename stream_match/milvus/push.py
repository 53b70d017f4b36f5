"""An index folder, pushed to a Milvus server as a new index or in the place of the one that is there."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stream_match.catalog.entries import PLANES
from stream_match.catalog.store import OpenIndex, check_file, open_usable
from stream_match.errors import CatalogError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.claims import Beat, Claim, locked
from stream_match.milvus.connection import Connection, Field
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.files import put_file
from stream_match.milvus.layout import CODES, SHINGLES, BlockShape, Collections, first_position, new_token
from stream_match.milvus.segments import Progress, push_segment, put_from
from stream_match.milvus.sweep import drop_generations, drop_push, retire, sweep
from stream_match.milvus.tables import Generation, RemoteManifest, SearchIndex, current, described
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

_NOTHING = (Field("id", "INT64"), Field("none", "BINARY_VECTOR", 8))
"""Fields of a collection that is empty: the server makes none without."""


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
