"""Tracks compared by their descriptors, some at a time: neither all values nor z-scores are in memory."""

import difflib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.catalog.find import AUDIO_SUFFIXES
from stream_match.descriptors.distances import Fused, distances, fit_z_score_to_parts, fuse
from stream_match.descriptors.nearest_tracks import nearest_of
from stream_match.descriptors.sets import SETS, DescriptorSet
from stream_match.errors import UsageError
from stream_match.events import Track
from stream_match.offline.tables.described import describe_whole

Floats = npt.NDArray[np.floating]
Int64 = npt.NDArray[np.int64]

DEFAULT_METRIC = "weighted"
DEFAULT_K = 10

_NEAR_NAMES = 3
_ROWS = 256
"""Tracks compared at once; of Rhythm Patterns and spectrum descriptors 3 MB."""


@dataclass(frozen=True)
class Similar:
    """What is most like a track or a file.

    Parameters
    ----------
    query : str
        The name of the track as in the table or index, or the file.
    metric : str
    sets : tuple of str
        Sets of descriptors that were compared.
    count : int
        Tracks that it was compared with.
    tracks : tuple of (str, float)
        Names and distances; nearest first, of those equally far the earlier first.
    left_out : int
        Tracks that were not compared.
    hints : tuple of str
        A sentence for each reason why they were not.
    known : mapping of str to Track
        What is known of these tracks, and of the query if it is one, besides the name.
    """

    query: str
    metric: str
    sets: tuple[str, ...]
    count: int
    tracks: tuple[tuple[str, float], ...]
    left_out: int = 0
    hints: tuple[str, ...] = ()
    known: Mapping[str, Track] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection:
    """Tracks that can be compared.

    Parameters
    ----------
    where : str
        What they are in, as messages name it.
    ids : tuple of str
    sets : mapping of str to np.ndarray [shape=(n, d)]
        Arrays that may be mapped from files.
    rows : np.ndarray [shape=(len(ids),), dtype=int64]
        The row of each track in all of these.
    described_by : mapping of str to DescriptorSet
        What describes a file as the tracks were described.
    """

    where: str
    ids: tuple[str, ...]
    sets: Mapping[str, Floats]
    rows: Int64
    described_by: Mapping[str, DescriptorSet] = field(default_factory=lambda: SETS)

    def parts(self) -> Iterator[Fused]:
        """Yield the values of all sets side by side, of some tracks at a time."""
        for first in range(0, len(self.ids), _ROWS):
            rows = self.rows[first : first + _ROWS]
            yield fuse({name: values[rows] for name, values in self.sets.items()})

    def most_like(
        self,
        query: str,
        *,
        metric: str | None,
        weights: Mapping[str, float] | None,
        k: int | None,
    ) -> Similar:
        """Find the tracks that are nearest to one of them, or to a file.

        Parameters
        ----------
        query : str
            Name of a track, or else a file.
        metric, weights, k
            As for `similar_tracks`.

        Raises
        ------
        UsageError
            If there are fewer than two tracks, the query is neither of both, or an argument is out of range.
        SourceError
            If the file cannot be described.
        """
        metric = DEFAULT_METRIC if metric is None else metric
        if weights is not None and metric != "weighted":
            raise UsageError(f"weights are given, and the metric is {metric}; give --metric weighted.")
        if len(self.ids) < 2:
            raise UsageError(f"there is one track, {self.ids[0]!r}, in {self.where}; give two at least.")
        row = row_named(query, self.ids)
        count = len(self.ids) - (row is not None)
        if k is not None and not 1 <= k <= count:
            raise UsageError(f"k is {k}; give 1 to {count}, the number of tracks to compare with.")
        found = self._distances(self._values(query, row), metric, weights)
        wanted = k or DEFAULT_K
        # At most one of them is the track itself.
        order = [place for place in nearest_of(found, wanted + 1).tolist() if place != row][:wanted]
        nearest = tuple((self.ids[place], float(found[place])) for place in order)
        return Similar(query if row is None else self.ids[row], metric, tuple(self.sets), count, nearest)

    def _values(self, query: str, row: int | None) -> Floats:
        """Return what is asked about, in the precision of what it is compared with."""
        if row is not None:
            return np.concatenate([values[self.rows[row]] for values in self.sets.values()])
        path = _file_named(query, self.ids, self.where)
        return np.concatenate(
            [
                describe_whole(path, self.described_by[name]).astype(values.dtype)
                for name, values in self.sets.items()
            ]
        )

    def _distances(
        self, asked: Floats, metric: str, weights: Mapping[str, float] | None
    ) -> npt.NDArray[np.float64]:
        scale = fit_z_score_to_parts(part.table for part in self.parts())
        query = scale(asked)
        return np.concatenate(
            [
                distances(query, scale(part.table), metric, lengths=part.lengths, weights=weights)
                for part in self.parts()
            ]
        )


def row_named(query: str, ids: Sequence[str]) -> int | None:
    """Return the row of a track, by its name with or without the suffix of a file; None if it has none.

    Parameters
    ----------
    query : str
    ids : sequence of str

    Raises
    ------
    UsageError
        If several may be meant.
    """
    if query in ids:
        return ids.index(query)
    bare = bare_name(query)
    rows = [row for row, name in enumerate(ids) if bare_name(name) == bare]
    if len(rows) > 1:
        raise UsageError(
            f"{query!r} may be {_listed([ids[row] for row in rows])}; give the name with its suffix."
        )
    return rows[0] if rows else None


def bare_name(name: str) -> str:
    """Return a name without the suffix of an audio file."""
    bare, suffix = posixpath.splitext(name)
    return bare if suffix.lower() in AUDIO_SUFFIXES else name


def _file_named(query: str, ids: Sequence[str], where: str) -> Path:
    path = Path(query)
    if path.is_file():
        return path
    near = [name for name in ids if name.startswith(query)]
    near = near or difflib.get_close_matches(query, ids, _NEAR_NAMES, 0.5)
    hint = f"did you mean {_listed(near)}?" if near else f"names in it are such as {ids[0]!r}."
    raise UsageError(f"{query!r} is neither a track of {where} nor a file; {hint}")


def _listed(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names[:_NEAR_NAMES]))
