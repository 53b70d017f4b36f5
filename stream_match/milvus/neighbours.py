"""Nearest neighbours by Milvus: the codes of all segments in one search."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.index.neighbours import Codes
from stream_match.milvus.gathered import Gathered
from stream_match.milvus.outage import Server
from stream_match.milvus.reads import Found

Int64 = npt.NDArray[np.int64]

MOST_NEIGHBOURS = 16_384
"""That Milvus returns for one vector."""

_MOST_VECTORS = 256
"""That several sources look for in one request."""

_FARTHEST = np.iinfo(np.int32).max


class Positions:
    """Which row has the code, or step, at a position on the server.

    Rows are counted through the tracks of all segments. One row more stands for positions of other tracks,
    which a newer generation has, or an older one had.

    Parameters
    ----------
    at : np.ndarray [shape=(n_tracks,), dtype=int64]
        First position of each track; -1 for those that are not there.
    lengths : np.ndarray [shape=(n_tracks,), dtype=int64]
    """

    def __init__(self, at: Int64, lengths: Int64) -> None:
        self.starts: Int64 = np.cumsum([0, *lengths.tolist(), 1], dtype=np.int64)
        there = np.flatnonzero((at >= 0) & (lengths > 0))
        there = there[np.argsort(at[there], kind="stable")]
        self._at, self._lengths, self._first = at[there], lengths[there], self.starts[there]

    @property
    def elsewhere(self) -> int:
        """The row for positions of other tracks."""
        return int(self.starts[-1]) - 1

    def rows(self, positions: Int64) -> Int64:
        """Return the row of each position [shape as given, dtype=int64]."""
        if not len(self._at):
            return np.full(positions.shape, self.elsewhere)
        track = np.maximum(np.searchsorted(self._at, positions, side="right") - 1, 0)
        within = positions - self._at[track]
        known = (within >= 0) & (within < self._lengths[track])
        return np.where(known, self._first[track] + within, self.elsewhere)


class Vectors:
    """Vectors on a server, as they are searched.

    Parameters
    ----------
    server : Server
    collection, field : str
    metric : str
        HAMMING or IP.
    count : int
        Vectors that are there for certain.
    nprobe : int or None
        Lists that are searched; None if every vector is compared.
    """

    def __init__(
        self, server: Server, collection: str, field: str, metric: str, count: int, nprobe: int | None
    ) -> None:
        self.count = count
        self._server = server
        self._collection = collection
        self._field = field
        self._metric = metric
        self._nprobe = nprobe
        self._gathered = Gathered(self._nearest, most=_MOST_VECTORS)

    def nearest(self, vectors: Sequence[Any], k: int) -> Found:
        """Return the nearest ones to each of some vectors.

        Raises
        ------
        NotAtHandError, CatalogError
            If the server does not answer, or with fewer than there are.
        """
        return [*self._gathered.ask(k, vectors)]

    def _nearest(self, k: int, vectors: list[Any]) -> Found:
        found = self._server.ask(
            lambda connection, within_s: connection.search(
                self._collection,
                self._field,
                vectors,
                k,
                self._metric,
                nprobe=self._nprobe,
                timeout_s=within_s,
            )
        )
        expected = min(k, self.count) if self._nprobe is None else 0
        fewest = min((len(keys) for keys, _ in found), default=0) if len(found) == len(vectors) else 0
        if len(found) != len(vectors) or fewest < expected:
            raise self._server.fault(
                f"Milvus answered with {fewest} neighbours in {self._collection}, expected {expected}: "
                "a part of it is lost, or not loaded"
            )
        return found


class MilvusNeighbours:
    """The index of neighbours of a catalogue on Milvus.

    Parameters
    ----------
    vectors : Vectors
        The codes.
    positions : Positions
    """

    def __init__(self, vectors: Vectors, positions: Positions) -> None:
        self._vectors = vectors
        self._positions = positions

    def __len__(self) -> int:
        """Return the number of rows, the one for codes of other tracks included."""
        return int(self._positions.starts[-1])

    def search(self, codes: Codes, k: int, *, near: bool = False) -> tuple[npt.NDArray[np.int32], Int64]:
        """Return the nearest codes; see `stream_match.index.neighbours.NeighbourIndex.search`.

        Raises
        ------
        NotAtHandError, CatalogError
            As `Vectors.nearest`.
        """
        del near  # whoever looks for copies can wait
        distances = np.full((len(codes), k), _FARTHEST, np.int32)
        rows = np.full((len(codes), k), -1, np.int64)
        if len(codes):
            found = self._vectors.nearest([code.tobytes() for code in codes], min(k, MOST_NEIGHBOURS))
            keys, far = (np.concatenate(own) for own in zip(*found, strict=True))
            there = np.arange(k) < np.array([len(own) for own, _ in found])[:, np.newaxis]
            distances[there], rows[there] = far, self._positions.rows(keys)
        return distances, rows
