"""Where in the catalogue a version of what was heard last might be: lines worth a second look."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import N_CHROMA
from stream_match.match.versions.reference import VersionReference
from stream_match.match.versions.shingles import LONGEST_QUERY, STEPS, TEMPI, Shingles
from stream_match.match.votes import first_of_each

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

AT_MOST = 24
"""Lines of each direction. The right one was among the first 20 for 99 % of human performances, 10 s heard
of them, in a catalogue of 190 tracks."""

_PER_TRACK = 2

_CELL = 16
"""Shingles to a cell (24 s); each cell proposes its best."""


@dataclass(frozen=True)
class Lines:
    """Straight lines through the plane of query time and reference.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
    head : np.ndarray [shape=(n,), dtype=float64]
        Step of the track, counted from its start, that the newest query step meets.
    tempo : np.ndarray [shape=(n,), dtype=float64]
        Steps of reference per step of query; negative for decoys, which run backwards.
    key : np.ndarray [shape=(n,), dtype=int64]
        Semitones that the query is higher, 0 to 11.
    """

    track: Int64
    head: Float64
    tempo: Float64
    key: Int64

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.track)

    def followed_by(self, others: "Lines") -> "Lines":
        """Return these lines and then others."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in ("track", "head", "tempo", "key"))
        return Lines(*(np.concatenate(pair) for pair in pairs))


class Proposals:
    """Proposes lines.

    Parameters
    ----------
    reference : VersionReference
    """

    def __init__(self, reference: VersionReference) -> None:
        self._shingles = Shingles(reference)
        track = self._shingles.track
        within = np.arange(len(track)) - np.searchsorted(track, track, side="left")
        self._cells = np.flatnonzero(within % _CELL == 0)
        self._cell_track = track[self._cells]
        # A catalogue of few tracks has to yield enough decoys from each of them.
        self._per_track = max(_PER_TRACK, -(-AT_MOST // max(1, len(np.unique(track)))))

    def propose(self, query: Float32) -> Lines:
        """Return the best lines that run forward, and then the best decoys.

        Parameters
        ----------
        query : np.ndarray [shape=(n, 12), dtype=float32]
            Coarse chroma, newest first; zero before the beginning.
        """
        none = Lines(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64))
        if len(self._cells) == 0:
            return none
        hypotheses = self._shingles.of_query(query[:LONGEST_QUERY])
        alike = self._shingles.search(hypotheses)
        return self._lines(alike[0], hypotheses, backwards=False).followed_by(
            self._lines(alike[1], hypotheses, backwards=True)
        )

    def _lines(self, alike: Float32, hypotheses: Float32, *, backwards: bool) -> Lines:
        tops = np.maximum.reduceat(alike, self._cells)
        order = np.argsort(-tops, kind="stable")
        order = order[first_of_each(self._cell_track[order], self._per_track)][:AT_MOST]
        shingle = np.array([self._top(alike, cell) for cell in order], np.int64)
        best = self._shingles.best_hypotheses(hypotheses, shingle, backwards=backwards)
        first, tempo = self._shingles.first[shingle].astype(np.float64), TEMPI[best // N_CHROMA]
        track, key = self._shingles.track[shingle], best % N_CHROMA
        if backwards:
            return Lines(track, first, -tempo, key)
        return Lines(track, first + STEPS - 1, tempo, key)

    def _top(self, alike: Float32, cell: int) -> int:
        """Return the best shingle of a cell."""
        first = int(self._cells[cell])
        return first + int(alike[first : first + _CELL][: self._length(cell)].argmax())

    def _length(self, cell: int) -> int:
        last = self._cells[cell + 1] if cell + 1 < len(self._cells) else len(self._shingles)
        return int(last - self._cells[cell])
