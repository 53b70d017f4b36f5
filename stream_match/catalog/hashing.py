"""An index gets its part for music search by counting, or what this lacks, from the audio of its tracks."""

import logging
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.catalog.edit import basis_of, open_to_change
from stream_match.catalog.entries import PLANES
from stream_match.catalog.find import Found, FoundTrack, Skipped, find_tracks
from stream_match.catalog.generation import write_generation
from stream_match.catalog.lsh_counts import (
    HashedRow,
    LshCounts,
    joined_counts,
    no_counts,
    open_lsh_counts,
    refuse_newer,
    write_lsh_counts,
)
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.progress import progress_bar
from stream_match.catalog.read import Unread, its_own_fault, partial_file, sha256_of
from stream_match.catalog.store import OpenIndex
from stream_match.catalog.workers import each_file
from stream_match.catalog.writing import Draft, check_place, settled, writing
from stream_match.errors import CatalogError, SourceError, UsageError
from stream_match.features.centred_chroma import N_FFT_SAMPLES, Float32, centred_chroma
from stream_match.index.bucket_counts import Int64, count_buckets
from stream_match.index.projection import Projection
from stream_match.threads import one_thread

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HashReport:
    """What came of hashing the tracks of an index.

    Parameters
    ----------
    hashed, kept : int
        Tracks that were hashed now, and before.
    lacking : tuple of str
        Ids of tracks of the index that have not been hashed, and are not looked for.
    skipped : tuple of (Path, str)
        Files that could not be taken, with one sentence saying why.
    ignored : tuple of str
        A sentence for each thing that was passed over although nothing is wrong with it.
    audio_s : float
        Seconds of audio that were hashed now.
    seconds : float
        How long it took.
    """

    hashed: int
    kept: int
    lacking: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    ignored: tuple[str, ...]
    audio_s: float
    seconds: float


@dataclass(frozen=True)
class Counted:
    """A file whose chroma frames have been counted.

    Parameters
    ----------
    counts : np.ndarray [shape=(n_tables, 2**key_bits), dtype=int64]
    seconds : float
        Length of what could be decoded.
    """

    counts: Int64
    seconds: float

    @property
    def frames(self) -> int:
        """Number of frames with sound."""
        return int(self.counts[0].sum())


@dataclass(frozen=True)
class _HashedFile:
    counted: Counted
    sha256: str

    @property
    def seconds(self) -> float:
        return self.counted.seconds


@dataclass(frozen=True)
class _Tables:
    """What the frames of all tracks are hashed with."""

    planes: Projection
    n_tables: int


def count_file(path: Path, planes: Projection, n_tables: int) -> Counted:
    """Count the chroma frames of a file in the buckets of LSH tables, in constant memory.

    Parameters
    ----------
    path : Path
        An audio file.
    planes : Projection
    n_tables : int

    Raises
    ------
    SourceError
        If it cannot be decoded, or is shorter than a frame.
    """
    samples = 0

    def heard() -> Iterator[Float32]:
        nonlocal samples
        for y in read_blocks(path):
            samples += len(y)
            yield y

    with its_own_fault(path):
        frames = centred_chroma(heard(), SAMPLE_RATE_HZ)
        counts = reduce(np.add, (count_buckets(chroma, planes, n_tables) for chroma in frames))
    seconds = samples / SAMPLE_RATE_HZ
    if samples < N_FFT_SAMPLES:
        raise SourceError(
            f"{str(path)!r} has {seconds:.2f} s, expected a frame of {N_FFT_SAMPLES / SAMPLE_RATE_HZ:.2f} s "
            "at least: give a longer file"
        )
    return Counted(counts, seconds)


