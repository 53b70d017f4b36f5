"""The search for shingles by Milvus: of all segments, at every tempo and in every key, in one request."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stream_match.features.coarse_chroma import Bytes
from stream_match.index.shingle_search import FoundShingles
from stream_match.index.shingles import STEPS
from stream_match.milvus.neighbours import Positions, Vectors
from stream_match.milvus.reads import Found

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

LOOKED_AT = 32
"""Shingles that are looked at for each tempo, key and direction. Many are neighbours, of which one counts."""

Have = Callable[[Int64, Int64, Int64], None]
"""Fetches the steps of tracks, by their number in the segment, from the lowest to the highest."""


class MilvusShingles(FoundShingles):
    """The shingles of a catalogue on Milvus.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of all segments, and the number of steps.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        Filled by `have`.
    vectors : Vectors
        The shingles.
    positions : Positions
        Of the steps.
    have : Have
    """

    def __init__(
        self,
        starts: Int64,
        chroma: Bytes,
        vectors: Vectors,
        positions: Positions,
        have: Have,
    ) -> None:
        super().__init__(starts, chroma)
        self._starts = starts
        self._vectors = vectors
        self._positions = positions
        self._have = have

    def search(self, hypotheses: Float32) -> tuple[list[Float32], list[Int64]]:
        """Return the shingles that are most alike to a hypothesis each; see `FoundShingles.search`.

        Raises
        ------
        NotAtHandError, CatalogError
            As `Vectors.nearest`.
        """
        if not self._vectors.count:
            none = np.empty(0, np.int64)
            return [none.astype(np.float32)] * 2, [none] * 2
        even, odd = hypotheses
        ways = [np.concatenate([even, sign * odd]).T for sign in (1, -1)]
        found = self._vectors.nearest(list(np.ascontiguousarray(np.concatenate(ways))), LOOKED_AT)
        half = len(found) // 2
        alike, shingle = zip(*map(self._joined, (found[:half], found[half:])), strict=True)
        return list(alike), list(shingle)

    def prefetch(self, shingle: Int64) -> None:
        """Fetch the steps of shingles."""
        first = self.places.first(shingle)
        self._have(self.places.track(shingle), first, first + STEPS - 1)

    def _joined(self, found: Found) -> tuple[Float32, Int64]:
        """Return each shingle once, with its greatest product."""
        keys, products = (np.concatenate(own) for own in zip(*found, strict=True))
        rows = self._positions.rows(keys)
        known = rows < self._positions.elsewhere
        rows, products = rows[known], products[known]
        track = np.searchsorted(self._starts, rows, side="right") - 1
        shingle = self.places.shingle(track, rows - self._starts[track])
        order = np.lexsort((-products, shingle))
        each, first = np.unique(shingle[order], return_index=True)
        return products[order][first], each
