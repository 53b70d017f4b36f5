"""The files of an index folder: written, checked and opened."""

import hashlib
import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from stream_match.catalog.arrays import Arrays, load_arrays
from stream_match.catalog.card import card
from stream_match.catalog.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    NEIGHBOURS_FILE,
    TRACKS_FILE,
    Counts,
    FileEntry,
    FileName,
    LshShape,
    Manifest,
    TrackRow,
    is_index,
    lines_of,
    parse_rows,
    read_manifest,
)
from stream_match.catalog.swap import recover, settled
from stream_match.errors import CatalogError, UsageError
from stream_match.features.chroma import N_CHROMA
from stream_match.index.faiss_index import FaissIndex, load_faiss
from stream_match.index.lsh import LshTables
from stream_match.index.projection import Projection
from stream_match.match.reference import Hyperplanes, Reference
from stream_match.match.versions.reference import VersionReference, join_tracks

FILES: tuple[FileName, ...] = get_args(FileName)
"""All files of a folder besides the manifest."""


@dataclass(frozen=True)
class OpenIndex:
    """An index with what only its editing needs.

    Parameters
    ----------
    manifest : Manifest
    rows : tuple of TrackRow
        By position.
    reference : Reference
        Codes, LSH tables and hyperplanes are mapped from their files.
    """

    manifest: Manifest
    rows: tuple[TrackRow, ...]
    reference: Reference


def open_index(path: Path) -> OpenIndex:
    """Load an index with what its editing needs; whatever is wrong with it is a `CatalogError`.

    Parameters
    ----------
    path : Path
        Its folder. If a killed build left the old one beside its place, it is put back first.

    Raises
    ------
    CatalogError
        If it is no index, of another format version or of other feature code, or not whole.
    """
    folder = settled(path)
    try:
        recover(folder)
        before = _identity(folder)
        try:
            return _open(folder)
        except (CatalogError, OSError):
            recover(folder)
            if _identity(folder) == before:
                raise
            return _open(folder)  # it was replaced while we read
    except OSError as error:
        raise CatalogError(f"{str(folder)!r} cannot be read: {error.strerror}") from error


