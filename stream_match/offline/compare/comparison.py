"""Two recordings compared: their links, their affinity, and the best path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError, UsageError
from stream_match.offline.compare.path import Path, best_path
from stream_match.offline.compare.recordings import HOP_S, Embedded, embed_file
from stream_match.offline.compare.similarity import MODES, cross_similarity

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

MOST_PAIRS = 400_000_000
"""Pairs of frames, a byte each while the path is sought: two recordings of a quarter of an hour."""


@dataclass(frozen=True)
class Comparison:
    """What two recordings have in common.

    Parameters
    ----------
    a, b : Embedded
        The sequence and the reference.
    links : scipy.sparse.csc_matrix [shape=(n_b, n_a), dtype=bool]
        Frames of B that are nearest to each of A; none in silence.
    values : scipy.sparse.csc_matrix [shape=(n_b, n_a)]
        Distance or affinity of the links, or the links themselves.
    mode : str
        What `values` are.
    path : Path
        The best one.
    chance : float
        Score of the best path when A is read backwards.
    """

    a: Embedded
    b: Embedded
    links: "csc_matrix"
    values: "csc_matrix"
    mode: str
    path: Path
    chance: float

    @property
    def path_s(self) -> Sequence[tuple[float, float]]:
        """Where the path begins and ends in A and in B [seconds]; nothing without a path."""
        if not len(self.path.frames):
            return ()
        (b_first, a_first), (b_last, a_last) = self.path.frames[[0, -1]]
        return (
            (float(a_first * HOP_S), float((a_last + 1) * HOP_S)),
            (float(b_first * HOP_S), float((b_last + 1) * HOP_S)),
        )


def compare_files(
    a: str | FilePath,
    b: str | FilePath,
    *,
    features: str = "chroma-cqt",
    mode: str = "affinity",
    k: int | None = None,
    metric: str = "cosine",
) -> Comparison:
    """Compare two recordings.

    Parameters
    ----------
    a, b : str or Path
        Files in any format that can be read; B is the reference.
    features : str
        As for `embed_file`.
    mode, k, metric
        As for `cross_similarity`.

    Raises
    ------
    UsageError
        If the arguments are unknown, or the recordings are too long together.
    SourceError
        If a file cannot be read, or there is nothing in it to compare.
    """
    if mode not in MODES:
        raise ParameterError(f"mode is {mode!r}; give one of {', '.join(MODES)}.")
    first, second = embed_file(a, features), embed_file(b, features)
    pairs = first.frames.shape[1] * second.frames.shape[1]
    if pairs > MOST_PAIRS:
        most = MOST_PAIRS * (HOP_S / 60) ** 2
        raise UsageError(
            f"{first.seconds / 60:.0f} and {second.seconds / 60:.0f} minutes are too much to compare: their "
            f"product may be {most:.0f} square minutes; give excerpts."
        )
    links = _links(first, second, "connectivity", k, metric)
    values = links if mode == "connectivity" else _valued(links, _links(first, second, mode, k, metric), mode)
    return Comparison(
        a=first, b=second, links=links, values=values, mode=mode,
        path=best_path(links), chance=best_path(links[:, ::-1]).score,
    )  # fmt: skip


def _links(a: Embedded, b: Embedded, mode: str, k: int | None, metric: str) -> "csc_matrix":
    """Return a similarity without what silence is linked to: all of it is equally far from everything."""
    from scipy.sparse import csc_matrix

    found = cross_similarity(a.frames, b.frames, k=k, metric=metric, mode=mode, sparse=True)
    columns = np.repeat(np.arange(found.shape[1]), np.diff(found.indptr))
    heard = b.audible[found.indices] & a.audible[columns]
    ends = np.concatenate([[0], np.cumsum(np.bincount(columns[heard], minlength=found.shape[1]))])
    return csc_matrix((found.data[heard], found.indices[heard], ends), shape=found.shape)


def _valued(links: "csc_matrix", values: "csc_matrix", mode: str) -> "csc_matrix":
    """Return values on all links: those of equal frames are no entries of `cross_similarity`."""
    from scipy.sparse import csc_matrix

    held = np.full(links.nnz, 0 if mode == "distance" else 1, values.dtype)
    held[np.searchsorted(_places(links), _places(values))] = values.data
    return csc_matrix((held, links.indices, links.indptr), shape=links.shape)


def _places(matrix: "csc_matrix") -> npt.NDArray[np.int64]:
    """Return where entries stand, as ascending numbers."""
    columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    places: npt.NDArray[np.int64] = columns * matrix.shape[0] + matrix.indices
    return places
