"""Tracks added to an index and removed from it, and its segments merged, without the audio of the others."""

import difflib
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stream_match.catalog.build import BuildReport, fit, report
from stream_match.catalog.coded_tracks import (
    CodedTrack,
    code_read,
    read_and_code,
    read_tracks,
    stored_tracks,
)
from stream_match.catalog.described import compacted
from stream_match.catalog.entries import FORMAT_VERSION, PLANES, PartEntry
from stream_match.catalog.find import Found, FoundTrack, find_tracks
from stream_match.catalog.generation import Basis, write_generation
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.metadata import FIELDS, read_metadata, warn_of_unknown
from stream_match.catalog.read import ReadTrack
from stream_match.catalog.readers import readers
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import OpenSegment, write_planes
from stream_match.catalog.store import OpenIndex, open_index
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.errors import CatalogError, UsageError
from stream_match.threads import one_thread

MERGED_UP_TO = 1_000_000
"""Codes of a segment, 50 hours, up to which it takes in smaller ones: to write one then takes seconds."""


def add_tracks(
    index: Path,
    paths: Sequence[AudioPath],
    *,
    jobs: int | None = None,
    on: str | None = None,
    metadata: Path | None = None,
    progress: bool = True,
) -> BuildReport:
    """Add audio files to an index, coded by its own hyperplanes and settings.

    Parameters
    ----------
    index : Path
    paths : sequence of Path or UrlPath
        Files and folders.
    jobs, on, metadata, progress
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
    read_manifest(index)  # before a lock in something that is no index
    found = find_tracks(paths)
    table = read_metadata(metadata)
    with one_thread(), writing(index, lambda: check_place(index, replace=True)) as draft:
        old = open_to_change(index)
        refuse_known(found.tracks, old.rows, "or give the whole folder to stream-match index update")
        warn_of_unknown(table, {track.id for track in found.tracks} | {row.id for row in old.rows})
        settings = old.manifest.settings
        with readers(draft.work, jobs=jobs, on=on) as at:
            new = read_and_code(found, at, table, old.planes, settings, progress=progress)
        staying, coded = merged(old.segments, new)
        write_generation(draft, basis_of(old), staying, coded, frozenset(track.row.id for track in new))
    return report(new, [*old.rows, *(track.row for track in new)], found, began)


def merged(
    segments: Sequence[OpenSegment], new: Sequence[CodedTrack]
) -> tuple[list[OpenSegment], list[CodedTrack]]:
    """Return which segments stay, and the tracks of a new one that takes in the others.

    It takes in those that are not larger than what it then holds, from the newest back, up to `MERGED_UP_TO`:
    a track is written again as often only as the index doubles. Up to there, segments are few. Larger ones
    stay: an index that has grown by `add` has one for every 50 h, 14 of them at 700 h. So does a segment of
    which a later version says more than is known here.

    Parameters
    ----------
    segments : sequence of OpenSegment
    new : sequence of CodedTrack
    """
    staying, coded = list(segments), list(new)
    size = sum(len(track.codes.codes) for track in new)
    while staying:
        own = sum(staying[-1].rows[number].codes for number in staying[-1].left)
        if own > size or own + size > MERGED_UP_TO or (own and staying[-1].entry.says_more):
            break
        coded += stored_tracks(staying.pop())
        size += own
    return staying, coded


def remove_tracks(index: Path, track_ids: Sequence[str]) -> int:
    """Remove tracks from an index; what else is in it is not written again.

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
    read_manifest(index)
    leaving = frozenset(unicodedata.normalize("NFC", track_id) for track_id in track_ids)
    with one_thread(), writing(index, lambda: check_place(index, replace=True)) as draft:
        old = open_to_change(index)
        refuse_unknown(leaving, old.rows)
        if len(leaving) == len(old.rows):
            raise UsageError(f"these are all tracks of {str(index)!r}: delete the folder instead")
        write_generation(draft, basis_of(old), without(old.segments, leaving), (), frozenset())
    return len(leaving)


def without(segments: Sequence[OpenSegment], leaving: frozenset[str]) -> list[OpenSegment]:
    """Return segments of which some tracks have been removed."""
    left = []
    for segment in segments:
        gone = [number for number, row in enumerate(segment.rows) if row.id in leaving]
        removed = tuple(sorted({*segment.entry.removed, *gone}))
        left.append(replace(segment, entry=segment.entry.model_copy(update={"removed": removed})))
    return left


