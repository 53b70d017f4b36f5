"""Coded tracks, as an index is made of them: from audio files, or from a segment that has been written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream_match.catalog.find import Found, FoundTrack, Skipped
from stream_match.catalog.metadata import FIELDS, Metadata
from stream_match.catalog.progress import progress_bar
from stream_match.catalog.read import ReadTrack, Stretches, chroma_portions
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import OpenSegment
from stream_match.catalog.workers import read_all
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import Bytes, coarse_chroma
from stream_match.index.coding import HASHED_STRIDE, Hyperplanes, TrackCodes, code_track


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


def read_tracks(
    found: Found,
    work: Path,
    settings: FeatureSettings,
    *,
    jobs: int | None,
    progress: bool,
    needed: bool = True,
) -> list[tuple[FoundTrack, ReadTrack]]:
    """Read audio files, and tell those that can become tracks from the others.

    Parameters
    ----------
    found : Found
        Files that cannot become tracks are added to what it has skipped.
    work : Path
        An empty folder, which must outlive the results.
    settings : FeatureSettings
    jobs : int or None
    progress : bool
    needed : bool
        Whether one has to be read at least.

    Returns
    -------
    list of (FoundTrack, ReadTrack)
        In the order of `found`.

    Raises
    ------
    CatalogError
        If no file could be read, and one is needed.
    """
    paths = [track.path for track in found.tracks]
    with progress_bar(paths, shown=progress) as on_done:
        results = read_all(paths, work, settings, jobs=jobs, on_done=on_done)
    read: list[tuple[FoundTrack, ReadTrack]] = []
    unread: list[Skipped] = []
    for track, result in zip(found.tracks, results, strict=True):
        if isinstance(result, ReadTrack):
            read.append((track, result))
        else:
            unread.append((track.path, result.reason))
    found.skipped += unread
    if not read and needed:
        _, why = (unread or found.skipped)[0]
        raise CatalogError(f"no track could be read: {why}")
    return read


def code(
    found: FoundTrack,
    read: ReadTrack,
    metadata: Metadata,
    planes: Hyperplanes,
    settings: FeatureSettings,
    *,
    added: Mapping[str, Any] | None = None,
) -> CodedTrack:
    """Return the codes of a track that has been read, and its row.

    Parameters
    ----------
    found : FoundTrack
    read : ReadTrack
    metadata : mapping
        Wins over the file's tags.
    planes : Hyperplanes
    settings : FeatureSettings
    added : mapping, optional
        What a later version has added to its row.
    """
    parts = [code_track(frames, planes, settings) for frames in Stretches([read.frames], settings)]
    codes = np.concatenate([part.codes for part in parts])
    chroma_codes = np.concatenate([part.chroma_codes for part in parts])
    audible = np.concatenate([part.audible for part in parts])
    named = {**read.tags, **metadata.get(found.id, {})}
    names = {field: _storable(named[field]) for field in FIELDS if field in named}
    row = TrackRow(
        id=found.id,
        title=names.get("title"),
        artist=names.get("artist"),
        album=names.get("album"),
        seconds=round(read.seconds, 3),
        codes=len(codes),
        sha256=read.sha256,
        **(added or {}),
    )
    coarse = coarse_chroma(chroma_portions(read.frames, settings), settings)
    return CodedTrack(row, TrackCodes(codes, chroma_codes, audible), coarse)


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
