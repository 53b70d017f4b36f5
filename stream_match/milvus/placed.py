"""The tracks of an index on a Milvus server: who they are, and where their rows begin."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.catalog.parts import TRACKS_FILE, in_order
from stream_match.catalog.rows import Rows, TrackRow, parse_rows, starts_of
from stream_match.errors import CatalogError
from stream_match.milvus.connection import Connection
from stream_match.milvus.files import get_file
from stream_match.milvus.layout import BLOCK, Bytes, Int64
from stream_match.milvus.tables import (
    CODE_AT_FILE,
    DIGESTS_FILE,
    STEP_AT_FILE,
    Generation,
    Leaving,
    RemoteManifest,
    RemoteSegment,
    read_manifest,
)


@dataclass(frozen=True)
class PlacedSegment:
    """A segment's tracks.

    Parameters
    ----------
    entry : RemoteSegment
    rows : tuple of TrackRow
    code_at, step_at : np.ndarray [shape=(n_tracks,), dtype=int64]
        Where codes and steps of each track begin; -1 where there are none.
    steps : np.ndarray [shape=(n_tracks,), dtype=int64]
        Of each track.
    digests : np.ndarray [shape=(n_tracks, 16), dtype=uint8]
    """

    entry: RemoteSegment
    rows: Rows
    code_at: Int64
    step_at: Int64
    steps: Int64
    digests: Bytes

    @cached_property
    def left(self) -> list[int]:
        """Tracks, by their number in the segment, that have not been removed."""
        removed = set(self.entry.removed)
        return [number for number in range(len(self.rows)) if number not in removed]

    def rows_of(self, number: int) -> Leaving:
        """Return where the rows of a track are."""
        return Leaving(
            code_at=int(self.code_at[number]),
            codes=self.rows[number].codes,
            step_at=int(self.step_at[number]) if self.entry.steps is not None else None,
            steps=int(self.steps[number]),
        )


@dataclass(frozen=True)
class Placed:
    """An index on a server, without its codes.

    Parameters
    ----------
    generation : Generation
    manifest : RemoteManifest
    segments : tuple of PlacedSegment
    """

    generation: Generation
    manifest: RemoteManifest
    segments: tuple[PlacedSegment, ...]

    @cached_property
    def rows(self) -> tuple[TrackRow, ...]:
        """The tracks that have not been removed, by number."""
        return tuple(segment.rows[number] for segment in self.segments for number in segment.left)

    def uses(self, first: int, beyond: int) -> bool:
        """Return whether any track has rows with positions from `first` on, before `beyond`."""
        return any(
            bool(((at[segment.left] >= first) & (at[segment.left] < beyond)).any())
            for segment in self.segments
            for at in (segment.code_at, segment.step_at)
        )


def place_tracks(connection: Connection, generation: Generation) -> Placed:
    """Read who the tracks of a generation are, and where their rows begin.

    Parameters
    ----------
    connection : Connection
    generation : Generation

    Raises
    ------
    CatalogError
        If it is not whole, or contradicts itself; or the server does not answer.
    """
    manifest = read_manifest(connection, generation)
    segments = tuple(_segment(connection, generation, entry) for entry in manifest.segments)
    placed = Placed(generation, manifest, segments)
    counts, rows = manifest.counts, placed.rows
    if len(rows) != counts.tracks or sum(row.codes for row in rows) != counts.codes:
        raise _contradiction(generation, connection, "counts")
    if len({row.id for row in rows}) < len(rows):
        raise _contradiction(generation, connection, "a track is named twice")
    return placed


def _segment(connection: Connection, generation: Generation, entry: RemoteSegment) -> PlacedSegment:
    def contents(name: str) -> bytes:
        if name not in entry.files:
            raise _contradiction(generation, connection, f"{name} is missing")
        return get_file(connection, generation.collections, entry.files[name], repr(name))

    def array(name: str, dtype: str, shape: tuple[int, ...]) -> Any:
        found = load_array(contents(name))
        if found is None or found.dtype != np.dtype(dtype) or found.shape != shape:
            raise _contradiction(generation, connection, name)
        return found

    rows = parse_rows(contents(TRACKS_FILE), Path(generation.collections.name))
    if len(rows) != entry.tracks or int(starts_of(rows)[-1]) != entry.codes:
        raise _contradiction(generation, connection, TRACKS_FILE)
    code_at: Int64 = array(CODE_AT_FILE, "<i8", (len(rows),))
    step_at, steps = np.full(len(rows), -1, np.int64), np.zeros(len(rows), np.int64)
    if entry.steps is not None:
        step_at = array(STEP_AT_FILE, "<i8", (len(rows),))
        starts: Int64 = array("coarse_starts.npy", "<i8", (len(rows) + 1,))
        if not in_order(starts, entry.steps):
            raise _contradiction(generation, connection, "coarse_starts.npy")
        steps = np.diff(starts)
    segment = PlacedSegment(entry, rows, code_at, step_at, steps, array(DIGESTS_FILE, "|u1", (len(rows), 16)))
    for at in (code_at, *((step_at,) if entry.steps is not None else ())):
        if (at[segment.left] < 0).any() or (at[segment.left] % BLOCK).any():
            raise _contradiction(generation, connection, "positions")
    return segment


def load_array(contents: bytes) -> npt.NDArray[np.generic] | None:
    """Return the array in the contents of a file; None if it is none."""
    try:
        found: npt.NDArray[np.generic] = np.lib.format.read_array(io.BytesIO(contents), allow_pickle=False)
    except (ValueError, EOFError, OverflowError):
        return None
    return found


def _contradiction(generation: Generation, connection: Connection, what: str) -> CatalogError:
    return CatalogError(
        f"the index {generation.collections.name!r} on {connection.server} contradicts itself ({what}): push "
        "it again"
    )