def hash_index(
    index: Path, paths: Sequence[Path], *, jobs: int | None = None, progress: bool = True
) -> HashReport:
    """Count the chroma frames of all tracks of an index for which that has not been done.

    Parameters
    ----------
    index : Path
    paths : sequence of Path
        Files and folders with the audio that the index was made of.
    jobs, progress
        As in `build_index`.

    Raises
    ------
    UsageError
        If an argument is not what it should be, or no track of the index is in what was given.
    CatalogError
        If the index cannot be loaded or written, its part is of a later version, or no file could be read.
    """
    began = time.perf_counter()
    index = settled(index)
    read_manifest(index)  # before a lock in something that is no index
    found = find_tracks(paths)
    with one_thread(), writing(index, lambda: check_place(index, replace=True)) as draft:
        old = open_to_change(index)
        part = _held(old)
        columns = part.columns(old)
        known, kept = {row.id: row.sha256 for row in old.rows}, {part.rows[number].id for number in columns}
        own = _own(found, known, index, paths)
        wanted = [track for track in own if track.id not in kept]
        read = _hashed(wanted, found, draft, part, known, jobs=jobs, progress=progress)
        if wanted and not read and not kept:
            raise CatalogError(f"no track could be hashed: {found.skipped[-1][1]}")
        if read:
            rows = [
                HashedRow(id=name, sha256=known[name], frames=counted.frames)
                for name, counted in read.items()
            ]
            counts = [counted.counts.astype(np.uint32) for counted in read.values()]
            _write(draft, old, joined_counts(part, columns, rows, counts))
    return HashReport(
        hashed=len(read),
        kept=len(kept),
        lacking=tuple(sorted(known.keys() - kept - read.keys())),
        skipped=tuple(found.skipped),
        ignored=_ignored(found, own),
        audio_s=sum(counted.seconds for counted in read.values()),
        seconds=time.perf_counter() - began,
    )


def _held(index: OpenIndex) -> LshCounts:
    """Return what has been counted; of a damaged part nothing is kept."""
    refuse_newer(index)
    if index.manifest.parts.lsh_counts is None:
        return no_counts()
    try:
        return open_lsh_counts(index)
    except CatalogError as error:
        log.warning("all tracks are hashed again: %s", error)
        return no_counts()


def _own(found: Found, known: Container[str], index: Path, paths: Sequence[Path]) -> list[FoundTrack]:
    """Return what was found of the tracks of an index."""
    own = [track for track in found.tracks if track.id in known]
    if not own:
        shown = ", ".join(repr(str(path)) for path in paths)
        raise UsageError(
            f"none of the tracks of {str(index)!r} is in {shown}: give the paths that the index was built "
            "from"
        )
    return own


def _ignored(found: Found, own: Sequence[FoundTrack]) -> tuple[str, ...]:
    strangers = len(found.tracks) - len(own)
    told = [f"{strangers} file{'' if strangers == 1 else 's'} that the index has no track of"]
    return (*found.ignored(), *(told if strangers else ()))


def _hashed(
    wanted: Sequence[FoundTrack],
    found: Found,
    draft: Draft,
    part: LshCounts,
    known: dict[str, str],
    *,
    jobs: int | None,
    progress: bool,
) -> dict[str, Counted]:
    """Return what was counted, by the id of the track; what cannot be is added to what was skipped."""
    files = [track.path for track in wanted]
    places = [draft.work / f"{number}.hashed" for number in range(len(files))]
    tables = _Tables(part.planes, part.n_tables)
    with progress_bar(files, shown=progress) as on_done:
        results = each_file(files, places, _hash_file, tables, jobs=jobs, on_done=on_done)
    counted: dict[str, Counted] = {}
    for track, result in zip(wanted, results, strict=True):
        if isinstance(result, Unread):
            found.skipped.append((track.path, result.reason))
        elif result.sha256 != known[track.id]:
            why = f"{str(track.path)!r} has changed since the index took it in: run stream-match index update"
            found.skipped.append((track.path, why))
        else:
            counted[track.id] = result.counted
    return counted


def _hash_file(path: Path, place: Path, tables: _Tables) -> _HashedFile | Unread:
    """Count the frames of a file; nothing is written, but a mark of whom a worker died over."""
    mark = partial_file(place)
    mark.touch()
    try:
        return _HashedFile(count_file(path, tables.planes, tables.n_tables), sha256_of(path))
    except SourceError as error:
        return Unread(str(error))
    finally:
        mark.unlink()


def _write(draft: Draft, old: OpenIndex, part: LshCounts) -> None:
    entry = write_lsh_counts(part, draft.new / PLANES)
    parts = old.manifest.parts.model_copy(update={"lsh_counts": entry})
    write_generation(draft, replace(basis_of(old), parts=parts), old.segments, (), frozenset())
