"""Tracks removed from an index on a Milvus server, while others listen with it."""

import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress

from stream_match.catalog.edit import refuse_unknown
from stream_match.catalog.entries import Counts
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.self_similarity import bias_of
from stream_match.errors import UsageError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.placed import Placed, place_tracks
from stream_match.milvus.push import switch, write_generation
from stream_match.milvus.sweep import delete_rows, sweep, sweep_rows
from stream_match.milvus.tables import Leaving, RemoteManifest, RemoteSegment, required


def remove_remote(address: MilvusAddress, track_ids: Sequence[str]) -> int:
    """Remove tracks from an index on a Milvus server.

    Listeners take it up first; then their rows are deleted.

    Parameters
    ----------
    address : MilvusAddress
    track_ids : sequence of str

    Returns
    -------
    int
        How many were removed.

    Raises
    ------
    UsageError
        If an id is unknown, or no track would be left.
    CatalogError
        If the index is not there or not whole; the server is away; or another process has changed the index
        meanwhile.
    """
    leaving = frozenset(unicodedata.normalize("NFC", track_id) for track_id in track_ids)
    with Connection.open(address) as connection:
        before = required(connection, address.name)
        placed = place_tracks(connection, before)
        refuse_unknown(leaving, placed.rows)
        if len(leaving) == len(placed.rows):
            raise UsageError(f"these are all tracks of {address.uri}: push another index in its place")
        sweep(connection, address.name, before)
        sweep_rows(connection, placed)
        manifest = _without(placed, leaving)
        after = write_generation(connection, before.collections, manifest)
        switch(connection, before, after)
        with suppress(MilvusError):  # they are gone for listeners; whoever writes next deletes their rows
            delete_rows(connection, before.collections, manifest.leaving)
    return len(leaving)


def _without(placed: Placed, leaving: frozenset[str]) -> RemoteManifest:
    """Return the manifest of an index of which some tracks have been removed."""
    segments: list[RemoteSegment] = []
    places: list[Leaving] = []
    for segment in placed.segments:
        gone = [number for number in segment.left if segment.rows[number].id in leaving]
        places += [segment.rows_of(number) for number in gone]
        if len(gone) < len(segment.left):
            removed = tuple(sorted({*segment.entry.removed, *gone}))
            segments.append(segment.entry.model_copy(update={"removed": removed}))
    cohort = {name: scores for name, scores in placed.manifest.cohort.items() if name not in leaving}
    return placed.manifest.model_copy(
        update={
            "generation": placed.manifest.generation + 1,
            "counts": counts_of(row for row in placed.rows if row.id not in leaving),
            "cohort": cohort,
            "excess": bias_of(cohort),
            "segments": tuple(segments),
            "leaving": tuple(places),
        }
    )


def counts_of(rows: Iterable[TrackRow]) -> Counts:
    """Return how much some tracks are."""
    rows = list(rows)
    return Counts(
        tracks=len(rows),
        seconds=round(sum(row.seconds for row in rows), 3),
        codes=sum(row.codes for row in rows),
    )
