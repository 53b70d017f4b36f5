"""Audio files and folders become a table of descriptors.

Each file that has been described leaves its rows in a hidden folder beside the table. A run that was broken
off is taken up there: only what is missing, or has changed, is described. The table is written once all is
there, whole or not at all, and then the folder is deleted.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.find import Found, FoundTrack, Skipped, find_tracks
from stream_match.descriptors.sets import SAMPLE_RATE_HZ, VERSION, set_named
from stream_match.errors import CatalogError, ParameterError
from stream_match.offline.tables.described import Recipe, describe_file, rows_name
from stream_match.offline.tables.formats import WRITERS, check_format
from stream_match.offline.tables.resumed import delete_rows, describe_missing, rows_kept
from stream_match.outputs import check_place, written_whole

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TableReport:
    """What came of making a table.

    Parameters
    ----------
    tracks, rows : int
        In the table.
    resumed : int
        Tracks among them that an earlier run had described.
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
    rows: int
    resumed: int
    skipped: tuple[Skipped, ...]
    ignored: tuple[str, ...]
    audio_s: float
    seconds: float


def make_table(
    paths: Sequence[Path],
    out: Path,
    *,
    name: str,
    window_s: float | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> TableReport:
    """Describe audio files, and write a table: the id of the track, then the columns of the set.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    out : Path
        The table, ending in .csv or .parquet. One that is there is replaced.
    name : str
        Of the set: rp, ssd or gtzan.
    window_s : float, optional
        Length of what a row describes [seconds]. Then there are several rows of a track, one for each whole
        window, and a column ``start_s`` behind the id. By default a row describes the whole track.
    jobs : int or None
        Processes; None for one per core.
    progress : bool
        Whether to show a bar, if stderr is a terminal.

    Returns
    -------
    TableReport

    Raises
    ------
    UsageError
        If an argument is not what it should be, or pyarrow is needed and not there.
    CatalogError
        If no file could be described, or another process writes the table.
    SinkError
        If the table, or what stands beside it meanwhile, cannot be written.
    """
    began = time.perf_counter()
    recipe = Recipe(name, _window_samples(name, window_s))
    check_place("--out", out, example="features.csv")
    check_format(out)
    found = find_tracks(paths)
    place = Path(os.path.realpath(out))
    folder = place.with_name(f".{place.name}.parts")
    with rows_kept(folder, out):
        wanted = _wanted(found, folder, recipe)
        described = describe_missing(wanted, describe_file, recipe, jobs=jobs, progress=progress)
        found.skipped += described.skipped
        if not described.tracks:
            raise CatalogError(f"no file could be described: {found.skipped[0][1]}")
        rows = _write(out, described.tracks, recipe)
        delete_rows(folder)
    return TableReport(
        tracks=len(described.tracks),
        rows=rows,
        resumed=described.resumed,
        skipped=tuple(found.skipped),
        ignored=tuple(found.ignored()),
        audio_s=described.audio_s,
        seconds=time.perf_counter() - began,
    )


def _window_samples(name: str, window_s: float | None) -> int | None:
    described = set_named(name)
    if window_s is None:
        return None
    shortest, longest = described.shortest_samples, described.longest_samples
    samples = round(window_s * SAMPLE_RATE_HZ) if math.isfinite(window_s) else -1
    if samples < shortest or (longest is not None and samples > longest):
        limits = f"from {math.ceil(shortest / SAMPLE_RATE_HZ * 10) / 10:g} s"
        limits += " up" if longest is None else f" to {longest / SAMPLE_RATE_HZ:g} s"
        raise ParameterError(f"the window has {window_s:g} s; {name} takes {limits}.")
    return samples


def _wanted(found: Found, folder: Path, recipe: Recipe) -> list[tuple[FoundTrack, Path]]:
    """Return the tracks, and where their rows go; what is not there any more is added to what was skipped."""
    made_with = version("librosa") if recipe.name == "gtzan" else ""
    wanted: list[tuple[FoundTrack, Path]] = []
    for track in found.tracks:
        try:
            wanted.append((track, folder / rows_name(track, recipe, made_with)))
        except OSError as error:
            found.skipped.append((track.path, f"{str(track.path)!r} cannot be read: {error.strerror}"))
    return wanted


def _write(out: Path, tracks: Sequence[tuple[FoundTrack, Path]], recipe: Recipe) -> int:
    """Write the table, and return how many rows it has."""
    columns = recipe.descriptors.columns
    size = 8 * len(columns)
    window = recipe.window_samples
    about = {"stream_match.set": recipe.name, "stream_match.version": str(VERSION)}
    if window is not None:
        columns = ("start_s", *columns)
        about["stream_match.window_s"] = repr(window / SAMPLE_RATE_HZ)
    with written_whole(out) as beside:
        WRITERS[out.suffix.lower()](beside, columns, _rows(tracks, size // 8, window), about)
    return sum(path.stat().st_size // size for _, path in tracks)


def _rows(
    tracks: Sequence[tuple[FoundTrack, Path]], width: int, window: int | None
) -> Iterator[tuple[str, Float64]]:
    for track, path in tracks:
        for number, values in enumerate(np.fromfile(path, np.float64).reshape(-1, width)):
            start = [] if window is None else [[number * window / SAMPLE_RATE_HZ]]
            yield track.id, np.concatenate([*start, values])
