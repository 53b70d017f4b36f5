"""Coded tracks, as an index is made of them: from audio files, or from a segment that has been written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from stream_match.catalog.coded_files import CodedFile, Coding, code_file, read_and_code_file
from stream_match.catalog.find import Found, FoundTrack, Skipped
from stream_match.catalog.metadata import FIELDS, Metadata
from stream_match.catalog.progress import Heard, progress_bar
from stream_match.catalog.read import ReadTrack, Unread, read_track
from stream_match.catalog.readers import Readers
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import OpenSegment
from stream_match.catalog.workers import Read
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import Bytes
from stream_match.index.coding import HASHED_STRIDE, Hyperplanes, TrackCodes

Result = TypeVar("Result")
Outcome = TypeVar("Outcome", bound=Heard)
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class CodedTrack:
    """A track as it goes into an index.

    Parameters
    ----------
    row : TrackRow
    codes : TrackCodes
    coarse : np.ndarray [shape=(n_steps, 12), dtype=uint8], optional
        Coarse chroma, for the version lane.
    """

    row: TrackRow
    codes: TrackCodes
    coarse: Bytes | None


def nothing_added(track_id: str) -> None:
    """Say that no later version has added anything to a row."""


def read_tracks(
    found: Found, at: Readers, settings: FeatureSettings, *, progress: bool
) -> list[tuple[FoundTrack, ReadTrack]]:
    """Read audio files, and tell those that can become tracks from the others.

    Parameters
    ----------
    found : Found
        Files that cannot become tracks are added to what it has skipped.
    at : Readers
        Their frames stay there.
    settings : FeatureSettings
    progress : bool

    Returns
    -------
    list of (FoundTrack, ReadTrack)
        In the order of `found`.

    Raises
    ------
    CatalogError
        If no file could be read.
    """
    return _told_apart(found, at, read_track, settings, progress=progress, needed=True)


def code_read(
    read: Sequence[tuple[FoundTrack, ReadTrack]],
    at: Readers,
    metadata: Metadata,
    planes: Hyperplanes,
    settings: FeatureSettings,
    *,
    added: Callable[[str], Mapping[str, Any] | None] = nothing_added,
) -> list[CodedTrack]:
    """Code tracks that have been read.

    Parameters
    ----------
    read : sequence of (FoundTrack, ReadTrack)
        From `read_tracks`.
    at : Readers
        That have read them.
    metadata : mapping
        Wins over the files' tags.
    planes : Hyperplanes
    settings : FeatureSettings
    added : callable (str) -> mapping or None, optional
        What a later version has added to the row of a track, by its id.

    Raises
    ------
    CatalogError
        If a file had to be read again, and cannot be or has changed.
    """
    files = [track.path for track, _ in read]
    coded = []
    results = at.each(files, code_file, Coding(settings, planes), kept=True)
    for (track, before), result in zip(read, results, strict=True):
        again = require_kept(result)
        if again.read is not None and again.read != before:
            raise CatalogError(f"'{track.path}' has changed while it was read: build again")
        coded.append(_coded(track, before, again, metadata, added(track.id)))
    return coded


def require_kept(result: Result | Unread) -> Result:
    """Return what came of a file that had been read before.

    Raises
    ------
    CatalogError
        If it cannot be read any more.
    """
    if isinstance(result, Unread):
        raise CatalogError(f"what could be read a while ago cannot now: {result.reason}")
    return result


def read_and_code(
    found: Found,
    at: Readers,
    metadata: Metadata,
    planes: Hyperplanes,
    settings: FeatureSettings,
    *,
    progress: bool,
    needed: bool = True,
) -> list[CodedTrack]:
    """Read and code audio files, each at once.

    Parameters
    ----------
    found : Found
        Files that cannot become tracks are added to what it has skipped.
    at, metadata, planes, settings
        As for `code_read`.
    progress : bool
    needed : bool
        Whether one has to be read at least.

    Returns
    -------
    list of CodedTrack
        In the order of `found`.

    Raises
    ------
    CatalogError
        If no file could be read, and one is needed.
    """
    coding = Coding(settings, planes)
    coded = _told_apart(found, at, read_and_code_file, coding, progress=progress, needed=needed)
    return [
        _coded(track, result.read, result, metadata) for track, result in coded if result.read is not None
    ]


def _told_apart(
    found: Found,
    at: Readers,
    read: Read[Settings, Outcome],
    settings: Settings,
    *,
    progress: bool,
    needed: bool,
) -> list[tuple[FoundTrack, Outcome]]:
    """Read files, and tell those that can become tracks from the others."""
    paths = [track.path for track in found.tracks]
    with progress_bar(paths, shown=progress) as on_done:
        results = at.each(paths, read, settings, on_done=on_done)
    fit: list[tuple[FoundTrack, Outcome]] = []
    unread: list[Skipped] = []
    for track, result in zip(found.tracks, results, strict=True):
        if isinstance(result, Unread):
            unread.append((track.path, result.reason))
        else:
            fit.append((track, result))
    found.skipped += unread
    if not fit and needed:
        _, why = (unread or found.skipped)[0]
        raise CatalogError(f"no track could be read: {why}")
    return fit


def _coded(
    found: FoundTrack,
    read: ReadTrack,
    coded: CodedFile,
    metadata: Metadata,
    added: Mapping[str, Any] | None = None,
) -> CodedTrack:
    named = {**read.tags, **metadata.get(found.id, {})}
    names = {field: _storable(named[field]) for field in FIELDS if field in named}
    row = TrackRow(
        id=found.id,
        title=names.get("title"),
        artist=names.get("artist"),
        album=names.get("album"),
        seconds=round(read.seconds, 3),
        codes=len(coded.codes.codes),
        sha256=read.sha256,
        **(added or {}),
    )
    return CodedTrack(row, coded.codes, coded.coarse)


def stored_tracks(stored: OpenSegment) -> list[CodedTrack]:
    """Return the tracks of a segment that have not been removed, as they were coded; see `each_stored`."""
    return [*each_stored(stored)]


def each_stored(stored: OpenSegment) -> Iterator[CodedTrack]:
    """Yield the tracks of a segment that have not been removed, as they were coded, one after the other.

    Parameters
    ----------
    stored : OpenSegment

    Raises
    ------
    CatalogError
        If its arrays contradict each other: in a large index nobody has looked so far.
    """
    segment, harmony = stored.segment, stored.segment.harmony
    hashed = segment.hashed
    if len(hashed) != len(segment.chroma_codes):
        raise CatalogError(
            f"the segment {stored.entry.folder} contradicts itself (counts): build the index again"
        )
    for number in stored.left:
        first, beyond = segment.starts[number : number + 2].tolist()
        audible = np.array(segment.audible[first:beyond])
        wanted = audible[::HASHED_STRIDE]
        chroma_codes = np.zeros((len(wanted), segment.chroma_codes.shape[1]), np.uint8)
        at = int(np.searchsorted(hashed, first))
        chroma_codes[wanted] = segment.chroma_codes[at : at + int(wanted.sum())]
        codes = TrackCodes(segment.codes[first:beyond], chroma_codes, audible)
        coarse = None
        if harmony is not None:
            coarse = harmony.chroma[harmony.starts[number] : harmony.starts[number + 1]]
        yield CodedTrack(stored.rows[number], codes, coarse)


def _storable(text: str) -> str:
    """Return text that is UTF-8 for certain; tags are bytes of anybody's."""
    return text.encode("utf-8", "replace").decode()
