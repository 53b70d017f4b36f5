"""An index folder: saved as a whole, loaded only if whole, described and verified."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.catalog.background import ready
from stream_match.catalog.manifest import MANIFEST_FILE, TrackRow, read_manifest
from stream_match.catalog.store import FILES, OpenIndex, check_file, check_place, open_index, write_files
from stream_match.catalog.swap import recover, replacing, settled
from stream_match.config import FeatureSettings, Settings
from stream_match.errors import CatalogError
from stream_match.index.lsh import subkeys
from stream_match.match.reference import Reference

_SAMPLE = 2000
"""Codes that are looked up in every table; spread evenly over the catalogue."""


class IndexInfo(Settings):
    """What an index is, for people and for `info --json`."""

    tracks: int
    hours: float
    codes: int
    hashed: int
    bytes: int
    bytes_per_hour: float
    neighbours: Literal["flat", "ivf"]
    lsh_tables: int
    lsh_key_bits: int
    lsh_occupancy: float
    duplicates: tuple[tuple[str, ...], ...]
    fingerprint: str
    format_version: int
    settings: FeatureSettings


def save_index(reference: Reference, rows: Sequence[TrackRow], out: Path, *, replace: bool = False) -> None:
    """Write an index folder, whole or not at all.

    Parameters
    ----------
    reference : Reference
    rows : sequence of TrackRow
        One per track of the reference, in its order.
    out : Path
    replace : bool
        Whether an index may be there already.

    Raises
    ------
    UsageError
        If something is there that may not be replaced.
    CatalogError
        If it cannot be written.
    """
    out = settled(out)
    with replacing(out, lambda: check_place(out, replace=replace)) as staging:
        write_files(reference, rows, staging.new)


def load_index(path: str | Path) -> Reference:
    """Load an index, ready to listen with.

    The codes and tables are mapped from their files, unless a background stands beside them.

    Parameters
    ----------
    path : str or Path
        Its folder. If a killed build left the old one beside its place, it is put back first.

    Raises
    ------
    CatalogError
        If it is no index, of another format version or of other feature code, or not whole; or if it needs a
        background, and there is none that fits.
    """
    return ready(open_index(Path(path)).reference)


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
    size = sum(entry.bytes for entry in manifest.files.values())
    size += (settled(path) / MANIFEST_FILE).stat().st_size
    hours = counts.seconds / 3600
    return IndexInfo(
        tracks=counts.tracks,
        hours=round(hours, 4),
        codes=counts.codes,
        hashed=counts.hashed,
        bytes=size,
        bytes_per_hour=round(size / max(hours, 1e-9), 1),
        neighbours=manifest.neighbours,
        lsh_tables=manifest.lsh.tables,
        lsh_key_bits=manifest.lsh.key_bits,
        lsh_occupancy=round(index.reference.lsh.occupancy(), 4),
        duplicates=duplicates_among({row.id: row.sha256 for row in index.rows}),
        fingerprint=manifest.fingerprint,
        format_version=manifest.format_version,
        settings=manifest.settings,
    )


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
    return open_index(path).rows


def duplicates_among(sha256_by_id: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of tracks that were made from byte-identical files."""
    groups: dict[str, list[str]] = {}
    for name, sha256 in sha256_by_id.items():
        groups.setdefault(sha256, []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def verify_index(path: Path) -> list[str]:
    """Look for damage in an index.

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
        recover(folder)
        problems = _altered_files(folder)
        return problems or _contradictions(open_index(folder))
    except CatalogError as error:
        return [str(error)]


def _altered_files(folder: Path) -> list[str]:
    manifest = read_manifest(folder)
    problems = []
    for name in FILES:
        try:
            check_file(folder, name, manifest)
        except CatalogError as error:
            problems.append(str(error))
    known = {MANIFEST_FILE, *FILES}
    strays = sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".")
    return problems + [f"{name!r} does not belong to the index" for name in strays if name not in known]


def _contradictions(index: OpenIndex) -> list[str]:
    """Look up a sample of the codes in every table."""
    reference = index.reference
    problems = []
    if not _in_their_buckets(index, _sample(len(reference.chroma_codes))):
        problems.append("the LSH tables do not fit the codes: build the index again")
    codes = reference.codes[_sample(len(reference.audible))]
    if len(codes) and reference.neighbours.search(codes, 1)[0].any():
        problems.append("the FAISS index does not find its own codes: build the index again")
    return problems


def _sample(count: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, max(0, count - 1), min(count, _SAMPLE)).astype(np.int64))


def _in_their_buckets(index: OpenIndex, rows: npt.NDArray[np.int64]) -> bool:
    reference, lsh = index.reference, index.reference.lsh
    positions = reference.hashed[rows]
    codes = reference.chroma_codes[rows]
    for table, keys in enumerate(subkeys(codes, lsh.n_tables, lsh.key_bits)):
        for key, position in zip(keys, positions, strict=True):
            bucket = lsh.entries[table, lsh.starts[table, key] : lsh.starts[table, key + 1]]
            found = int(np.searchsorted(bucket, position))
            if found == len(bucket) or bucket[found] != position:
                return False
    return True
