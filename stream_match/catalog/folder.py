"""An index folder: loaded only if whole, described and verified."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.background import ready
from stream_match.catalog.entries import PLANES, SEGMENTS, Manifest
from stream_match.catalog.lsh_counts import open_lsh_counts
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, read_manifest
from stream_match.catalog.parts import describe_command
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import OpenSegment
from stream_match.catalog.store import OpenIndex, check_file, open_index
from stream_match.catalog.writing import settled
from stream_match.config import FeatureSettings, Settings
from stream_match.errors import CatalogError
from stream_match.index.catalogue import Catalogue
from stream_match.index.lsh import subkeys

_SAMPLE = 2000
"""Codes of a segment that are looked up in every table; spread evenly over it."""

_WORTH_COMPACTING = 0.2
_MANY_SEGMENTS = 12
"""With more removed codes, or more segments, an index is worth being compacted: both are searched in vain."""


class SegmentInfo(Settings):
    """What a segment is."""

    folder: str
    tracks: int
    removed: int
    codes: int
    exhaustive: bool
    lsh_key_bits: int
    lsh_occupancy: float
    bytes: int


class IndexInfo(Settings):
    """What an index is, for people and for `info --json`."""

    generation: int
    tracks: int
    hours: float
    codes: int
    removed_share: float
    bytes: int
    bytes_per_hour: float
    excess: float
    parts: dict[str, int]
    described: int
    segments: tuple[SegmentInfo, ...]
    duplicates: tuple[tuple[str, ...], ...]
    fingerprint: str
    format_version: int
    settings: FeatureSettings
    hint: str | None = None


def load_index(path: str | Path) -> Catalogue:
    """Load an index, ready to listen with.

    Everything large is mapped from its files. Nothing is written, and no lock is taken.

    Parameters
    ----------
    path : str or Path
        Its folder.

    Raises
    ------
    CatalogError
        If it is no index, of another format version or of other feature code, or not whole; or if it needs a
        background, and there is none that fits.
    """
    return ready(open_index(Path(path)).catalogue)


def describe_index(path: Path) -> IndexInfo:
    """Say what an index holds.

    Parameters
    ----------
    path : Path

    Raises
    ------
    CatalogError
        As `load_index`.
    """
    index = open_index(path)
    manifest, counts = index.manifest, index.manifest.counts
    described = _described(index)
    size = sum(entry.bytes for entry in (manifest.files() | manifest.optional_files()).values())
    size += (index.folder / MANIFEST_FILE).stat().st_size
    hours = counts.seconds / 3600
    stored = sum(len(segment.segment) for segment in index.segments)
    removed_share = round(1 - counts.codes / max(stored, 1), 4)
    return IndexInfo(
        generation=manifest.generation,
        tracks=counts.tracks,
        hours=round(hours, 4),
        codes=counts.codes,
        removed_share=removed_share,
        bytes=size,
        bytes_per_hour=round(size / max(hours, 1e-9), 1),
        excess=manifest.excess,
        parts=_parts(manifest),
        described=described,
        segments=tuple(map(_describe, index.segments)),
        duplicates=duplicates_among({row.id: row.sha256 for row in index.rows}),
        fingerprint=manifest.fingerprint,
        format_version=manifest.format_version,
        settings=manifest.settings,
        hint=_hint(path, index, removed_share, counts.tracks - described),
    )


def _describe(stored: OpenSegment) -> SegmentInfo:
    entry, segment = stored.entry, stored.segment
    parts = (entry.parts.recordings, entry.parts.versions)
    return SegmentInfo(
        folder=entry.folder,
        tracks=entry.tracks,
        removed=len(entry.removed),
        codes=entry.codes,
        exhaustive=bool(getattr(segment.neighbours, "exhaustive", True)),
        lsh_key_bits=entry.lsh.key_bits,
        lsh_occupancy=round(segment.lsh.occupancy(), 4),
        bytes=sum(file.bytes for part in parts if part is not None for file in part.files.values()),
    )


def _parts(manifest: Manifest) -> dict[str, int]:
    """Return the versions of the parts that can be used."""
    parts = {name: part.version for name, part in manifest.parts if part is not None}
    parts |= {"recordings": manifest.segments[0].parts.recordings.version}
    versions = [segment.parts.versions for segment in manifest.segments]
    if versions[0] is not None and all(part is not None for part in versions):
        parts["versions"] = versions[0].version
    return parts


def _described(index: OpenIndex) -> int:
    """Return how many tracks have descriptors that can be compared."""
    stored = index.descriptors
    return 0 if stored is None or not stored.comparable else int((stored.places(index.rows) >= 0).sum())


def _hint(path: Path, index: OpenIndex, removed_share: float, undescribed: int) -> str | None:
    hints = []
    if removed_share > _WORTH_COMPACTING or len(index.segments) > _MANY_SEGMENTS:
        hints.append(f"stream-match index compact {path} makes it smaller and faster")
    if undescribed and index.descriptors is not None:
        hints.append(f"{describe_command(path)} describes {undescribed} more tracks")
    return "; ".join(hints) or None


def list_tracks(path: Path) -> tuple[TrackRow, ...]:
    """Return the tracks of an index, ordered by id.

    Parameters
    ----------
    path : Path

    Raises
    ------
    CatalogError
        As `load_index`.
    """
    return tuple(sorted(open_index(path).rows, key=lambda row: row.id))


def duplicates_among(sha256_by_id: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of tracks that were made from byte-identical files."""
    groups: dict[str, list[str]] = {}
    for name, sha256 in sorted(sha256_by_id.items()):
        groups.setdefault(sha256, []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def verify_index(path: Path) -> list[str]:
    """Look for damage in an index: in every byte of it, and in what its tables say of each other.

    The files of parts that are not known here are compared with the manifest too, as far as it is clear what
    it says of them. The model card is for people: it is not looked at.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of str
        A sentence per problem; empty if the index is whole.
    """
    try:
        folder = settled(path)
        manifest = read_manifest(folder)
        problems = _altered_files(folder, manifest) + _strays(folder, manifest)
        return problems or _contradictions(open_index(folder))
    except CatalogError as error:
        return [str(error)]


def _altered_files(folder: Path, manifest: Manifest) -> list[str]:
    problems = []
    others = {
        f"{SEGMENTS}/{segment.folder}/{name}": entry
        for segment in manifest.segments
        for name, entry in segment.other_files().items()
    }
    for name, entry in (others | manifest.files() | manifest.optional_files()).items():
        try:
            check_file(folder, name, entry, thorough=True)
        except CatalogError as error:
            problems.append(str(error))
    return problems


def _strays(folder: Path, manifest: Manifest) -> list[str]:
    """Return what lies about; the files of parts that are not known here are not."""
    ours = {MANIFEST_FILE, CARD_FILE, PLANES, SEGMENTS, *manifest.folders()}
    places = [folder, *(folder / kind for kind in (PLANES, SEGMENTS) if (folder / kind).is_dir())]
    paths = [path for place in places for path in place.iterdir() if path.name[0] != "."]
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [f"{name!r} does not belong to the index" for name in names if name not in ours]


def _contradictions(index: OpenIndex) -> list[str]:
    """Look up a sample of the codes of every segment in every table."""
    problems = _partial_rows(index)
    if index.manifest.parts.lsh_counts is not None:
        open_lsh_counts(index)
    for stored in index.segments:
        segment = stored.segment
        if not _in_their_buckets(stored, _sample(len(segment.chroma_codes))):
            problems.append("the LSH tables do not fit the codes: build the index again")
        codes = segment.codes[_sample(len(segment))]
        if len(codes) and segment.neighbours.search(codes, 1)[0].any():
            problems.append("the FAISS index does not find its own codes: build the index again")
    return problems


def _partial_rows(index: OpenIndex) -> list[str]:
    """Return which sets have rows that are neither finite throughout nor NaN throughout."""
    sets = {} if index.descriptors is None else index.descriptors.sets
    return [
        f"the descriptors {name} have rows that are partly no numbers: build the index again"
        for name, rows in sets.items()
        if not (np.isfinite(rows).all(axis=1) | np.isnan(rows).all(axis=1)).all()
    ]


def _sample(count: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, max(0, count - 1), min(count, _SAMPLE)).astype(np.int64))


def _in_their_buckets(stored: OpenSegment, sample: npt.NDArray[np.int64]) -> bool:
    segment, lsh = stored.segment, stored.segment.lsh
    if len(segment.hashed) != len(segment.chroma_codes) or int(lsh.entries.max(initial=0)) >= max(
        1, len(segment)
    ):
        return False
    rows, codes = segment.hashed[sample], segment.chroma_codes[sample]
    for table, keys in enumerate(subkeys(codes, lsh.n_tables, lsh.key_bits)):
        for key, row in zip(keys, rows, strict=True):
            bucket = lsh.entries[table, lsh.starts[table, key] : lsh.starts[table, key + 1]]
            found = int(np.searchsorted(bucket, row))
            if found == len(bucket) or bucket[found] != row:
                return False
    return True
