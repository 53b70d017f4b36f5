"""Tracks added to an index and removed from it, without the audio of the others."""

import difflib
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream_match.catalog.build import BuildReport, CodedTrack, code, read_tracks, report, write_tracks
from stream_match.catalog.find import FoundTrack, find_tracks
from stream_match.catalog.metadata import read_metadata, warn_of_unknown
from stream_match.catalog.store import OpenIndex, check_place, open_index
from stream_match.catalog.swap import replacing, settled
from stream_match.errors import UsageError
from stream_match.match.reference import HASHED_STRIDE, TrackCodes
from stream_match.threads import one_thread


def add_tracks(
    index: Path,
    paths: Sequence[Path],
    *,
    jobs: int | None = None,
    metadata: Path | None = None,
    progress: bool = True,
) -> BuildReport:
    """Add audio files to an index, coded by its own hyperplanes and settings.

    Parameters
    ----------
    index : Path
    paths : sequence of Path
        Files and folders.
    jobs, metadata, progress
        As in `build_index`.

    Raises
    ------
    UsageError
        If an argument is not what it should be, or a track is there already.
    CatalogError
        If the index cannot be loaded or written, or no file could be read.
    """
    began = time.perf_counter()
    index = settled(index)
    open_index(index)  # before a lock beside something that is no index
    found = find_tracks(paths)
    table = read_metadata(metadata)
    with one_thread(), replacing(index, lambda: check_place(index, replace=True)) as staging:
        old = open_index(index)
        _refuse_known(found.tracks, old)
        warn_of_unknown(table, {track.id for track in found.tracks} | {row.id for row in old.rows})
        settings, planes = old.reference.settings, old.reference.planes
        read = read_tracks(found, staging.work, settings, jobs=jobs, progress=progress)
        new = [code(track, heard, table, planes, settings) for track, heard in read]
        everything = [*stored_tracks(old), *new]
        write_tracks(everything, planes, settings, staging.new)
    return report(new, everything, found, began)


def remove_tracks(index: Path, track_ids: Sequence[str]) -> int:
    """Remove tracks from an index.

    Parameters
    ----------
    index : Path
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
        If the index cannot be loaded or written.
    """
    index = settled(index)
    open_index(index)
    leaving = {unicodedata.normalize("NFC", track_id) for track_id in track_ids}
    with one_thread(), replacing(index, lambda: check_place(index, replace=True)) as staging:
        old = open_index(index)
        _refuse_unknown(leaving, old)
        left = [track for track in stored_tracks(old) if track.row.id not in leaving]
        if not left:
            raise UsageError(f"these are all tracks of {str(index)!r}: delete the folder instead")
        write_tracks(left, old.reference.planes, old.reference.settings, staging.new)
    return len(leaving)


def stored_tracks(index: OpenIndex) -> list[CodedTrack]:
    """Return the tracks of an index as they were coded.

    Parameters
    ----------
    index : OpenIndex
    """
    reference, versions = index.reference, index.reference.versions
    assert versions is not None  # every index on disk has them
    codes, hashed = reference.codes, reference.hashed
    tracks = []
    for number, row in enumerate(index.rows):
        at = slice(row.first, row.first + row.codes)
        audible = reference.audible[at]
        wanted = audible[::HASHED_STRIDE]
        chroma_codes = np.zeros((len(wanted), reference.chroma_codes.shape[1]), np.uint8)
        first = np.searchsorted(hashed, row.first)
        chroma_codes[wanted] = reference.chroma_codes[first : first + wanted.sum()]
        coarse = versions.chroma[versions.starts[number] : versions.starts[number + 1]]
        tracks.append(CodedTrack(row, TrackCodes(codes[at], chroma_codes, audible), coarse))
    return tracks


def _refuse_known(found: Sequence[FoundTrack], index: OpenIndex) -> None:
    known = {row.id for row in index.rows}
    twice = [track for track in found if track.id in known]
    if twice:
        raise UsageError(
            f"the index has a track {twice[0].id!r} already, and {str(twice[0].path)!r} would be another: "
            "remove it first, or rename the file"
        )


def _refuse_unknown(track_ids: set[str], index: OpenIndex) -> None:
    known = [row.id for row in index.rows]
    for track_id in sorted(track_ids - set(known)):
        near = difflib.get_close_matches(track_id, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"the index has no track {track_id!r}{hint}")