def check_place(out: Path, *, replace: bool) -> None:
    """Refuse to write where something stands that is not ours to replace.

    Raises
    ------
    UsageError
        If `out` is a file, a folder of something else, or an index and `replace` is false.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{str(out)!r} is a file; expected a folder to be made")
    names = sorted(entry.name for entry in out.iterdir())
    if not names:
        return
    foreign = [name for name in names if name not in FILES and name != MANIFEST_FILE and name[0] != "."]
    if foreign or not is_index(out):
        hint = f" (it holds {foreign[0]!r})" if foreign else ""
        raise UsageError(f"{str(out)!r} is a folder of something else{hint}: give another one")
    if not replace:
        raise UsageError(f"{str(out)!r} is an index already: give --replace, or another folder")


def write_files(reference: Reference, rows: Sequence[TrackRow], folder: Path) -> None:
    """Write all files of an index into an empty folder; equal input gives equal bytes.

    Parameters
    ----------
    reference : Reference
    rows : sequence of TrackRow
        One per track of the reference, in its order.
    folder : Path
    """
    manifest = _describe(reference, rows)
    for name, array in _arrays_of(reference).items():
        np.save(folder / name, array, allow_pickle=False)
    (folder / NEIGHBOURS_FILE).write_bytes(reference.neighbours.to_bytes())
    (folder / TRACKS_FILE).write_bytes(lines_of(tuple(rows)))
    text = card(manifest, reference.lsh.occupancy())
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    files = {name: _entry(folder / name) for name in sorted(FILES)}
    manifest = manifest.model_copy(update={"files": files})
    text = json.dumps(manifest.model_dump(), indent=2) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")


def check_file(folder: Path, name: FileName, manifest: Manifest) -> None:
    """Compare a file with the manifest.

    Raises
    ------
    CatalogError
        If it is missing, a link, of another length, or of other contents.
    """
    path = folder / name
    expected = manifest.files.get(name)
    if expected is None:
        raise CatalogError(f"{MANIFEST_FILE} of {str(folder)!r} says nothing of {name}: build it again")
    try:
        problem = _difference(path, expected)
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    if problem is not None:
        raise CatalogError(f"{str(path)!r} {problem}: build the index again")


def _difference(path: Path, expected: FileEntry) -> str | None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_size != expected.bytes:  # a giant in its place is not read
        return f"has {status.st_size} bytes, expected {expected.bytes}"
    return None if _entry(path) == expected else "has been altered"


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        return FileEntry(bytes=handle.tell(), sha256=sha256)


def _identity(folder: Path) -> int | None:
    return folder.stat().st_ino if folder.exists() else None


def _describe(reference: Reference, rows: Sequence[TrackRow]) -> Manifest:
    neighbours, lsh = reference.neighbours, reference.lsh
    flat = not isinstance(neighbours, FaissIndex) or neighbours.exhaustive
    return Manifest(
        fingerprint=reference.settings.fingerprint(),
        settings=reference.settings,
        counts=Counts(
            tracks=len(rows),
            seconds=round(sum(row.seconds for row in rows), 3),
            codes=len(reference.audible),
            hashed=len(reference.chroma_codes),
            coarse=len(_versions_of(reference).chroma),
        ),
        neighbours="flat" if flat else "ivf",
        lsh=LshShape(tables=lsh.n_tables, key_bits=lsh.key_bits),
        excess=reference.excess,
        files={},
    )


def _arrays_of(reference: Reference) -> Arrays:
    return {
        "audible.npy": np.packbits(reference.audible),
        "lsh_starts.npy": reference.lsh.starts,
        "lsh_entries.npy": reference.lsh.entries,
        "chroma_codes.npy": reference.chroma_codes,
        "shape_centre.npy": reference.planes.shape.centre,
        "shape_planes.npy": reference.planes.shape.planes,
        "chroma_centre.npy": reference.planes.chroma.centre,
        "chroma_planes.npy": reference.planes.chroma.planes,
        "coarse_chroma.npy": _versions_of(reference).chroma,
        "coarse_starts.npy": _versions_of(reference).starts,
    }


def _versions_of(reference: Reference) -> VersionReference:
    """Return what the version lane knows; of a catalogue made without it, that all tracks are empty."""
    none = np.empty((0, N_CHROMA), np.uint8)
    return reference.versions or join_tracks(
        reference.tracks, [none] * len(reference.tracks), reference.settings
    )


def _open(folder: Path) -> OpenIndex:
    manifest = read_manifest(folder)
    for name in FILES:
        check_file(folder, name, manifest)
    arrays = load_arrays(folder, manifest)
    rows = parse_rows((folder / TRACKS_FILE).read_bytes(), folder)
    neighbours = load_faiss(str(folder / NEIGHBOURS_FILE))
    counts = manifest.counts
    reference = _reference(manifest, rows, arrays, neighbours)
    found = (len(rows), sum(row.codes for row in rows), len(neighbours), neighbours.n_bits)
    expected = (counts.tracks, counts.codes, counts.codes, manifest.settings.n_bits)
    if found != expected or len(reference.hashed) != counts.hashed:
        raise CatalogError(f"the index {str(folder)!r} contradicts itself (counts): build it again")
    return OpenIndex(manifest, rows, reference)


def _reference(
    manifest: Manifest, rows: tuple[TrackRow, ...], arrays: Arrays, neighbours: FaissIndex
) -> Reference:
    tracks = tuple(row.track for row in rows)
    return Reference(
        settings=manifest.settings,
        tracks=tracks,
        starts=np.array([*(row.first for row in rows), manifest.counts.codes], np.int64),
        audible=np.unpackbits(arrays["audible.npy"], count=manifest.counts.codes).astype(bool),
        chroma_codes=arrays["chroma_codes.npy"],
        neighbours=neighbours,
        lsh=LshTables(arrays["lsh_starts.npy"], arrays["lsh_entries.npy"]),
        planes=Hyperplanes(
            shape=Projection(arrays["shape_centre.npy"], arrays["shape_planes.npy"]),
            chroma=Projection(arrays["chroma_centre.npy"], arrays["chroma_planes.npy"]),
        ),
        versions=VersionReference(
            manifest.settings, tracks, arrays["coarse_starts.npy"], arrays["coarse_chroma.npy"]
        ),
        excess=manifest.excess,
    )
