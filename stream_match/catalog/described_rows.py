"""Rows of descriptors on disk, one for each track, under the hash of the audio that they describe.

A row belongs to whatever track was made of the audio file with this hash. So it cannot become stale: of a
track that is gone nobody asks, one that was made of another file has another hash, and one that comes back
under any name finds its row again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.entries import DescriptorsEntry, missing_files
from stream_match.catalog.parts import (
    CLOSENESS_FILE,
    DESCRIBED_FILE,
    DESCRIPTORS,
    PART_VERSIONS,
    Array,
    damaged,
    map_array,
    save_arrays,
)
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import entries, named
from stream_match.descriptors.distances import ZScore
from stream_match.descriptors.sets import SETS, VERSION
from stream_match.descriptors.similar_tracks import LENGTHS, Closeness, fit_closeness

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_DIGEST_BYTES = 32


@dataclass(frozen=True)
class DescribedRows:
    """The descriptors of an index, mapped from their files.

    Parameters
    ----------
    entry : DescriptorsEntry
    audio : np.ndarray [shape=(n_rows, 32), dtype=uint8]
        SHA-256 of the audio files.
    sets : mapping of str to np.ndarray [shape=(n_rows, n_columns), dtype=float32]
        The values of each set. A row of NaN tells that its set does not take audio of that length.
    closeness : Closeness
        Of the tracks that were written.
    """

    entry: DescriptorsEntry
    audio: Bytes
    sets: Mapping[str, Float32]
    closeness: Closeness

    @property
    def comparable(self) -> bool:
        """Whether the descriptors of other audio, computed now, can be compared with them."""
        return self.entry.computed == VERSION

    def places(self, tracks: Sequence[TrackRow]) -> Int64:
        """Return the row of each track; -1 for one that has none.

        Parameters
        ----------
        tracks : sequence of TrackRow

        Returns
        -------
        np.ndarray [shape=(n_tracks,), dtype=int64]
            Of several rows with its hash, the one that stands where the track does is preferred.
        """
        rows = {audio.tobytes(): row for row, audio in enumerate(self.audio)}
        wanted = _digests(tracks)
        found = np.array([rows.get(digest.tobytes(), -1) for digest in wanted], np.int64)
        common = min(len(tracks), len(self.audio))
        in_place = (wanted[:common] == self.audio[:common]).all(axis=1)
        return np.where(np.pad(in_place, (0, len(tracks) - common)), np.arange(len(tracks)), found)

    def values(self, places: Int64) -> dict[str, Float32]:
        """Return rows of all sets; still mapped if they are the first ones, in their order.

        Parameters
        ----------
        places : np.ndarray [shape=(n,), dtype=int64]
        """
        mapped = np.array_equal(places, np.arange(len(places)))
        return {name: rows[: len(places)] if mapped else rows[places] for name, rows in self.sets.items()}


def open_descriptors(place: Path, entry: DescriptorsEntry | None) -> DescribedRows | None:
    """Map descriptors.

    Parameters
    ----------
    place : Path
        Where their folder lies.
    entry : DescriptorsEntry or None

    Raises
    ------
    CatalogError
        If they are not what the entry says.
    """
    if entry is None:
        return None
    folder = place / entry.folder
    missing = missing_files(entry, DESCRIPTORS)
    if missing:
        raise damaged(folder / missing[0], "is not in the manifest")
    return DescribedRows(
        entry,
        map_array(folder / DESCRIBED_FILE, "|u1", (entry.rows, _DIGEST_BYTES)),
        {
            name: map_array(folder / f"{name}.npy", "<f4", (entry.rows, len(described.columns)))
            for name, described in SETS.items()
        },
        _closeness(folder / CLOSENESS_FILE, entry.near),
    )


def _closeness(path: Path, near: float) -> Closeness:
    mean, deviation = map_array(path, "<f8", (2, sum(LENGTHS.values()))).copy()
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation >= 0).all()):
        raise damaged(path, "holds what are no means and deviations")
    return Closeness(ZScore(mean, deviation), near)


def write_descriptors(
    tracks: Sequence[TrackRow],
    sets: Mapping[str, Float32],
    place: Path,
    *,
    librosa: Collection[str],
    computed: int = VERSION,
) -> DescriptorsEntry:
    """Write descriptors into a folder of their own; equal input gives equal bytes.

    Parameters
    ----------
    tracks : sequence of TrackRow
    sets : mapping of str to np.ndarray [shape=(n_tracks, n_columns), dtype=float32]
        A row for each track.
    place : Path
        Where that folder is made.
    librosa : collection of str
        Versions that made the rows of the set `gtzan`.
    computed : int
        Version of what is computed.
    """
    unnamed = place / "unnamed"
    unnamed.mkdir(parents=True)
    arrays: dict[str, Array] = {f"{name}.npy": values for name, values in sets.items()}
    arrays[DESCRIBED_FILE] = _digests(tracks)
    whole = np.logical_and.reduce([np.isfinite(sets[name]).all(axis=1) for name in LENGTHS])
    closeness = fit_closeness(sets, np.flatnonzero(whole))
    arrays[CLOSENESS_FILE] = np.array([closeness.scale.mean, closeness.scale.deviation])
    save_arrays(unnamed, arrays)
    files = entries(unnamed, sorted(arrays))
    return DescriptorsEntry(
        version=PART_VERSIONS[DESCRIPTORS],
        folder=named(unnamed, files),
        files=files,
        rows=len(tracks),
        computed=computed,
        librosa=tuple(sorted(librosa)),
        near=closeness.near,
    )


def _digests(tracks: Sequence[TrackRow]) -> Bytes:
    joined = b"".join(bytes.fromhex(track.sha256) for track in tracks)
    return np.frombuffer(joined, np.uint8).reshape(len(tracks), _DIGEST_BYTES)
