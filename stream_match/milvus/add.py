"""Audio files added to an index on a Milvus server, while others listen with it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stream_match.catalog.build import BuildReport, report
from stream_match.catalog.coded_tracks import CodedTrack, read_and_code
from stream_match.catalog.edit import MERGED_UP_TO, refuse_known
from stream_match.catalog.entries import PLANES, SEGMENTS
from stream_match.catalog.find import find_tracks
from stream_match.catalog.generation import new_segment, with_copies
from stream_match.catalog.metadata import read_metadata, warn_of_unknown
from stream_match.catalog.readers import readers
from stream_match.catalog.segments import open_planes, write_segment
from stream_match.catalog.self_similarity import Scores, bias_of, self_scores
from stream_match.catalog.url_path import AudioPath
from stream_match.errors import CatalogError
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.claims import Beat, Claim
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.files import fetch_files
from stream_match.milvus.layout import BLOCK, BlockShape, first_position
from stream_match.milvus.opening import Known, Opened
from stream_match.milvus.outage import Patient
from stream_match.milvus.placed import Placed, PlacedSegment, place_tracks
from stream_match.milvus.push import LSH_TRACKS, now_ms, switch, write_generation
from stream_match.milvus.remove import counts_of
from stream_match.milvus.segments import push_segment
from stream_match.milvus.stored import StoredTrack, each_stored
from stream_match.milvus.sweep import delete_rows, sweep, sweep_rows
from stream_match.milvus.tables import current, required
from stream_match.milvus.writer import Writer
from stream_match.threads import one_thread


def add_remote(
    address: MilvusAddress,
    paths: Sequence[AudioPath],
    *,
    jobs: int | None = None,
    on: str | None = None,
    metadata: Path | None = None,
    progress: bool = True,
) -> BuildReport:
    """Add audio files to an index on a Milvus server, coded by its own hyperplanes and settings.

    Parameters
    ----------
    address : MilvusAddress
    paths : sequence of Path or UrlPath
        Files and folders.
    jobs, on, metadata, progress
        As in `build_index`.

    Raises
    ------
    UsageError
        If an argument is not what it should be, or a track is there already.
    CatalogError
        If the index is not there or not whole; no file could be read; the server is away; or another process
        has changed the index meanwhile. Nothing has changed for listeners then.
    """
    began = time.perf_counter()
    found = find_tracks(paths)
    table = read_metadata(metadata)
    with (
        one_thread(),
        TemporaryDirectory(prefix="stream-match-") as scratch,
        Connection.open(address) as connection,
    ):
        placed = place_tracks(connection, required(connection, address.name))
        refuse_known(found.tracks, placed.rows, "or push another index in the place of this one")
        warn_of_unknown(table, {track.id for track in found.tracks} | {row.id for row in placed.rows})
        sweep(connection, address.name, placed.generation)
        sweep_rows(connection, placed)
        settings, part = placed.manifest.settings, placed.manifest.planes
        folder, work = Path(scratch, "index"), Path(scratch, "work")
        work.mkdir()
        of_planes = {f"{PLANES}/{part.folder}/{name}": entry for name, entry in part.files.items()}
        fetch_files(connection, placed.generation.collections, of_planes, folder)
        planes = open_planes(folder / PLANES / part.folder, part, settings)
        with readers(work, jobs=jobs, on=on) as at:
            coded = read_and_code(found, at, table, planes, settings, progress=progress)
        labelled, scores = _judged(connection, placed, folder, coded)
        _publish(connection, placed, labelled, scores, folder)
    return report(coded, [*placed.rows, *(track.row for track in coded)], found, began)


def _judged(
    connection: Connection, placed: Placed, folder: Path, coded: Sequence[CodedTrack]
) -> tuple[list[CodedTrack], Scores]:
    """Return new tracks with the labels of their copies, and how the index resembles itself with them."""
    made = new_segment(coded, placed.manifest.settings)
    new = frozenset(row.id for row in made.rows)
    known: Known = {}

    def opened() -> Opened:
        return Opened(connection, Patient(connection), placed.generation, folder, known, [made])

    without_copies = opened()
    made = with_copies([*without_copies.segments, made], without_copies.catalogue, new)
    catalogue = replace(opened().catalogue, score_bias=0.0)
    rows = {row.id: row for row in made.rows}
    labelled = [replace(track, row=rows[track.row.id]) for track in coded]
    return labelled, self_scores(catalogue, placed.manifest.cohort, among=new)


def _taken_in(placed: Placed, size: int) -> tuple[list[PlacedSegment], list[PlacedSegment]]:
    """Return the segments that stay, and those that a new one of so many codes takes in.

    As in an index folder, see `stream_match.catalog.edit.merged`: so segments are few. Rows of tracks stay
    where they are.
    """
    staying, taken = [*placed.segments], list[PlacedSegment]()
    while staying:
        own = sum(staying[-1].rows[number].codes for number in staying[-1].left)
        if own > size or own + size > MERGED_UP_TO:
            break
        taken.append(staying.pop())
        size += own
    return staying, taken


def _publish(
    connection: Connection, placed: Placed, new: Sequence[CodedTrack], scores: Scores, folder: Path
) -> None:
    """Write new tracks, and let the index be another generation that has them too."""
    manifest, collections = placed.manifest, placed.generation.collections
    shape = BlockShape.of(manifest.settings)
    staying, taken = _taken_in(placed, sum(len(track.codes.codes) for track in new))
    stored = [*each_stored(connection, placed, taken)]
    _require_whole(stored)
    there = {track.segment.rows[track.number].id: track.place for track in stored}
    made = new_segment([*(track.coded(shape) for track in stored), *new], manifest.settings)
    made = replace(made, entry=write_segment(made.segment, made.rows, folder / SEGMENTS))
    first = first_position(now_ms(), manifest.beyond)
    n_steps = sum(len(track.coarse) for track in new if track.coarse is not None)
    size = sum(len(track.codes.codes) for track in new) + n_steps + BLOCK * len(new)
    claim = Claim(first=first, beyond=first + size, seen_s=0.0)
    beat = Beat(connection, collections, claim)
    beat()
    try:
        writer = Writer(connection, collections, shape, beat)
        rows = [*placed.rows, *(track.row for track in new)]
        segment, beyond = push_segment(
            writer,
            made,
            folder,
            first,
            with_lsh=len(rows) <= LSH_TRACKS,
            with_steps=manifest.shingles is not None,
            there=there,
        )
        writer.finish()
        after = manifest.model_copy(
            update={
                "generation": manifest.generation + 1,
                "counts": counts_of(rows),
                "cohort": dict(scores),
                "excess": bias_of(scores),
                "beyond": beyond,
                "leaving": (),
                "segments": (*(one.entry for one in staying), segment),
            }
        )
        switch(connection, placed.generation, write_generation(connection, collections, after))
    except BaseException:
        with suppress(MilvusError):  # whoever writes next deletes them
            # It may have been switched although the answer was lost.
            if current(connection, collections.name) == placed.generation:
                rows_left = claim.rows(with_steps=manifest.shingles is not None)
                delete_rows(connection, collections, [rows_left])
                beat.end()
        raise
    with suppress(MilvusError):  # whoever writes next withdraws the claim
        beat.end()


def _require_whole(stored: Sequence[StoredTrack]) -> None:
    """Refuse to go on with tracks of which rows are missing or have been altered."""
    torn = [track.segment.rows[track.number].id for track in stored if not track.whole]
    if torn:
        raise CatalogError(
            f"blocks are missing or have been altered, of {torn[0]!r}: push the index again; nothing was "
            "changed"
        )
