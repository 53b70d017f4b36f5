"""An index folder opened: its manifest, and everything that this names, mapped and checked."""

import errno
import logging
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from stream_match.catalog.described_rows import DescribedRows, open_descriptors
from stream_match.catalog.entries import PLANES, SEGMENTS, FileEntry, Manifest, entry_of
from stream_match.catalog.manifest import CHECKED_UP_TO_BYTES, manifest_text, read_manifest
from stream_match.catalog.parts import DamagedDescriptorsError, damaged
from stream_match.catalog.rows import Rows, TrackRow
from stream_match.catalog.segments import OpenSegment, open_planes, open_segment
from stream_match.catalog.writing import settled
from stream_match.config import FeatureSettings
from stream_match.descriptors.similar_tracks import SimilarTracks
from stream_match.errors import CatalogError
from stream_match.index.catalogue import Catalogue, Part, catalogue_of, grouped
from stream_match.index.coding import Hyperplanes
from stream_match.index.copies import groups_by_label

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_ATTEMPTS = 10
"""So often an index that changes while it is read is read again."""


@dataclass(frozen=True)
class OpenIndex:
    """An index with what only its editing needs.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    planes : Hyperplanes
    segments : tuple of OpenSegment
        In the order of the manifest.
    descriptors : DescribedRows, optional
        None if there are none that can be read here.
    """

    folder: Path
    manifest: Manifest
    planes: Hyperplanes
    segments: tuple[OpenSegment, ...]
    descriptors: DescribedRows | None = None

    @cached_property
    def rows(self) -> tuple[TrackRow, ...]:
        """The tracks that have not been removed, by number."""
        return tuple(segment.rows[number] for segment in self.segments for number in segment.left)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue in memory; no background stands beside it."""
        similar = comparable(self.descriptors, self.rows)
        return replace(joined(self.segments, self.planes, self.manifest), similar=similar)


def comparable(stored: DescribedRows | None, rows: Rows) -> SimilarTracks | None:
    """Return tracks as they can be compared by their descriptors; None if they cannot.

    Parameters
    ----------
    stored : DescribedRows, optional
    rows : tuple of TrackRow
        The tracks of the catalogue, by number.
    """
    if stored is None or not stored.comparable:
        return None
    places = stored.places(rows)
    tracks = tuple(row.track for row, place in zip(rows, places, strict=True) if place >= 0)
    return SimilarTracks(tracks, stored.sets, places[places >= 0], stored.closeness) if tracks else None


class Judged(Protocol):
    """What a catalogue is besides its tracks."""

    @property
    def settings(self) -> FeatureSettings:
        """Of its features."""

    @property
    def excess(self) -> float:
        """Its score bias."""


def joined(segments: Sequence[OpenSegment], planes: Hyperplanes, manifest: Judged) -> Catalogue:
    """Return segments as a catalogue of which it is known which tracks are copies.

    Parameters
    ----------
    segments : sequence of OpenSegment
    planes : Hyperplanes
    manifest : Judged
    """
    parts = [
        Part(segment.segment, tuple(row.track for row in segment.rows), frozenset(segment.entry.removed))
        for segment in segments
    ]
    catalogue = catalogue_of(parts, planes, manifest.settings, score_bias=manifest.excess)
    return grouped(catalogue, groups_by_label(labels_of(segments)))


def labels_of(segments: Sequence[OpenSegment]) -> list[set[str]]:
    """Return what tells which recording each track holds, by the track's number."""
    rows = (segment.rows[number] for segment in segments for number in segment.left)
    return [{row.sha256, *row.copies} for row in rows]


def open_index(path: Path, *, descriptors: bool = True) -> OpenIndex:
    """Open an index; whatever is wrong with it is a `CatalogError`.

    Parameters
    ----------
    path : Path
        Its folder.
    descriptors : bool
        False for an index whose descriptors may be damaged: they are passed over.

    Raises
    ------
    CatalogError
        If it is no index, of another format version or of other feature code, or not whole.
    """
    folder = settled(path)

    def opened() -> OpenIndex:
        try:
            manifest = read_manifest(folder)
            return _open(folder, manifest if descriptors else manifest.without_descriptors())
        except (OSError, MemoryError) as error:
            raise unreadable(error, folder) from error

    return of_one_generation(folder, opened)


