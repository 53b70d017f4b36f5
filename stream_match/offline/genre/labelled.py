"""Rows of descriptors with the genre of each: from tables in GTZAN form, and from folders of genres."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from stream_match.catalog.find import AUDIO_SUFFIXES
from stream_match.descriptors.sets import SAMPLE_RATE_HZ
from stream_match.errors import UsageError
from stream_match.offline.tables.reading import LABEL, LENGTH, START, Columns, read_columns
from stream_match.offline.tables.table import TableReport, make_table

Float64 = npt.NDArray[np.float64]

LONGEST_LABEL = 200

ALIKE_LENGTHS = 0.05
"""Lengths of clips that differ by no more, as a share, are one length."""

_WINDOW_OF_A_CLIP = re.compile(r"(.+\.\d{5})\.\d+")
"""The published table of 3 s names the windows of blues.00000 so: blues.00000.0 to blues.00000.9."""


@dataclass(frozen=True)
class Labelled:
    """Rows to train on.

    Parameters
    ----------
    source : str
        Names of the tables.
    tracks : tuple of str
        The track that each row is of.
    labels : tuple of str
        The genre of each row.
    sets : tuple of str
    values : np.ndarray [shape=(n, d), dtype=float64]
        Columns of the sets, one set after the other; finite.
    window_seconds : float or None
        Length of what a row describes; None for a whole track.
    """

    source: str
    tracks: tuple[str, ...]
    labels: tuple[str, ...]
    sets: tuple[str, ...]
    values: Float64
    window_seconds: float | None


def describe_folder(
    folder: Path,
    sets: Sequence[str],
    out: Path,
    *,
    window_s: float | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> tuple[list[Path], list[TableReport]]:
    """Describe a folder that has a folder of audio for each genre.

    Parameters
    ----------
    folder : Path
    sets : sequence of str
    out : Path
        The tables are named like this one, with the set before the suffix: ``out.gtzan.csv``.
    window_s, jobs, progress
        As for `make_table`.

    Returns
    -------
    list of Path, list of TableReport

    Raises
    ------
    UsageError, CatalogError, SinkError
        As `make_table`.
    """
    places = [out.with_name(f"{out.stem}.{name}.csv") for name in sets]
    reports = [
        make_table([folder], place, name=name, window_s=window_s, jobs=jobs, progress=progress)
        for place, name in zip(places, sets, strict=True)
    ]
    return places, reports


def read_labelled(
    paths: Sequence[Path], *, labels_from_ids: bool = False, window_s: float | None = None
) -> Labelled:
    """Read one table, or several of the same rows and of different sets.

    Parameters
    ----------
    paths : sequence of Path
    labels_from_ids : bool
        Whether the genre is the first folder of the id, instead of the column ``label``.
    window_s : float, optional
        Length of what a row describes, where a table does not say it [seconds].

    Raises
    ------
    UsageError
        If a table is none in this form, or tables do not fit together.
    OSError
        If one cannot be read.
    """
    parts = [_read_part(path, labels_from_ids=labels_from_ids) for path in paths]
    rows = [key for key in parts[0].rows if all(key in part.rows for part in parts[1:])]
    if not rows:
        raise UsageError("the tables have no row in common; make them of the same files and windows.")
    sets: dict[str, Float64] = {}
    for path, part in zip(paths, parts, strict=True):
        twice = sets.keys() & part.sets.keys()
        if twice:
            raise UsageError(f"{str(path)!r} holds {min(twice)}, and so does another table; give one.")
        sets |= {name: values[[part.rows[key] for key in rows]] for name, values in part.sets.items()}
    of_tracks: dict[str, str] = {}
    labels = [parts[0].labels[parts[0].rows[key]] for key in rows]
    tracks = [track for track, _ in rows]
    for track, label in zip(tracks, labels, strict=True):
        if of_tracks.setdefault(track, label) != label:
            raise UsageError(
                f"the track {track!r} is both {of_tracks[track]!r} and {label!r}; give it one genre."
            )
    windows = [part.window_s for part in parts if part.window_s is not None]
    return Labelled(
        source=", ".join(path.name for path in paths),
        tracks=tuple(tracks),
        labels=tuple(labels),
        sets=tuple(sets),
        values=np.concatenate(list(sets.values()), axis=1),
        window_seconds=windows[0] if windows else window_s,
    )


@dataclass(frozen=True)
class _Part:
    rows: dict[tuple[str, int], int]  # track and number of its row -> place in the table
    labels: list[str]
    sets: dict[str, Float64]
    window_s: float | None


def _read_part(path: Path, *, labels_from_ids: bool) -> _Part:
    columns = read_columns(path)
    ids = columns.ids()
    sets = columns.sets(ids)
    labels = [_folder_of(path, name) for name in ids] if labels_from_ids else _labels(columns, ids)
    counts: dict[str, int] = {}
    rows = {}
    for place, name in enumerate(ids):
        track = _track_of(name)
        counts[track] = counts.get(track, -1) + 1
        rows[track, counts[track]] = place
    return _Part(rows, labels, sets, _window_s(columns))


def _labels(columns: Columns, ids: Sequence[str]) -> list[str]:
    if LABEL not in columns.header:
        raise UsageError(
            f"{str(columns.path)!r} has no column {LABEL}; name the genre of each row in one, or give "
            "--labels-from-ids if each id begins with the folder of its genre."
        )
    labels = [unicodedata.normalize("NFC", word) for word in columns.words(columns.header.index(LABEL))]
    for name, label in zip(ids, labels, strict=True):
        if not label.strip() or len(label) > LONGEST_LABEL:
            raise UsageError(
                f"{str(columns.path)!r} has {label[:40]!r} as the {LABEL} of {name!r}; give each row the "
                f"name of a genre, of at most {LONGEST_LABEL} letters."
            )
    return labels


def _folder_of(path: Path, name: str) -> str:
    folder, slash, _ = name.partition("/")
    if not slash or not folder:
        raise UsageError(
            f"{str(path)!r} names a track {name!r} that is in no folder; put each one into a folder that is "
            "named like its genre."
        )
    return folder


def _track_of(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    bare = name.removesuffix(suffix) if suffix.lower() in AUDIO_SUFFIXES else name
    window = _WINDOW_OF_A_CLIP.fullmatch(bare)
    return window[1] if window else bare


def _window_s(columns: Columns) -> float | None:
    """Return what a table tells of the length of its rows, from where windows begin or how many samples."""
    if START in columns.header:
        apart = np.diff(columns.numbers([columns.header.index(START)])[:, 0])
        ahead = apart[apart > 0]
        return round(float(ahead.min()), 3) if len(ahead) else None
    if LENGTH in columns.header:
        seconds = columns.numbers([columns.header.index(LENGTH)])[:, 0] / SAMPLE_RATE_HZ
        middle = float(np.median(seconds))
        if middle > 0 and np.all(np.abs(seconds / middle - 1) <= ALIKE_LENGTHS):
            return round(middle, 1)
    return None
