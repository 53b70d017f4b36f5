"""The tracks of an index described, from their audio."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.describe import add_descriptors, open_to_describe
from stream_match.catalog.find import Found, FoundTrack, Skipped, find_tracks
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.store import OpenIndex
from stream_match.catalog.writing import settled
from stream_match.descriptors.sets import SETS
from stream_match.errors import UsageError
from stream_match.offline.tables.described import describe_track, track_rows_name
from stream_match.offline.tables.resumed import delete_rows, describe_missing, rows_kept

Float32 = npt.NDArray[np.float32]

_COLUMNS = sum(len(described.columns) for described in SETS.values())
_FOLDER = ".describing"
"""In the folder of the index, while its tracks are described: rows that are not in the index yet."""


@dataclass(frozen=True)
class DescribeReport:
    """What came of describing the tracks of an index.

    Parameters
    ----------
    tracks, described : int
        Tracks of the index, and how many of them have descriptors now.
    new : int
        Audio files that were described, those of a run that was broken off among them.
    resumed : int
        Of these, what that run had described.
    others : int
        Audio files that are no tracks of the index.
    partly : int
        Of the new ones, those that are too short or too long for a set.
    skipped : tuple of (Path, str)
        What could not be taken, with one sentence saying why.
    ignored : tuple of str
        A sentence for each thing that was passed over although nothing is wrong with it.
    audio_s : float
        Seconds of audio that this run has described.
    seconds : float
        How long it took.
    """

    tracks: int
    described: int
    new: int
    resumed: int
    others: int
    partly: int
    skipped: tuple[Skipped, ...]
    ignored: tuple[str, ...]
    audio_s: float
    seconds: float


def describe_tracks(
    index: Path, paths: Sequence[Path], *, jobs: int | None = None, progress: bool = True
) -> DescribeReport:
    """Describe the tracks of an index whose audio is at hand, but for those that are described already.

    The index is held only while the descriptors are put into it, in the end. Until then they are kept in a
    hidden folder in it, and a run that was broken off is taken up there.

    Parameters
    ----------
    index : Path
    paths : sequence of Path
        Files and folders with the audio; ids follow from them as in `build_index`.
    jobs, progress
        As in `build_index`.

    Raises
    ------
    UsageError
        If an argument is not what it should be, or no track of the index is in what was given.
    CatalogError
        If the index cannot be loaded or written, or another process describes it.
    SinkError
        If what is kept meanwhile cannot be written.
    """
    began = time.perf_counter()
    index = settled(index)
    read_manifest(index)
    found = find_tracks(paths)
    before = open_to_describe(index)
    asked, others = _asked(before, found, paths)
    librosa, folder = version("librosa"), index / _FOLDER
    described = _described(before)
    with rows_kept(folder, index):
        _drop_torn(folder)
        wanted = [(track, folder / track_rows_name(sha256, librosa)) for sha256, track in asked.items()]
        outcome = describe_missing(wanted, describe_track, None, jobs=jobs, progress=progress)
        rows = {path.name.partition(".")[0]: _row(path) for _, path in outcome.tracks}
        if rows:
            described = add_descriptors(index, rows, librosa=librosa)
        delete_rows(folder)
    return DescribeReport(
        tracks=len(before.rows),
        described=described,
        new=len(rows),
        resumed=outcome.resumed,
        others=others,
        partly=sum(bool(np.isnan(row).any()) for row in rows.values()),
        skipped=(*found.skipped, *outcome.skipped),
        ignored=tuple(found.ignored()),
        audio_s=outcome.audio_s,
        seconds=time.perf_counter() - began,
    )


def _asked(index: OpenIndex, found: Found, paths: Sequence[Path]) -> tuple[dict[str, FoundTrack], int]:
    """Return files to be described by the hash that each should have, and how many are no tracks."""
    known = {row.id: row for row in index.rows}
    there = [track for track in found.tracks if track.id in known]
    if found.tracks and not there:
        shown = ", ".join(repr(str(path)) for path in paths)
        raise UsageError(
            f"no file in {shown} is a track of the index {str(index.folder)!r}: its ids are such as "
            f"{index.rows[0].id!r}, paths below the folder that it was built from; give that folder"
        )
    rows = [known[track.id] for track in there]
    stored = index.descriptors
    places = np.full(len(rows), -1) if stored is None else stored.places(rows)
    asked: dict[str, FoundTrack] = {}
    for track, row, place in zip(there, rows, places.tolist(), strict=True):
        if place < 0:
            asked.setdefault(row.sha256, track)
    return asked, len(found.tracks) - len(there)


def _described(index: OpenIndex) -> int:
    stored = index.descriptors
    return 0 if stored is None else int((stored.places(index.rows) >= 0).sum())


def _drop_torn(folder: Path) -> None:
    """Delete rows that a machine which lost its power has not written whole."""
    for path in folder.glob("*.rows"):
        if path.stat().st_size != 4 * _COLUMNS:
            path.unlink()


def _row(path: Path) -> Float32:
    return np.fromfile(path, np.float32)
