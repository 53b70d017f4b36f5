"""The part for music search by counting: chroma frames of all tracks, counted in the buckets of LSH tables.

It is optional, of the index as a whole, and has a folder beside the hyperplanes:

    bucket_planes.npy   (12, n_tables * key_bits), float32: normals of the random hyperplanes
    bucket_counts.npy   (n_tables, 2**key_bits, n_tracks), uint32
    hashed.jsonl        a row per track: id, sha256 of its file, frames with sound

Tracks come and go without it. What it says of a track holds as long as the index has one of that id and
sha256.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from stream_match.catalog.entries import PLANES, LshCountsEntry, LshShape, missing_files
from stream_match.catalog.manifest import CHECKED_UP_TO_BYTES
from stream_match.catalog.parts import (
    HASHED_FILE,
    LSH_COUNTS,
    NAMES,
    PART_VERSIONS,
    damaged,
    hash_command,
    map_array,
    save_arrays,
)
from stream_match.catalog.rows import Count, Digest, Written, damage
from stream_match.catalog.segments import entries, named
from stream_match.catalog.store import OpenIndex, check_file, of_one_generation, open_usable, unreadable
from stream_match.catalog.writing import settled
from stream_match.errors import CatalogError, UsageError
from stream_match.features.chroma import N_CHROMA
from stream_match.index.bucket_counts import Counts, random_planes
from stream_match.index.projection import Projection

N_TABLES = 4
KEY_BITS = 8
"""Hyperplanes of a table. More bits: emptier buckets, so that fewer results are of other tracks, and fewer of
the right one. Four tables of eight bits are those of the system that this one follows."""

SEED = 20_261_128


class HashedRow(Written):
    """A track whose frames are counted."""

    id: str = Field(min_length=1)
    sha256: Digest
    frames: Count


@dataclass(frozen=True)
class LshCounts:
    """Chroma frames counted in the buckets of LSH tables.

    Parameters
    ----------
    seed : int
        Of the hyperplanes.
    planes : Projection
    counts : np.ndarray [shape=(n_tables, 2**key_bits, n_tracks), dtype=uint32]
    rows : tuple of HashedRow
        One for each track.
    """

    seed: int
    planes: Projection
    counts: Counts
    rows: tuple[HashedRow, ...]

    @property
    def n_tables(self) -> int:
        """Number of tables."""
        return len(self.counts)

    def columns(self, index: OpenIndex) -> list[int]:
        """Return the numbers of the tracks that the index has as they were counted.

        Parameters
        ----------
        index : OpenIndex
        """
        known = {row.id: row.sha256 for row in index.rows}
        return [number for number, row in enumerate(self.rows) if known.get(row.id) == row.sha256]


def no_counts() -> LshCounts:
    """Return the counts of no track."""
    counts = np.zeros((N_TABLES, 2**KEY_BITS, 0), np.uint32)
    return LshCounts(SEED, random_planes(SEED, N_TABLES * KEY_BITS), counts, ())


def joined_counts(
    part: LshCounts, columns: Sequence[int], rows: Sequence[HashedRow], counts: Sequence[Counts]
) -> LshCounts:
    """Return the counts of some tracks of a part and of others, ordered by id.

    Parameters
    ----------
    part : LshCounts
    columns : sequence of int
        Numbers of its tracks.
    rows : sequence of HashedRow
        Of the others.
    counts : sequence of np.ndarray [shape=(n_tables, 2**key_bits), dtype=uint32]
        Of the others.
    """
    every = [*(part.rows[number] for number in columns), *rows]
    order = sorted(range(len(every)), key=lambda number: every[number].id)
    joined = np.empty((*part.counts.shape[:2], len(every)), np.uint32)
    for place, number in enumerate(order):
        own = number < len(columns)
        joined[:, :, place] = part.counts[:, :, columns[number]] if own else counts[number - len(columns)]
    return LshCounts(part.seed, part.planes, joined, tuple(every[number] for number in order))


def write_lsh_counts(part: LshCounts, place: Path) -> LshCountsEntry:
    """Write the part into a folder of its own; equal input gives equal bytes.

    Parameters
    ----------
    part : LshCounts
    place : Path
        Where that folder is made.
    """
    unnamed = place / "unnamed"
    unnamed.mkdir(parents=True)
    save_arrays(unnamed, {"bucket_planes.npy": part.planes.planes, "bucket_counts.npy": part.counts})
    lines = "".join(row.model_dump_json() + "\n" for row in part.rows)
    (unnamed / HASHED_FILE).write_text(lines, encoding="utf-8")
    files = entries(unnamed, NAMES[LSH_COUNTS])
    shape = LshShape(tables=part.n_tables, key_bits=part.planes.n_bits // part.n_tables)
    folder = named(unnamed, files)
    return LshCountsEntry(
        version=PART_VERSIONS[LSH_COUNTS], folder=folder, files=files, lsh=shape, seed=part.seed
    )


def load_lsh_counts(path: Path) -> tuple[OpenIndex, LshCounts]:
    """Open an index with its part for counting.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError, CatalogError
        As `open_index` and `open_lsh_counts`.
    """

    def opened() -> tuple[OpenIndex, LshCounts]:
        index = open_usable(path)
        return index, open_lsh_counts(index)

    return of_one_generation(settled(path), opened)


def open_lsh_counts(index: OpenIndex) -> LshCounts:
    """Map the part of an index.

    Parameters
    ----------
    index : OpenIndex

    Raises
    ------
    UsageError
        If it has none.
    CatalogError
        If it is of a later version, or damaged.
    """
    refuse_newer(index)
    entry = index.manifest.parts.lsh_counts
    if entry is None:
        raise UsageError(
            f"the index {str(index.folder)!r} has no LSH counts: add them with "
            f"{hash_command(index.folder)}, the audio that it was built from"
        )
    folder = index.folder / PLANES / entry.folder
    try:
        return _mapped(folder, entry)
    except (OSError, MemoryError) as error:
        raise unreadable(error, folder) from error


def _mapped(folder: Path, entry: LshCountsEntry) -> LshCounts:
    for missing in missing_files(entry, LSH_COUNTS):
        raise damaged(folder / missing, "is not in the manifest")
    thorough = sum(file.bytes for file in entry.files.values()) <= CHECKED_UP_TO_BYTES
    for name in NAMES[LSH_COUNTS]:
        check_file(folder, name, entry.files[name], thorough=thorough)
    rows, tables, n_buckets = _rows(folder / HASHED_FILE), entry.lsh.tables, 1 << entry.lsh.key_bits
    planes, buckets = folder / "bucket_planes.npy", folder / "bucket_counts.npy"
    normals = map_array(planes, "<f4", (N_CHROMA, tables * entry.lsh.key_bits))
    counts = map_array(buckets, "<u4", (tables, n_buckets, len(rows)))
    frames = np.array([row.frames for row in rows], np.int64)
    if normals.shape[1] % 8 or not np.isfinite(normals).all():
        raise damaged(planes, "holds hyperplanes that are not finite, or not a multiple of 8")
    if thorough and not (counts.sum(axis=1, dtype=np.int64) == frames).all():
        raise damaged(buckets, f"contradicts {HASHED_FILE} (counts)")
    return LshCounts(entry.seed, Projection(np.zeros(N_CHROMA, np.float32), normals), counts, rows)


def refuse_newer(index: OpenIndex) -> None:
    """Refuse an index whose part is of a later version, which is neither read nor replaced here.

    Parameters
    ----------
    index : OpenIndex

    Raises
    ------
    CatalogError
        If it is.
    """
    version, known = index.manifest.version_written(LSH_COUNTS), PART_VERSIONS[LSH_COUNTS]
    if isinstance(version, int) and version > known:
        raise CatalogError(
            f"the LSH counts of the index {str(index.folder)!r} have version {version}, and this version of "
            f"stream-match reads {known}: take a newer one"
        )


def _rows(path: Path) -> tuple[HashedRow, ...]:
    lines = path.read_bytes().splitlines()
    try:
        rows = tuple(HashedRow.model_validate_json(line) for line in lines)
    except ValidationError as error:
        raise damaged(path, f"is damaged ({damage(error)})") from error
    if len({row.id for row in rows}) < len(rows):
        raise damaged(path, "names a track twice")
    return rows
