"""The tracks that a report of a collection is about: from an index, from tables, or from both."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.described import read_descriptors
from stream_match.catalog.find import find_tracks
from stream_match.catalog.store import OpenIndex, open_index
from stream_match.errors import UsageError
from stream_match.index.copies import groups_by_label
from stream_match.offline.tables.compared import bare_name
from stream_match.offline.tables.reading import read_table
from stream_match.offline.tables.similar import join_tables

Float64 = npt.NDArray[np.float64]

_LEAST_DESCRIBED = 0.5
"""Of the tracks: the set gtzan takes none longer than 10 minutes, and a collection may consist of such."""


@dataclass(frozen=True)
class Tracks:
    """What is known of the tracks of a collection; all sequences have their order.

    Parameters
    ----------
    name : str
        Of the collection.
    ids : tuple of str
    titles, artists : tuple of (str or None)
    groups : tuple of str
        Their genres, or else their folders; "" where there is none.
    grouped_by : str
        ``genre``, ``folder``, or "" if there are no groups.
    files : mapping of str to Path
        By id, those that were found.
    sets : mapping of str to np.ndarray [shape=(n, d), dtype=float64]
        Descriptors, by the name of their set.
    copies : tuple of tuple of str, or None
        Groups of ids that the index takes for one recording; None without an index.
    false_scores : mapping of str to float
        Highest score that a stretch of a track has with other ones, for those that the index has looked at.
    left_out : int
        Tracks of the index or of some table that are not described everywhere.
    """

    name: str
    ids: tuple[str, ...]
    titles: tuple[str | None, ...]
    artists: tuple[str | None, ...]
    groups: tuple[str, ...]
    grouped_by: str
    files: Mapping[str, Path]
    sets: Mapping[str, Float64]
    copies: tuple[tuple[str, ...], ...] | None
    false_scores: Mapping[str, float]
    left_out: int


def gather(index: Path | None, tables: Sequence[Path], audio: Sequence[Path]) -> Tracks:
    """Gather what is known of a collection.

    Parameters
    ----------
    index : Path or None
        Its folder. Without tables, the descriptors are a part of it.
    tables : sequence of Path
        Of descriptors. They are joined by name, with each other and with the index.
    audio : sequence of Path
        Files and folders where the recordings are.

    Returns
    -------
    Tracks

    Raises
    ------
    UsageError
        If neither index nor table is given, they do not fit together, or there is no audio at a path; as for
        `read_table`.
    CatalogError
        If the index cannot be read.
    """
    opened = None if index is None else open_index(index)
    rows = {} if opened is None else {row.id: row for row in opened.rows}
    described = _of_tables(tables, rows, index) if tables else _of_index(index)
    ids, labels = described.ids, described.labels
    known = [rows.get(name) for name in ids]
    groups, grouped_by = _groups(ids, labels)
    copies, false_scores = (None, {}) if opened is None else _told_by(opened)
    return Tracks(
        name=(index or tables[0]).resolve().name,
        ids=ids,
        titles=tuple(None if row is None else row.title for row in known),
        artists=tuple(None if row is None else row.artist for row in known),
        groups=groups,
        grouped_by=grouped_by,
        files=_files(ids, audio),
        sets=described.sets,
        copies=copies,
        false_scores=false_scores,
        left_out=described.left_out,
    )


@dataclass(frozen=True)
class _Described:
    """Tracks that every set describes.

    Parameters
    ----------
    labels : mapping of str to str, or None
        Genres, by id.
    """

    ids: tuple[str, ...]
    sets: Mapping[str, Float64]
    left_out: int
    labels: Mapping[str, str] | None


def _of_tables(paths: Sequence[Path], rows: Collection[str], index: Path | None) -> _Described:
    """Return what tables say, of the tracks of the index if there is one."""
    tables = [read_table(path) for path in paths]
    joined, _ = join_tables(tables)
    kept = [place for place, name in enumerate(joined.ids) if index is None or name in rows]
    if not kept:
        raise UsageError(f"no track of the tables is in the index {str(index)!r}; give tables of its tracks.")
    ids = tuple(joined.ids[place] for place in kept)
    every = {*rows, *(name for table in tables for name in table.ids)}
    labelled = (dict(zip(t.ids, t.labels, strict=True)) for t in tables if t.labels is not None)
    sets = {name: values[kept].astype(np.float64) for name, values in joined.sets.items()}
    return _Described(ids, sets, len(every) - len(ids), next(labelled, None))


def _of_index(index: Path | None) -> _Described:
    """Return what the index says; a set that leaves out most of the tracks is left out itself."""
    if index is None:
        raise UsageError("neither an index nor a table is given; give --index DIR or --table FILE.")
    found = read_descriptors(index)
    names = [name for name in found.sets if np.mean(found.complete(name)) >= _LEAST_DESCRIBED]
    kept = found.complete(*names)
    if not names or not kept.any():
        raise UsageError(f"no track of the index {str(index)!r} is described by any set; give --table FILE.")
    ids = tuple(name for name, there in zip(found.ids, kept, strict=True) if there)
    sets = {name: found.sets[name][kept].astype(np.float64) for name in names}
    return _Described(ids, sets, len(found.ids) + len(found.missing) - len(ids), None)


def _groups(ids: Sequence[str], labels: Mapping[str, str] | None) -> tuple[tuple[str, ...], str]:
    """Return the group of each track, and what the groups are: genres that a table names, or folders."""
    if labels is not None:
        return tuple(labels[name] for name in ids), "genre"
    folders = tuple(name.partition("/")[0] if "/" in name else "" for name in ids)
    return folders, "folder" if len(set(folders)) > 1 else ""


def _files(ids: Collection[str], audio: Sequence[Path]) -> dict[str, Path]:
    """Return where the recordings of tracks are; an id may have the suffix of a file, as in some tables."""
    if not audio:
        return {}
    paths = {track.id: track.local for track in find_tracks(audio).tracks}
    return {name: paths[key] for name in ids if (key := name if name in paths else bare_name(name)) in paths}


def _told_by(index: OpenIndex) -> tuple[tuple[tuple[str, ...], ...], dict[str, float]]:
    """Return groups of copies, and the highest false score of each track that was looked at."""
    rows = index.rows
    firsts = groups_by_label([{row.sha256, *row.copies} for row in rows])
    groups: dict[int, list[str]] = {}
    for row, first in zip(rows, () if firsts is None else firsts.tolist(), strict=firsts is not None):
        groups.setdefault(first, []).append(row.id)
    copies = tuple(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
    cohort = index.manifest.cohort
    return copies, {name: max(scores) for name, scores in cohort.items() if scores}
