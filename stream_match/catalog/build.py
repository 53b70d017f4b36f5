"""From audio files to an index folder."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.background import load_background
from stream_match.catalog.coded_files import Sampling, sample_file
from stream_match.catalog.coded_tracks import CodedTrack, code_read, read_tracks, require_kept
from stream_match.catalog.entries import PLANES, CatalogueParts
from stream_match.catalog.find import Found, FoundTrack, Skipped, find_tracks
from stream_match.catalog.folder import duplicates_among
from stream_match.catalog.generation import Basis, write_generation
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.metadata import read_metadata, warn_of_unknown
from stream_match.catalog.read import ReadTrack, stretches
from stream_match.catalog.readers import Readers, readers
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.segments import write_planes
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.index.background import ENOUGH_TRACKS
from stream_match.index.coding import Hyperplanes, fit_to_samples, sample_stride
from stream_match.index.harmony import require_step
from stream_match.index.spans import Spans
from stream_match.match import tuning
from stream_match.threads import one_thread

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BuildReport:
    """What came of building, or of adding.

    Parameters
    ----------
    tracks : int
        Tracks that were read and are now in the index.
    skipped : tuple of (Path, str)
        What could not be taken, with one sentence saying why.
    audio_s : float
        Seconds of audio of those tracks.
    seconds : float
        How long it took.
    duplicates : tuple of tuple of str
        Ids of tracks in the index that were made from byte-identical files.
    ignored : tuple of str
        A sentence for each thing that was passed over although nothing is wrong with it.
    """

    tracks: int
    skipped: tuple[Skipped, ...]
    audio_s: float
    seconds: float
    duplicates: tuple[tuple[str, ...], ...] = ()
    ignored: tuple[str, ...] = ()


def build_index(
    paths: Sequence[AudioPath],
    out: Path,
    *,
    jobs: int | None = None,
    on: str | None = None,
    metadata: Path | None = None,
    replace: bool = False,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008, a frozen value
    progress: bool = True,
) -> BuildReport:
    """Build an index of audio files; equal files give equal bytes, on however many cores.

    Parameters
    ----------
    paths : sequence of Path or UrlPath
        Files and folders.
    out : Path
        The folder to be made.
    jobs : int or None
        Processes that decode; None for one per core.
    on : str or None
        Address of the scheduler of a Dask cluster whose workers decode, instead of processes.
    metadata : Path or None
        A CSV file with the columns id, title, artist, album, which wins over the files' tags.
    replace : bool
        Whether an index may be there already; it stays as it is until the new one is whole.
    settings : FeatureSettings
    progress : bool
        Whether to show a bar, if stderr is a terminal.

    Raises
    ------
    UsageError
        If an argument is not what it should be, files in two folders would be one track, or there are
        settings that nothing can be recognised with.
    CatalogError
        If no file could be read, or the index could not be written.
    """
    began = time.perf_counter()
    Spans.of(settings)
    require_step(settings)
    out = settled(out)
    found = find_tracks(paths)
    table = read_metadata(metadata)
    warn_of_unknown(table, {track.id for track in found.tracks})
    with one_thread(), writing(out, lambda: check_place(out, replace=replace)) as draft:
        with readers(draft.work, jobs=jobs, on=on) as at:
            read = read_tracks(found, at, settings, progress=progress)
            planes = fit(read, at, settings)
            coded = code_read(read, at, table, planes, settings)
        parts = CatalogueParts(hyperplanes=write_planes(planes, draft.new / PLANES))
        basis = Basis(settings, planes, parts, generation=generation_in(out))
        write_generation(draft, basis, (), coded, frozenset(track.row.id for track in coded))
    return report(coded, (track.row for track in coded), found, began)


def fit(read: Sequence[tuple[FoundTrack, ReadTrack]], at: Readers, settings: FeatureSettings) -> Hyperplanes:
    """Return hyperplanes fitted to tracks, and to a background if these are few.

    Parameters
    ----------
    read : sequence of (FoundTrack, ReadTrack)
    at : Readers
        That have read them.
    settings : FeatureSettings

    Raises
    ------
    CatalogError
        If a file had to be read again, and cannot be.
    """
    each = [stretches(track.n_frames, settings) for _, track in read]
    stride = sample_stride(sum(beyond - first for found in each for first, beyond in found), settings)
    files = [track.path for track, _ in read]
    results = at.each(files, sample_file, Sampling(settings, stride), kept=True)
    samples = [require_kept(result) for result in results]
    different = len({track.sha256 for _, track in read if track.seconds >= tuning.LONGEST_WINDOW_S})
    return fit_to_samples(samples, stride, settings, _further(different, settings))


def generation_in(folder: Path) -> int:
    """Return the generation of the index in a folder; 0 if there is none that can be read."""
    try:
        return read_manifest(folder).generation
    except CatalogError:
        return 0


def _further(different: int, settings: FeatureSettings) -> Iterator[Float32]:
    """Return what else the hyperplanes of a small catalogue are fitted to, for its tracks are one-sided."""
    return load_background(settings).tracks(settings) if different < ENOUGH_TRACKS else iter(())


def report(new: Sequence[CodedTrack], rows: Iterable[TrackRow], found: Found, began: float) -> BuildReport:
    """Sum up.

    Parameters
    ----------
    new : sequence of CodedTrack
        What was read now.
    rows : iterable of TrackRow
        All that the index now holds.
    found : Found
    began : float
        ``time.perf_counter()`` at the beginning.
    """
    return BuildReport(
        tracks=len(new),
        skipped=tuple(found.skipped),
        audio_s=round(sum(track.row.seconds for track in new), 3),
        seconds=time.perf_counter() - began,
        duplicates=duplicates_among({row.id: row.sha256 for row in rows}),
        ignored=tuple(found.ignored()),
    )
