"""The tracks of a table that are nearest to one of them, or to an audio file."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from stream_match.catalog.find import AUDIO_SUFFIXES
from stream_match.descriptors.distances import distances, fit_z_score, fuse
from stream_match.descriptors.nearest_tracks import nearest_of
from stream_match.errors import UsageError
from stream_match.offline.tables.described import describe_whole
from stream_match.offline.tables.reading import Table, read_table

Float64 = npt.NDArray[np.float64]

DEFAULT_METRIC = "weighted"
DEFAULT_K = 10

_NEAR_NAMES = 3


@dataclass(frozen=True)
class Similar:
    """What is most like a track or a file.

    Parameters
    ----------
    query : str
        The name of the track as in the table, or the file.
    metric : str
    sets : tuple of str
        Sets of descriptors that were compared.
    count : int
        Tracks that it was compared with.
    left_out : int
        Tracks that some table has and another has not.
    tracks : tuple of (str, float)
        Names and distances; nearest first, of those equally far the earlier in the table first.
    """

    query: str
    metric: str
    sets: tuple[str, ...]
    count: int
    left_out: int
    tracks: tuple[tuple[str, float], ...]


def similar_tracks(
    query: str,
    tables: Sequence[Path],
    *,
    metric: str | None = None,
    weights: Mapping[str, float] | None = None,
    k: int | None = None,
) -> Similar:
    """Find the tracks of a table that are nearest to one of them, or to a file.

    Columns are brought to mean 0 and deviation 1 over the tracks of the table.

    Parameters
    ----------
    query : str
        Name of a track, with or without the suffix of an audio file; or else a file, which is described
        by the sets that the tables hold.
    tables : sequence of Path
        One or more, each of other sets. They are joined by name.
    metric : str, optional
        As for `distances`; `DEFAULT_METRIC` by default.
    weights : mapping of str to float, optional
        As for `distances`; for the metric weighted only.
    k : int, optional
        How many; by default `DEFAULT_K`, or all if there are fewer.

    Returns
    -------
    Similar
        A track of the table is not among those like it.

    Raises
    ------
    UsageError
        If the query is neither of both, tables do not fit together, fewer than two tracks are in them, or
        an argument is out of range; as for `read_table`.
    SourceError
        If the file cannot be described.
    """
    metric = DEFAULT_METRIC if metric is None else metric
    if weights is not None and metric != "weighted":
        raise UsageError(f"weights are given, and the metric is {metric}; give --metric weighted.")
    joined = join_tables([read_table(path) for path in tables])
    if len(joined.ids) == 1:
        raise UsageError(f"there is one track, {joined.ids[0]!r}; give a table of two at least.")
    fused = fuse(joined.sets)
    row = _row(query, joined.ids)
    count = len(joined.ids) - (row is not None)
    if k is not None and not 1 <= k <= count:
        raise UsageError(f"k is {k}; give 1 to {count}, the number of tracks to compare with.")
    if row is None:
        asked = np.concatenate([describe_whole(_file(query, joined.ids), name) for name in joined.sets])
    else:
        asked = fused.table[row]
    scale = fit_z_score(fused.table)
    found = distances(scale(asked), scale(fused.table), metric, lengths=fused.lengths, weights=weights)
    # At most one of them is the track itself.
    order = [place for place in nearest_of(found, (k or DEFAULT_K) + 1) if place != row][: k or DEFAULT_K]
    return Similar(
        query=query if row is None else joined.ids[row],
        metric=metric,
        sets=tuple(joined.sets),
        count=count,
        left_out=joined.left_out,
        tracks=tuple((joined.ids[place], float(found[place])) for place in order),
    )


@dataclass(frozen=True)
class Joined:
    """Tables of the same tracks, joined by name.

    Parameters
    ----------
    ids : tuple of str
    sets : mapping of str to np.ndarray [shape=(n, d), dtype=float64]
    left_out : int
        Tracks that some table has and another has not.
    """

    ids: tuple[str, ...]
    sets: Mapping[str, Float64]
    left_out: int


def join_tables(tables: Sequence[Table]) -> Joined:
    """Return the tracks that are in every table, in the order of the first.

    Parameters
    ----------
    tables : sequence of Table
        One at least.

    Raises
    ------
    UsageError
        If two hold the same set, or they have no track in common.
    """
    homes: dict[str, Path] = {}
    for table in tables:
        for name in table.sets:
            if name in homes:
                raise UsageError(f"{str(homes[name])!r} and {str(table.path)!r} both hold {name}; give one.")
            homes[name] = table.path
    everywhere = set(tables[0].ids).intersection(*(table.ids for table in tables[1:]))
    ids = tuple(name for name in tables[0].ids if name in everywhere)
    if not ids:
        raise UsageError("the tables have no track in common; make them of the same files.")
    sets = {}
    for table in tables:
        places = {name: place for place, name in enumerate(table.ids)}
        rows = [places[name] for name in ids]
        sets.update({name: values[rows] for name, values in table.sets.items()})
    every = set().union(*(table.ids for table in tables))
    return Joined(ids, sets, len(every) - len(ids))


def _row(query: str, ids: Sequence[str]) -> int | None:
    """Return the row of a track, by its name with or without the suffix of a file; None if it has none."""
    if query in ids:
        return ids.index(query)
    bare = _bare(query)
    rows = [row for row, name in enumerate(ids) if _bare(name) == bare]
    if len(rows) > 1:
        raise UsageError(
            f"{query!r} may be {_listed([ids[row] for row in rows])}; give the name with its suffix."
        )
    return rows[0] if rows else None


def _bare(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in AUDIO_SUFFIXES else name


def _file(query: str, ids: Sequence[str]) -> Path:
    path = Path(query)
    if path.is_file():
        return path
    near = [name for name in ids if name.startswith(query)]
    near = near or difflib.get_close_matches(query, ids, _NEAR_NAMES, 0.5)
    hint = f"did you mean {_listed(near)}?" if near else f"names in it are such as {ids[0]!r}."
    raise UsageError(f"{query!r} is neither a track of the table nor a file; {hint}")


def _listed(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names[:_NEAR_NAMES]))
