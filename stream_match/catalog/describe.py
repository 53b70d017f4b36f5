"""Descriptors put into an index, or in the place of those that it has."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.card import card
from stream_match.catalog.described_rows import DescribedRows, write_descriptors
from stream_match.catalog.edit import open_to_change
from stream_match.catalog.entries import PLANES
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, read_manifest, text_of
from stream_match.catalog.parts import DESCRIPTORS, PART_VERSIONS, DamagedDescriptorsError
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.store import OpenIndex
from stream_match.catalog.writing import Draft, check_place, settled, writing
from stream_match.descriptors.sets import SETS
from stream_match.errors import CatalogError

log = logging.getLogger(__name__)

Float32 = npt.NDArray[np.float32]


def add_descriptors(folder: Path, found: Mapping[str, Float32], *, librosa: str) -> int:
    """Put descriptors into an index; those that it has of other tracks stay.

    Parameters
    ----------
    folder : Path
        Of the index.
    found : mapping of str to np.ndarray [shape=(1665,), dtype=float32]
        By the SHA-256 of the audio file, in hexadecimal: the values of all sets in the order of `SETS`; those
        of a set that does not describe it are NaN. Files that no track was made of are passed over.
    librosa : str
        Its version.

    Returns
    -------
    int
        How many tracks of the index have descriptors now.

    Raises
    ------
    CatalogError
        If the index cannot be loaded or written, or has descriptors of a later version.
    """
    folder = settled(folder)
    read_manifest(folder)
    with writing(folder, lambda: check_place(folder, replace=True)) as draft:
        index = open_to_describe(folder)
        stored = index.descriptors
        places = np.full(len(index.rows), -1) if stored is None else stored.places(index.rows)
        pairs = zip(index.rows, places.tolist(), strict=True)
        tracks = [(row, place) for row, place in pairs if row.sha256 in found or place >= 0]
        if tracks:
            _write(draft, index, tracks, found, librosa)
    return len(tracks)


def open_to_describe(folder: Path) -> OpenIndex:
    """Open an index whose descriptors are to be replaced; what cannot be used of them is left out.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CatalogError
        As `open_to_change`; or if the descriptors are of a later version.
    """
    try:
        index = open_to_change(folder)
    except DamagedDescriptorsError as error:
        index = open_to_change(folder, descriptors=False)
        log.warning("%s: all tracks count as not described", error)
        return index
    version = index.manifest.version_written(DESCRIPTORS)
    if version is not None and index.descriptors is None:
        raise CatalogError(
            f"the descriptors of the index {str(folder)!r} have version {version}, and this version of "
            f"stream-match writes {PART_VERSIONS[DESCRIPTORS]}: take a newer one; nothing was changed"
        )
    if index.descriptors is not None and not index.descriptors.comparable:
        return replace(index, descriptors=None)
    return index


def _write(
    draft: Draft,
    index: OpenIndex,
    tracks: list[tuple[TrackRow, int]],
    found: Mapping[str, Float32],
    librosa: str,
) -> None:
    stored, manifest = index.descriptors, index.manifest
    versions = {librosa} | (set(stored.entry.librosa) if stored is not None else set())
    entry = write_descriptors(
        [row for row, _ in tracks], _joined(tracks, stored, found), draft.new / PLANES, librosa=versions
    )
    parts = manifest.parts.model_copy(update={"descriptors": entry})
    manifest = manifest.model_copy(update={"generation": manifest.generation + 1, "parts": parts})
    (draft.new / MANIFEST_FILE).write_bytes(text_of(manifest, manifest.added()))
    (draft.new / CARD_FILE).write_text(card(manifest), encoding="utf-8")


def _joined(
    tracks: list[tuple[TrackRow, int]], stored: DescribedRows | None, found: Mapping[str, Float32]
) -> dict[str, Float32]:
    """Return the values of each set: the new ones, or else those that are stored."""
    sets: dict[str, Float32] = {}
    first = 0
    for name, described in SETS.items():
        beyond = first + len(described.columns)
        values = np.empty((len(tracks), beyond - first), np.float32)
        for number, (row, place) in enumerate(tracks):
            if row.sha256 in found:
                values[number] = found[row.sha256][first:beyond]
            elif stored is not None:
                values[number] = stored.sets[name][place]
        sets[name], first = values, beyond
    return sets
