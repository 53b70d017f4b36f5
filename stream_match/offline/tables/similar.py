"""The tracks of tables, or of an index, that are nearest to one of them, or to an audio file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stream_match.catalog.described import Described, read_descriptors
from stream_match.catalog.parts import describe_command
from stream_match.descriptors.sets import LEVELLED_SETS, set_named
from stream_match.errors import UsageError
from stream_match.offline.tables.compared import Collection, Similar, row_named
from stream_match.offline.tables.reading import Table, read_table

DEFAULT_SETS = ("rp", "ssd")

_NAMED = 3


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
    collection, left_out = join_tables([read_table(path) for path in tables])
    found = collection.most_like(query, metric=metric, weights=weights, k=k)
    hints = (f"tracks that are not in every table are left out: {left_out}",) if left_out else ()
    return replace(found, left_out=left_out, hints=hints)


def join_tables(tables: Sequence[Table]) -> tuple[Collection, int]:
    """Join tables by the names of their tracks.

    Parameters
    ----------
    tables : sequence of Table
        One at least.

    Returns
    -------
    joined : Collection
        The tracks that are in every table, in the order of the first; row i is the i-th.
    left_out : int
        How many others there are.

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
    return Collection("the table", ids, sets, np.arange(len(ids))), len(every) - len(ids)


def similar_in_index(
    query: str,
    index: Path,
    *,
    sets: Sequence[str] | None = None,
    metric: str | None = None,
    weights: Mapping[str, float] | None = None,
    k: int | None = None,
) -> Similar:
    """Find the tracks of an index that are nearest to one of them, or to a file.

    Columns are brought to mean 0 and deviation 1 over the tracks that all of the sets describe.

    Parameters
    ----------
    query : str
        As for `similar_tracks`.
    index : Path
    sets : sequence of str, optional
        What is compared; `DEFAULT_SETS` by default.
    metric, weights, k
        As for `similar_tracks`.

    Returns
    -------
    Similar

    Raises
    ------
    UsageError
        If the query is neither of both, or a track that is not described; the index has no descriptors;
        fewer than two of its tracks are described; or an argument is out of range.
    CatalogError
        If the index cannot be loaded.
    SourceError
        If the file cannot be described.
    """
    names = tuple(dict.fromkeys(sets or DEFAULT_SETS))
    for name in names:
        set_named(name)
    described = read_descriptors(index)
    complete = described.complete(*names)
    rows = np.flatnonzero(complete)
    _refuse_undescribed(query, described, complete.tolist(), names, index)
    if not len(rows):
        raise UsageError(f"no track of {str(index)!r} is described by {', '.join(names)}; give other --sets.")
    collection = Collection(
        f"the index {str(index)!r}",
        tuple(described.ids[row] for row in rows),
        {name: described.sets[name] for name in names},
        rows,
        LEVELLED_SETS,
    )
    partly, missing = len(complete) - len(rows), described.missing
    hints = []
    if partly:
        hints.append(f"tracks that are too short or too long for {', '.join(names)} are left out: {partly}")
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED])) + ("" if len(missing) <= _NAMED else ", …")
        hints.append(
            f"tracks without descriptors are left out: {len(missing)} ({named}); add them with "
            f"{describe_command(index)}"
        )
    found = collection.most_like(query, metric=metric, weights=weights, k=k)
    told = {found.query, *dict(found.tracks)}
    return replace(
        found,
        left_out=partly + len(missing),
        hints=tuple(hints),
        known={row.id: row.track for row in described.tracks if row.id in told},
    )


def _refuse_undescribed(
    query: str, described: Described, complete: Sequence[bool], names: Sequence[str], index: Path
) -> None:
    """Say of a track that is in the index why nothing can be told of it, unless its file is given."""
    row = row_named(query, [*described.ids, *described.missing])
    if row is None or (row < len(complete) and complete[row]) or Path(query).is_file():
        return
    if row >= len(complete):
        raise UsageError(
            f"the track {described.missing[row - len(complete)]!r} has no descriptors: add them with "
            f"{describe_command(index)}"
        )
    raise UsageError(
        f"the track {described.ids[row]!r} is too short or too long for {' or '.join(names)}: give other "
        "--sets"
    )
