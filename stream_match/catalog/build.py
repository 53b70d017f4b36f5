"""From audio files to an index folder."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.background import load_background
from stream_match.catalog.find import Found, FoundTrack, Skipped, find_tracks
from stream_match.catalog.folder import duplicates_among
from stream_match.catalog.generation import Basis, CodedTrack, write_generation
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.metadata import FIELDS, Metadata, read_metadata, warn_of_unknown
from stream_match.catalog.progress import progress_bar
from stream_match.catalog.read import ReadTrack, Stretches, chroma_portions
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.workers import read_all
from stream_match.catalog.writing import check_place, settled, writing
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.index.background import ENOUGH_TRACKS
from stream_match.index.coding import Hyperplanes, TrackCodes, code_track, fit_to_tracks
from stream_match.index.harmony import require_step
from stream_match.index.spans import Spans
from stream_match.match.query import LONGEST_S
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
    paths: Sequence[Path],
    out: Path,
    *,
    jobs: int | None = None,
    metadata: Path | None = None,
    replace: bool = False,
    settings: FeatureSettings = FeatureSettings(),  # noqa: B008, a frozen value
    progress: bool = True,
) -> BuildReport:
    """Build an index of audio files; equal files give equal bytes, on however many cores.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    out : Path
        The folder to be made.
    jobs : int or None
        Processes that decode; None for one per core.
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
        read = read_tracks(found, draft.work, settings, jobs=jobs, progress=progress)
        planes = fit(read, settings)
        coded = [code(track, heard, table, planes, settings) for track, heard in read]
        basis = Basis(settings, planes, generation=generation_in(out))
        write_generation(draft, basis, (), coded, frozenset(track.row.id for track in coded))
    return report(coded, (track.row for track in coded), found, began)


def fit(read: Sequence[tuple[FoundTrack, ReadTrack]], settings: FeatureSettings) -> Hyperplanes:
    """Return hyperplanes fitted to tracks, and to a background if these are few.

    Parameters
    ----------
    read : sequence of (FoundTrack, ReadTrack)
    settings : FeatureSettings
    """
    frames = [track.frames for _, track in read]
    different = len({track.sha256 for _, track in read if track.seconds >= LONGEST_S})
    return fit_to_tracks(Stretches(frames, settings), settings, _further(different, settings))


def generation_in(folder: Path) -> int:
    """Return the generation of the index in a folder; 0 if there is none that can be read."""
    try:
        return read_manifest(folder).generation
    except CatalogError:
        return 0


def _further(different: int, settings: FeatureSettings) -> Iterator[Float32]:
    """Return what else the hyperplanes of a small catalogue are fitted to, for its tracks are one-sided."""
    return load_background(settings).tracks(settings) if different < ENOUGH_TRACKS else iter(())


def read_tracks(
    found: Found,
    work: Path,
    settings: FeatureSettings,
    *,
    jobs: int | None,
    progress: bool,
    needed: bool = True,
) -> list[tuple[FoundTrack, ReadTrack]]:
    """Read audio files, and tell those that can become tracks from the others.

    Parameters
    ----------
    found : Found
        Files that cannot become tracks are added to what it has skipped.
    work : Path
        An empty folder, which must outlive the results.
    settings : FeatureSettings
    jobs : int or None
    progress : bool
    needed : bool
        Whether one has to be read at least.

    Returns
    -------
    list of (FoundTrack, ReadTrack)
        In the order of `found`.

    Raises
    ------
    CatalogError
        If no file could be read, and one is needed.
    """
    paths = [track.path for track in found.tracks]
    with progress_bar(paths, shown=progress) as on_done:
        results = read_all(paths, work, settings, jobs=jobs, on_done=on_done)
    read: list[tuple[FoundTrack, ReadTrack]] = []
    for track, result in zip(found.tracks, results, strict=True):
        if isinstance(result, ReadTrack):
            read.append((track, result))
        else:
            found.skipped.append((track.path, result.reason))
    if not read and needed:
        raise CatalogError(f"no track could be read: {found.skipped[0][1]}")
    return read


def code(
    found: FoundTrack, read: ReadTrack, metadata: Metadata, planes: Hyperplanes, settings: FeatureSettings
) -> CodedTrack:
    """Return the codes of a track that has been read, and its row.

    Parameters
    ----------
    found : FoundTrack
    read : ReadTrack
    metadata : mapping
        Wins over the file's tags.
    planes : Hyperplanes
    settings : FeatureSettings
    """
    parts = [code_track(frames, planes, settings) for frames in Stretches([read.frames], settings)]
    codes = np.concatenate([part.codes for part in parts])
    chroma_codes = np.concatenate([part.chroma_codes for part in parts])
    audible = np.concatenate([part.audible for part in parts])
    named = {**read.tags, **metadata.get(found.id, {})}
    names = {field: _storable(named[field]) for field in FIELDS if field in named}
    row = TrackRow(
        id=found.id,
        title=names.get("title"),
        artist=names.get("artist"),
        album=names.get("album"),
        seconds=round(read.seconds, 3),
        codes=len(codes),
        sha256=read.sha256,
    )
    coarse = coarse_chroma(chroma_portions(read.frames, settings), settings)
    return CodedTrack(row, TrackCodes(codes, chroma_codes, audible), coarse)


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


def _storable(text: str) -> str:
    """Return text that is UTF-8 for certain; tags are bytes of anybody's."""
    return text.encode("utf-8", "replace").decode()