def of_one_generation(folder: Path, read: Callable[[], Result]) -> Result:
    """Read from an index; if it was replaced meanwhile, read again, `_ATTEMPTS` times at most.

    Parameters
    ----------
    folder : Path
    read : callable
        Reads the manifest, and what this names.

    Raises
    ------
    CatalogError
        Of `read`, if the index was not replaced since; or of the last attempt.
    """
    for _ in range(_ATTEMPTS - 1):
        text = manifest_text(folder)
        try:
            return read()
        except CatalogError:
            # What it names may have been deleted since: then there is another manifest.
            if manifest_text(folder) == text:
                raise
    return read()


def open_usable(path: Path) -> OpenIndex:
    """Open an index, without its descriptors if these are damaged, which is told in the log.

    Parameters
    ----------
    path : Path
        Its folder.

    Raises
    ------
    CatalogError
        As `open_index`, of what else it holds.
    """
    try:
        return open_index(path)
    except DamagedDescriptorsError as error:
        index = open_index(path, descriptors=False)
        log.warning("%s; the rest is used", error)
        return index


def unreadable(error: OSError | MemoryError, folder: Path) -> CatalogError:
    """Return what the system says: there may be nothing wrong with the index.

    Parameters
    ----------
    error : OSError or MemoryError
    folder : Path
        Named if the error names no file.
    """
    why = getattr(error, "strerror", None) or os.strerror(errno.ENOMEM)
    problem = CatalogError(f"{str(getattr(error, 'filename', None) or folder)!r} cannot be read: {why}")
    problem.__cause__ = error
    return problem


def _open(folder: Path, manifest: Manifest) -> OpenIndex:
    files = manifest.files()
    thorough = sum(entry.bytes for entry in files.values()) <= CHECKED_UP_TO_BYTES
    for name, entry in files.items():
        check_file(folder, name, entry, thorough=thorough)
    settings, planes = manifest.settings, manifest.parts.hyperplanes
    segments = tuple(
        open_segment(folder / SEGMENTS / entry.folder, entry, settings, thorough=thorough)
        for entry in manifest.segments
    )
    index = OpenIndex(
        folder,
        manifest,
        open_planes(folder / PLANES / planes.folder, planes, settings),
        segments,
        open_descriptors(folder / PLANES, manifest.parts.descriptors),
    )
    _check_counts(index)
    without = sum(segment.segment.harmony is None for segment in segments)
    if without:
        log.warning(
            "the index %r has no part for versions that can be read here: they are not looked for",
            str(folder),
        )
    return index


def _check_counts(index: OpenIndex) -> None:
    counts, rows = index.manifest.counts, index.rows
    if len(rows) != counts.tracks or sum(row.codes for row in rows) != counts.codes:
        raise CatalogError(f"the index {str(index.folder)!r} contradicts itself (counts): build it again")
    if len({row.id for row in rows}) < len(rows):
        raise CatalogError(f"the index {str(index.folder)!r} names a track twice: build it again")


def check_file(folder: Path, name: str, expected: FileEntry, *, thorough: bool) -> None:
    """Compare a file with its entry.

    Parameters
    ----------
    folder : Path
    name : str
        Below it.
    expected : FileEntry
    thorough : bool
        Whether its contents are looked at.

    Raises
    ------
    CatalogError
        If it is missing, a link, of another length, or of other contents; or cannot be read.
    """
    path = folder / name
    try:
        problem = _difference(path, expected, thorough=thorough)
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        raise CatalogError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if problem is not None:
        raise damaged(path, problem)


def _difference(path: Path, expected: FileEntry, *, thorough: bool) -> str | None:
    if path.parent.is_symlink() or path.parent.parent.is_symlink():
        return "lies behind a link"
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_size != expected.bytes:  # a giant in its place is not read
        return f"has {status.st_size} bytes, expected {expected.bytes}"
    return "has been altered" if thorough and entry_of(path) != expected else None
