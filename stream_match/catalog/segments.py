"""A segment on disk: written once, under a name that follows from its contents, and mapped."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_match.catalog.entries import (
    FileEntry,
    LshShape,
    PartEntry,
    PlanesEntry,
    SegmentEntry,
    SegmentParts,
    entry_of,
    missing_files,
)
from stream_match.catalog.parts import (
    HYPERPLANES,
    LISTS_FILE,
    PART_VERSIONS,
    RECORDINGS,
    SHINGLE_LISTS_FILE,
    SHINGLES_FILE,
    TRACKS_FILE,
    VERSIONS,
    Array,
    in_order,
    map_array,
    save_arrays,
)
from stream_match.catalog.rows import Rows, TrackRow, lines_of, parse_rows, starts_of
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.features.chroma import N_CHROMA
from stream_match.index.coding import Hyperplanes
from stream_match.index.faiss_index import FaissIndex, ShingleLists, build_faiss, load_lists, load_shingles
from stream_match.index.harmony import HarmonySegment
from stream_match.index.lsh import LshTables
from stream_match.index.projection import Projection
from stream_match.index.segment import Segment
from stream_match.index.shingle_search import ListedShingles, Shingles, ShingleSearch
from stream_match.index.shingles import Places


@dataclass(frozen=True)
class OpenSegment:
    """A segment with what is known of it on disk.

    Parameters
    ----------
    entry : SegmentEntry
    rows : tuple of TrackRow
        One for each of its tracks.
    segment : Segment
        Its arrays are mapped from their files.
    """

    entry: SegmentEntry
    rows: Rows
    segment: Segment

    @property
    def left(self) -> list[int]:
        """Tracks, by their number in the segment, that have not been removed."""
        removed = set(self.entry.removed)
        return [number for number in range(len(self.rows)) if number not in removed]


def write_segment(segment: Segment, rows: Sequence[TrackRow], place: Path) -> SegmentEntry:
    """Write a segment into a folder of its own; equal input gives equal bytes.

    Parameters
    ----------
    segment : Segment
    rows : sequence of TrackRow
        One for each of its tracks.
    place : Path
        Where that folder is made.
    """
    unnamed = place / "unnamed"
    unnamed.mkdir(parents=True)
    recordings, versions, harmony = _recordings(segment), _versions(segment.harmony), segment.harmony
    save_arrays(unnamed, {**recordings, **versions})
    (unnamed / TRACKS_FILE).write_bytes(lines_of(rows))
    names = [TRACKS_FILE, *recordings]
    if isinstance(segment.neighbours, FaissIndex) and not segment.neighbours.exhaustive:
        segment.neighbours.save(str(unnamed / LISTS_FILE))
        names.append(LISTS_FILE)
    of_versions = [*versions]
    lists = getattr(harmony and harmony.shingles, "lists", None)
    if isinstance(lists, ShingleLists):
        lists.save(str(unnamed / SHINGLE_LISTS_FILE))
        of_versions.append(SHINGLE_LISTS_FILE)
    files = {RECORDINGS: entries(unnamed, names), VERSIONS: entries(unnamed, of_versions)}
    parts = SegmentParts(
        recordings=PartEntry(version=PART_VERSIONS[RECORDINGS], files=files[RECORDINGS]),
        versions=PartEntry(version=PART_VERSIONS[VERSIONS], files=files[VERSIONS]) if versions else None,
    )
    name = named(unnamed, files[RECORDINGS] | files[VERSIONS])
    return unwritten(segment).model_copy(update={"folder": name, "parts": parts})


def unwritten(segment: Segment) -> SegmentEntry:
    """Return the entry of a segment that is not on disk yet: it has no name and no files."""
    return SegmentEntry(
        folder="0" * 16,
        tracks=segment.n_tracks,
        codes=len(segment),
        hashed=len(segment.chroma_codes),
        lsh=LshShape(tables=segment.lsh.n_tables, key_bits=segment.lsh.key_bits),
        parts=SegmentParts(recordings=PartEntry(version=PART_VERSIONS[RECORDINGS])),
    )


def _recordings(segment: Segment) -> dict[str, Array]:
    return {
        "codes.npy": segment.codes,
        "audible.npy": segment.audible,
        "chroma_codes.npy": segment.chroma_codes,
        "lsh_starts.npy": segment.lsh.starts,
        "lsh_entries.npy": segment.lsh.entries,
    }


def _versions(harmony: HarmonySegment | None) -> dict[str, Array]:
    if harmony is None:
        return {}
    arrays: dict[str, Array] = {"coarse_chroma.npy": harmony.chroma, "coarse_starts.npy": harmony.starts}
    if isinstance(harmony.shingles, Shingles):
        arrays[SHINGLES_FILE] = harmony.shingles.coefficients
    return arrays


def write_planes(planes: Hyperplanes, place: Path) -> PlanesEntry:
    """Write hyperplanes into a folder of their own.

    Parameters
    ----------
    planes : Hyperplanes
    place : Path
        Where that folder is made.
    """
    unnamed = place / "unnamed"
    unnamed.mkdir(parents=True)
    arrays = {
        "shape_centre.npy": planes.shape.centre,
        "shape_planes.npy": planes.shape.planes,
        "chroma_centre.npy": planes.chroma.centre,
        "chroma_planes.npy": planes.chroma.planes,
    }
    save_arrays(unnamed, arrays)
    files = entries(unnamed, list(arrays))
    return PlanesEntry(version=PART_VERSIONS[HYPERPLANES], folder=named(unnamed, files), files=files)


def named(unnamed: Path, files: Mapping[str, FileEntry]) -> str:
    """Give a folder the name that follows from what is in it, and return that.

    Parameters
    ----------
    unnamed : Path
    files : mapping of str to FileEntry
        All files in it.
    """
    contents = "".join(f"{name} {entry.sha256}\n" for name, entry in sorted(files.items()))
    name = hashlib.sha256(contents.encode()).hexdigest()[:16]
    unnamed.rename(unnamed.with_name(name))
    return name


def entries(folder: Path, names: Sequence[str]) -> dict[str, FileEntry]:
    """Return size and hash of files."""
    return {name: entry_of(folder / name) for name in names}


def open_planes(folder: Path, entry: PlanesEntry, settings: FeatureSettings) -> Hyperplanes:
    """Map hyperplanes.

    Parameters
    ----------
    folder : Path
        That they lie in.
    entry : PlanesEntry
    settings : FeatureSettings

    Raises
    ------
    CatalogError
        If they are not what they should be.
    """
    _require(entry, HYPERPLANES, folder)
    n_shape, n_chroma = settings.shape_coefficients * settings.n_steps, N_CHROMA * settings.n_steps
    shape = Projection(
        map_array(folder / "shape_centre.npy", "<f4", (n_shape,)),
        map_array(folder / "shape_planes.npy", "<f4", (n_shape, settings.n_bits)),
    )
    chroma = Projection(
        map_array(folder / "chroma_centre.npy", "<f4", (n_chroma,)),
        map_array(folder / "chroma_planes.npy", "<f4", (n_chroma, settings.chroma_bits)),
    )
    if not all(np.isfinite(part).all() for p in (shape, chroma) for part in (p.centre, p.planes)):
        raise CatalogError(f"the hyperplanes in {str(folder)!r} are not finite: build the index again")
    return Hyperplanes(shape, chroma)


def open_segment(
    folder: Path, entry: SegmentEntry, settings: FeatureSettings, *, thorough: bool
) -> OpenSegment:
    """Map a segment, and check that nothing in it leads astray.

    Parameters
    ----------
    folder : Path
        That it lies in.
    entry : SegmentEntry
    settings : FeatureSettings
    thorough : bool
        Whether every row that stands in a table is looked at. Where it is not, rows that do not exist
        are taken for the last one when they are met.

    Raises
    ------
    CatalogError
        If it is not what its entry says.
    """
    _require(entry.parts.recordings, RECORDINGS, folder)
    rows = parse_rows((folder / TRACKS_FILE).read_bytes(), folder)
    starts = starts_of(rows)
    if len(rows) != entry.tracks or starts[-1] != entry.codes:
        raise _contradiction(folder, "counts")
    codes = map_array(folder / "codes.npy", "<u1", (entry.codes, settings.n_bits // 8))
    segment = Segment(
        starts=starts,
        words=codes.view(np.uint64),
        audible=map_array(folder / "audible.npy", "|b1", (entry.codes,)),
        chroma_codes=map_array(folder / "chroma_codes.npy", "<u1", (entry.hashed, settings.chroma_bits // 8)),
        neighbours=_neighbours(folder, entry, codes, settings),
        lsh=_open_lsh(folder, entry, settings, thorough=thorough),
        harmony=_open_harmony(folder, entry),
    )
    if thorough and len(segment.hashed) != entry.hashed:
        raise _contradiction(folder, "counts")
    return OpenSegment(entry, rows, segment)


def _neighbours(folder: Path, entry: SegmentEntry, codes: Array, settings: FeatureSettings) -> FaissIndex:
    if LISTS_FILE in entry.parts.recordings.files:
        return load_lists(str(folder / LISTS_FILE), n_codes=entry.codes, n_bits=settings.n_bits)
    return build_faiss(codes, flat_up_to=len(codes))


def _open_lsh(folder: Path, entry: SegmentEntry, settings: FeatureSettings, *, thorough: bool) -> LshTables:
    shape = entry.lsh
    if shape.key_bits > settings.chroma_bits:
        raise _contradiction(folder, "LSH keys are longer than codes")
    starts = map_array(folder / "lsh_starts.npy", "<u4", (shape.tables, 2**shape.key_bits + 1))
    found = map_array(folder / "lsh_entries.npy", "<u4", (shape.tables, entry.hashed))
    if not in_order(starts, entry.hashed):
        raise _contradiction(folder, "lsh_starts.npy is not in order")
    if thorough and found.size and int(found.max()) >= entry.codes:
        raise _contradiction(folder, "lsh_entries.npy has positions that do not exist")
    return LshTables(starts, found)


def _open_harmony(folder: Path, entry: SegmentEntry) -> HarmonySegment | None:
    part = entry.parts.versions
    if part is None:
        return None
    _require(part, VERSIONS, folder)
    starts = map_array(folder / "coarse_starts.npy", "<i8", (entry.tracks + 1,))
    chroma = map_array(folder / "coarse_chroma.npy", "|u1", (None, N_CHROMA))
    if not in_order(starts, len(chroma)):
        raise _contradiction(folder, "coarse_starts.npy is not in order")
    return HarmonySegment(starts, chroma, _open_shingles(folder, part, starts, chroma))


def _open_shingles(folder: Path, part: PartEntry, starts: Array, chroma: Array) -> ShingleSearch:
    expected = len(Places(starts))
    if SHINGLE_LISTS_FILE in part.files:
        lists = load_shingles(str(folder / SHINGLE_LISTS_FILE), n_shingles=expected)
        return ListedShingles(starts, chroma, lists)
    if SHINGLES_FILE not in part.files:
        raise CatalogError(
            f"the manifest says nothing of {str(folder / SHINGLES_FILE)!r}: build the index again"
        )
    width = Shingles.of(np.zeros(1, np.int64), chroma[:0]).coefficients.shape[1:]
    stored = map_array(folder / SHINGLES_FILE, "<f2", (None, *width))
    if len(stored) != expected:
        raise _contradiction(folder, "shingles.npy does not fit coarse_starts.npy")
    return Shingles(starts, stored)


def _require(part: PartEntry, name: str, folder: Path) -> None:
    missing = missing_files(part, name)
    if missing:
        raise CatalogError(
            f"the manifest says nothing of {str(folder / missing[0])!r}: build the index again"
        )


def _contradiction(folder: Path, what: str) -> CatalogError:
    return CatalogError(f"{str(folder)!r} contradicts itself ({what}): build the index again")
