"""What the tracks of an index sound like: their descriptors, read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.described_rows import DescribedRows, write_descriptors
from stream_match.catalog.entries import DescriptorsEntry
from stream_match.catalog.parts import DESCRIPTORS, PART_VERSIONS, describe_command
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.store import OpenIndex, open_index
from stream_match.errors import UsageError

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Described:
    """The tracks of an index that have descriptors.

    Parameters
    ----------
    tracks : tuple of TrackRow
        In the order of the index: ids, titles, artists, albums, and which of them hold one recording.
    sets : mapping of str to np.ndarray [shape=(n_tracks, n_columns), dtype=float32]
        The values of the sets `rp`, `ssd` and `gtzan`, a row for each track, in the order of the columns of
        `stream_match.descriptors.sets`. They are mapped from their files unless tracks have been removed or
        merged since. A set that does not take audio of a track's length has a row of NaN: use rows that are
        finite throughout (`complete`).
    missing : tuple of str
        Ids of the tracks of the index that have no descriptors.
    """

    tracks: tuple[TrackRow, ...]
    sets: Mapping[str, Float32]
    missing: tuple[str, ...]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the tracks."""
        return tuple(track.id for track in self.tracks)

    def complete(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return which tracks all of some sets describe.

        Parameters
        ----------
        *names : str
            Of sets.

        Returns
        -------
        np.ndarray [shape=(n_tracks,), dtype=bool]
        """
        found = np.ones(len(self.tracks), bool)
        for name in names:
            found &= np.isfinite(self.sets[name]).all(axis=1)
        return found


def read_descriptors(folder: Path) -> Described:
    """Read the descriptors of an index.

    Parameters
    ----------
    folder : Path
        Of the index.

    Raises
    ------
    UsageError
        If it has none, or of another version, or those of no track that it has: the sentence names
        ``stream-match index describe``.
    CatalogError
        If it cannot be loaded.
    """
    index = open_index(folder)
    stored, command = index.descriptors, describe_command(index.folder)
    shown = f"the index {str(index.folder)!r}"
    if stored is None:
        version = index.manifest.version_written(DESCRIPTORS)
        if version is None:
            raise UsageError(f"{shown} has no descriptors: add them with {command}")
        raise UsageError(
            f"the descriptors of {shown} have version {version}, and this version of stream-match reads "
            f"{PART_VERSIONS[DESCRIPTORS]}: take a newer one"
        )
    if not stored.comparable:
        raise UsageError(
            f"the descriptors of {shown} were computed by another version of stream-match: "
            f"make them anew with {command}"
        )
    described = described_tracks(stored, index.rows)
    if not described.tracks:
        raise UsageError(f"{shown} has descriptors of none of its tracks: add them with {command}")
    return described


def described_tracks(stored: DescribedRows, tracks: Sequence[TrackRow]) -> Described:
    """Return which of some tracks have descriptors, of whatever version, and these.

    Parameters
    ----------
    stored : DescribedRows
    tracks : sequence of TrackRow
    """
    places = stored.places(tracks)
    return Described(
        tracks=tuple(track for track, place in zip(tracks, places, strict=True) if place >= 0),
        sets=stored.values(places[places >= 0]),
        missing=tuple(track.id for track, place in zip(tracks, places, strict=True) if place < 0),
    )


def compacted(index: OpenIndex, place: Path) -> DescriptorsEntry | None:
    """Write the descriptors of an index without those of audio that it no longer holds.

    Parameters
    ----------
    index : OpenIndex
    place : Path
        Where their folder is made.

    Returns
    -------
    DescriptorsEntry or None
        None if none are left. The tracks stand in the order of their ids, as in an index that is compacted.
    """
    stored = index.descriptors
    if stored is None:
        return None
    left = described_tracks(stored, sorted(index.rows, key=lambda row: row.id))
    if not left.tracks:
        return None
    entry = stored.entry
    return write_descriptors(left.tracks, left.sets, place, librosa=entry.librosa, computed=entry.computed)