def compact_index(
    index: Path,
    *,
    refit: Sequence[Path] | None = None,
    jobs: int | None = None,
    on: str | None = None,
    progress: bool = True,
) -> int:
    """Merge all segments of an index into one, without what has been removed.

    Parameters
    ----------
    index : Path
    refit : sequence of Path, optional
        Where the audio of its tracks lies, to fit the hyperplanes anew; ids and names stay.
    jobs, on, progress
        As in `build_index`.

    Returns
    -------
    int
        How many tracks it holds.

    Raises
    ------
    UsageError
        If the audio of a track is not there.
    CatalogError
        If the index cannot be loaded or written, holds parts that are not known here, or the audio of a
        track cannot be read.
    """
    index = settled(index)
    read_manifest(index)
    with one_thread(), writing(index, lambda: check_place(index, replace=True)) as draft:
        old = open_to_change(index)
        if old.manifest.says_more:
            raise CatalogError(
                f"{str(index)!r} holds parts that this version of stream-match cannot read: compact it with "
                "a newer one; nothing was changed"
            )
        basis, new = basis_of(old), frozenset[str]()
        basis = _with_parts(basis, descriptors=compacted(old, draft.new / PLANES))
        if refit is None:
            coded = [track for segment in old.segments for track in stored_tracks(segment)]
        else:
            found = _audio_of(old, refit)
            settings = old.manifest.settings
            rows = {row.id: row for row in old.rows}
            names = {name: _names_of(row) for name, row in rows.items()}
            with readers(draft.work, jobs=jobs, on=on) as at:
                read = read_tracks(found, at, settings, progress=progress)
                _require_all(found, read)
                basis = replace(basis, planes=fit(read, at, settings))
                basis = _with_parts(basis, hyperplanes=write_planes(basis.planes, draft.new / PLANES))
                added = {name: row.model_extra for name, row in rows.items()}
                coded = code_read(read, at, names, basis.planes, settings, added=added.get)
            new = frozenset(names)
        write_generation(draft, basis, (), coded, new)
    return len(coded)


def _with_parts(basis: Basis, **parts: PartEntry | None) -> Basis:
    return replace(basis, parts=basis.parts.model_copy(update=parts))


def _audio_of(index: OpenIndex, paths: Sequence[Path]) -> Found:
    """Return the files of all tracks of an index."""
    found = find_tracks(paths)
    known = {row.id for row in index.rows}
    found.tracks[:] = [track for track in found.tracks if track.id in known]
    missing = sorted(known - {track.id for track in found.tracks})
    if missing:
        shown = ", ".join(repr(str(path)) for path in paths)
        raise UsageError(
            f"the audio of the track {missing[0]!r} is not in {shown}: "
            "give the paths that the index was built from, or remove the track"
        )
    return found


def _require_all(found: Found, read: Sequence[tuple[FoundTrack, ReadTrack]]) -> None:
    """Refuse to go on without a track whose audio could not be read."""
    heard, why = {track.id for track, _ in read}, dict(found.skipped)
    for track in found.tracks:
        if track.id not in heard:
            raise CatalogError(
                f"{why[track.path]}; without the track {track.id!r} the index cannot be fitted anew"
            )


def _names_of(row: TrackRow) -> dict[str, str]:
    return {field: text for field in FIELDS if (text := getattr(row, field)) is not None}


def basis_of(index: OpenIndex) -> Basis:
    """Return what the segments of an index have in common."""
    manifest = index.manifest
    return Basis(
        manifest.settings,
        index.planes,
        manifest.parts,
        manifest.generation,
        manifest.cohort,
        manifest.added(),
    )


def open_to_change(folder: Path, *, descriptors: bool = True) -> OpenIndex:
    """Open an index that is about to be changed.

    Parameters
    ----------
    folder : Path
    descriptors : bool
        As for `open_index`.

    Raises
    ------
    CatalogError
        As `open_index`; or if it is of a later format, which can be read here: what is written here would
        not fit it.
    """
    index = open_index(folder, descriptors=descriptors)
    version = index.manifest.format_version
    if version > FORMAT_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, and this version of stream-match "
            f"writes {FORMAT_VERSION}: change it with a newer one; nothing was changed"
        )
    return index


def refuse_known(found: Sequence[FoundTrack], rows: Sequence[TrackRow], hint: str) -> None:
    """Refuse files that would become tracks with ids that an index has already.

    Parameters
    ----------
    found : sequence of FoundTrack
    rows : sequence of TrackRow
        The tracks of the index.
    hint : str
        What else can be done than to remove them or to rename the files.
    """
    known = {row.id for row in rows}
    twice = [track for track in found if track.id in known]
    if twice:
        raise UsageError(
            f"the index has a track {twice[0].id!r} already, and {str(twice[0].path)!r} would be another: "
            f"remove it first, rename the file, {hint}"
        )


def refuse_unknown(track_ids: frozenset[str], rows: Sequence[TrackRow]) -> None:
    """Refuse ids that none of the tracks of an index has."""
    known = [row.id for row in rows]
    for track_id in sorted(track_ids - set(known)):
        near = difflib.get_close_matches(track_id, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"the index has no track {track_id!r}{hint}")
