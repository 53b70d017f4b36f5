"""An index brought up to date with folders of audio: what is new, changed or gone."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stream_match.catalog.build import BuildReport, report
from stream_match.catalog.coded_tracks import read_and_code
from stream_match.catalog.edit import basis_of, merged, open_to_change, without
from stream_match.catalog.entries import entry_of
from stream_match.catalog.find import Found, FoundTrack, find_tracks
from stream_match.catalog.generation import write_generation
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.marked import MARKED
from stream_match.catalog.metadata import Metadata, read_metadata, warn_of_unknown
from stream_match.catalog.readers import readers
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.store import OpenIndex
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.errors import CatalogError, UsageError
from stream_match.threads import one_thread


@dataclass(frozen=True)
class UpdateReport:
    """What came of an update.

    Parameters
    ----------
    added, changed, removed : int
        Tracks that are new, were read again, and are gone.
    kept : int
        Tracks that are as they were.
    build : BuildReport
        Of the files that were read.
    """

    added: int
    changed: int
    removed: int
    kept: int
    build: BuildReport


@dataclass
class _Difference:
    """What is to be done."""

    new: list[FoundTrack] = field(default_factory=list)
    changed: list[FoundTrack] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)


def update_index(
    index: Path,
    paths: Sequence[Path],
    *,
    jobs: int | None = None,
    on: str | None = None,
    metadata: Path | None = None,
    progress: bool = True,
) -> UpdateReport:
    """Take in what is new or changed in folders, and remove what is gone from them.

    A track has changed if its file has other bytes, or if the table gives it other names. What cannot be read
    now stays as it was. If nothing has changed, nothing is written.

    Parameters
    ----------
    index : Path
    paths : sequence of Path
        All files and folders that the index is made of; a track that is in none of them is gone.
    jobs, on, metadata, progress
        As in `build_index`.

    Raises
    ------
    UsageError
        If an argument is not what it should be, a folder has no audio in it, for it may not be
        mounted, or no track of the index is in what was given.
    CatalogError
        If the index cannot be loaded or written, or no track would be left.
    """
    began = time.perf_counter()
    index = settled(index)
    read_manifest(index)
    found = find_tracks(paths)
    _refuse_empty(paths, found)
    table = read_metadata(metadata)
    with one_thread(), writing(index, lambda: check_place(index, replace=True)) as draft:
        old = open_to_change(index)
        settings = old.manifest.settings
        todo = _difference(old, found, paths, table)
        warn_of_unknown(table, {track.id for track in found.tracks})
        of_files = sum(not row.id.startswith(MARKED) for row in old.rows)
        if todo.gone and len(todo.gone) == of_files:
            raise UsageError(
                f"none of the tracks of {str(index)!r} is in what was given: give all files and folders that "
                "it was made of; nothing was changed"
            )
        wanted = [*todo.new, *todo.changed]
        with readers(draft.work, jobs=jobs, on=on) as at:
            coded = read_and_code(
                replace(found, tracks=wanted),
                at,
                table,
                old.planes,
                settings,
                progress=progress,
                needed=False,
            )
        taken = frozenset(track.row.id for track in coded)
        changed = {track.id for track in todo.changed} & taken
        left = [row for row in old.rows if row.id not in todo.gone | changed]
        if not left and not coded:
            raise CatalogError(f"no track of {str(index)!r} would be left; nothing was changed")
        if coded or todo.gone:
            staying, joint = merged(without(old.segments, frozenset(todo.gone | changed)), coded)
            write_generation(draft, basis_of(old), staying, joint if coded else (), taken)
    return UpdateReport(
        added=len(coded) - len(changed),
        changed=len(changed),
        removed=len(todo.gone),
        kept=len(left),
        build=report(coded, [*left, *(track.row for track in coded)], found, began),
    )


def _refuse_empty(paths: Sequence[Path], found: Found) -> None:
    there = [track.path for track in found.tracks] + [twin for _, twin in found.twins]
    below = [path for path in (*there, *_skipped(found)) if isinstance(path, Path)]
    for given in paths:
        if not any(path == given or given in path.parents for path in below):
            raise UsageError(
                f"there is no audio in {str(given)!r}: is it mounted? If all of it is gone, leave it out"
            )


def _difference(old: OpenIndex, found: Found, paths: Sequence[Path], table: Metadata) -> _Difference:
    known = {row.id: row for row in old.rows}
    todo = _Difference()
    for track in found.tracks:
        row = known.pop(track.id, None)
        if row is None:
            todo.new.append(track)
        elif _has_changed(track, row, table, found):
            todo.changed.append(track)
    unread = _unread_below(found, paths)
    # What was marked stays, too: it is in no folder.
    staying = (MARKED, *unread)
    todo.gone = {name for name in known if not name.startswith(staying)}
    return todo


def _has_changed(track: FoundTrack, row: TrackRow, table: Metadata, found: Found) -> bool:
    if any(getattr(row, name) != text for name, text in table.get(track.id, {}).items()):
        return True
    try:
        return entry_of(track.local).sha256 != row.sha256
    except OSError as error:
        found.skipped.append((track.path, f"{str(track.path)!r} cannot be read: {error.strerror}"))
        return False


def _unread_below(found: Found, paths: Sequence[Path]) -> list[str]:
    """Return how the ids begin of tracks that may be there, in folders that could not be read."""
    unread = _skipped(found)
    unread += [path for path in (track.local for track in found.tracks) if _is_away(path)]
    prefixes = []
    for path in unread:
        for given in paths:
            if path == given:
                prefixes.append("")
            elif given in path.parents:
                prefixes.append(unicodedata.normalize("NFC", f"{path.relative_to(given).as_posix()}/"))
    return prefixes


def _skipped(found: Found) -> list[Path]:
    return [path for path, _ in found.skipped if isinstance(path, Path)]


def _is_away(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return True
    return False
