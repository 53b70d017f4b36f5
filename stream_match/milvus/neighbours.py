"""Nearest neighbours by Milvus: the codes of all segments in one search."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_match.index.neighbours import Codes
from stream_match.milvus.layout import CODE
from stream_match.milvus.outage import Server

Int64 = npt.NDArray[np.int64]

MOST_NEIGHBOURS = 16_384
"""That Milvus returns for one code."""

_FARTHEST = np.iinfo(np.int32).max


class Positions:
    """Which row has the code at a position on the server.

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
        self._order = np.argsort(at, kind="stable")
        self._at = at[self._order]
        self._lengths = lengths

    @property
    def elsewhere(self) -> int:
        """The row for codes of other tracks."""
        return int(self.starts[-1]) - 1

    def rows(self, positions: Int64) -> Int64:
        """Return the row of each position [shape as given, dtype=int64]."""
        found = np.searchsorted(self._at, positions, side="right") - 1
        track = self._order[np.maximum(found, 0)]
        within = positions - self._at[np.maximum(found, 0)]
        known = (found >= 0) & (self._at[np.maximum(found, 0)] >= 0) & (within < self._lengths[track])
        return np.where(known, self.starts[track] + within, self.elsewhere)


class MilvusNeighbours:
    """The index of neighbours of a catalogue on Milvus.

    Parameters
    ----------
    server : Server
    collection : str
        Of the codes.
    positions : Positions
    n_codes : int
        Codes that are there for certain.
    nprobe : int or None
        Lists that are searched; None if every code is compared.
    """

    def __init__(
        self, server: Server, collection: str, positions: Positions, n_codes: int, nprobe: int | None
    ) -> None:
        self._server = server
        self._collection = collection
        self._positions = positions
        self._n_codes = n_codes
        self._nprobe = nprobe

    def __len__(self) -> int:
        """Return the number of rows, the one for codes of other tracks included."""
        return int(self._positions.starts[-1])

    def search(self, codes: Codes, k: int, *, near: bool = False) -> tuple[npt.NDArray[np.int32], Int64]:
        """Return the nearest codes; see `stream_match.index.neighbours.NeighbourIndex.search`.

        Raises
        ------
        NotAtHandError, CatalogError
            If the server does not answer, or with fewer than there are.
        """
        del near  # whoever looks for copies can wait
        distances = np.full((len(codes), k), _FARTHEST, np.int32)
        rows = np.full((len(codes), k), -1, np.int64)
        if len(codes):
            found = self._found(codes, min(k, MOST_NEIGHBOURS))
            for number, (keys, far) in enumerate(found):
                distances[number, : len(far)] = far
                rows[number, : len(keys)] = self._positions.rows(np.array(keys, np.int64))
        return distances, rows

    def _found(self, codes: Codes, k: int) -> Sequence[tuple[list[int], list[float]]]:
        vectors = [code.tobytes() for code in codes]
        params = {} if self._nprobe is None else {"nprobe": self._nprobe}
        found = self._server.ask(
            lambda connection, within_s: connection.search(
                self._collection, CODE, vectors, k, "HAMMING", timeout_s=within_s, **params
            )
        )
        expected = min(k, self._n_codes) if self._nprobe is None else 0
        fewest = min(len(keys) for keys, _ in found) if len(found) == len(codes) else 0
        if len(found) != len(codes) or fewest < expected:
            raise self._server.fault(
                f"Milvus answered with {fewest} neighbours of a code, expected {expected}: "
                f"is a partition of {self._collection} not loaded, or lost?"
            )
        return found
