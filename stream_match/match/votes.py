"""Votes of the last seconds, gathered in (track, offset) cells that fade with time.

Both voters, FAISS and the LSH tables, say "what sounds now stands at that reference position". If it is
the same recording, the votes of successive moments lie on one line: position less time is constant.
Grouped by position *plus* time they lie on lines read backwards, on which nothing true can stand:
what is found there shows what chance gives (decoys).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

CELL_FRAMES = 4
"""Frames to a cell. Each cell counts with its two neighbours, so a line may drift over three."""

_TRACK_STEP = 1 << 40
"""Cells of different tracks are kept this far apart."""


@dataclass(frozen=True)
class Cells:
    """Places in the catalogue that the votes point to, best first.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
    head_frames : np.ndarray [shape=(n,), dtype=float64]
        Reference frame that sounds at the moment asked for.
    weight : np.ndarray [shape=(n,), dtype=float32]
        Faded sum of the votes.
    faiss_votes, lsh_votes : np.ndarray [shape=(n,), dtype=int64]
        Number of votes, unfaded.
    """

    track: Int64
    head_frames: npt.NDArray[np.float64]
    weight: Float32
    faiss_votes: Int64
    lsh_votes: Int64

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.track)


class VoteWindow:
    """The votes of the last seconds.

    Parameters
    ----------
    window_frames : int
        Votes older than this are forgotten, which bounds the memory.
    half_life_frames : float
        Time in which a vote fades to half.
    """

    def __init__(self, window_frames: int, half_life_frames: float) -> None:
        self._window = window_frames
        self._half_life = half_life_frames
        self.reset()

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._time = np.empty(0, np.int64)
        self._position = np.empty(0, np.int64)
        self._track = np.empty(0, np.int64)
        self._weight = np.empty(0, np.float32)
        self._by_lsh = np.empty(0, np.bool_)

    def add(self, time: Int64, position: Int64, track: Int64, weight: Float32, *, by_lsh: bool) -> None:
        """Take votes.

        Parameters
        ----------
        time : np.ndarray [shape=(n,), dtype=int64]
            Moment of each vote, in frames since the stream began.
        position, track : np.ndarray [shape=(n,), dtype=int64]
            Reference frame voted for, and its track.
        weight : np.ndarray [shape=(n,), dtype=float32]
        by_lsh : bool
            Which voter: the LSH tables or FAISS.
        """
        self._time = np.concatenate([self._time, time])
        self._position = np.concatenate([self._position, position])
        self._track = np.concatenate([self._track, track])
        self._weight = np.concatenate([self._weight, weight])
        self._by_lsh = np.concatenate([self._by_lsh, np.full(len(time), by_lsh)])

    def forget(self, now: int) -> None:
        """Drop the votes that are too old at the moment `now`."""
        keep = self._time > now - self._window
        self._time, self._position = self._time[keep], self._position[keep]
        self._track, self._weight = self._track[keep], self._weight[keep]
        self._by_lsh = self._by_lsh[keep]

    def cells(self, now: int, direction: Literal[1, -1], *, at_most: int, per_track: int) -> Cells:
        """Return the heaviest cells.

        Parameters
        ----------
        now : int
            The moment that `Cells.head_frames` refers to, in frames.
        direction : {1, -1}
            1 for lines along which the reference runs forward, -1 for decoys.
        at_most, per_track : int
            How many cells in all, and of one track.
        """
        offset = self._position - direction * self._time
        # Offsets turn negative once the stream is longer than the references before the track.
        keys = self._track * _TRACK_STEP + _TRACK_STEP // 2 + offset // CELL_FRAMES
        cells, member = np.unique(keys, return_inverse=True)
        faded = self._weight * np.exp2((self._time - now) / self._half_life)
        summands = (faded, ~self._by_lsh, self._by_lsh, faded * offset)
        sums = np.empty((len(summands), len(cells)))
        for row, summand in zip(sums, summands, strict=True):
            row[:] = np.bincount(member, summand, minlength=len(cells))
        sums = _with_neighbours(cells, sums)
        order = np.argsort(-sums[0], kind="stable")
        order = order[_peaks(cells, sums[0])[order]]
        order = order[_first_of_each(cells[order] // _TRACK_STEP, per_track)][:at_most]
        weight, faiss_votes, lsh_votes, moment = sums[:, order]
        return Cells(
            track=cells[order] // _TRACK_STEP,
            head_frames=moment / np.maximum(weight, 1e-9) + direction * now,
            weight=weight.astype(np.float32),
            faiss_votes=faiss_votes.astype(np.int64),
            lsh_votes=lsh_votes.astype(np.int64),
        )


def _with_neighbours(cells: Int64, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add to each cell what stands in the cells just before and after it."""
    total = sums.copy()
    follows = np.flatnonzero(np.diff(cells) == 1)
    total[:, follows] += sums[:, follows + 1]
    total[:, follows + 1] += sums[:, follows]
    return total


def _peaks(cells: Int64, weight: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which cells are not outweighed by the one just before or after: the rest are their echoes."""
    follows = np.flatnonzero(np.diff(cells) == 1)
    peak = np.ones(len(cells), np.bool_)
    peak[follows[weight[follows] < weight[follows + 1]]] = False
    peak[follows[weight[follows + 1] <= weight[follows]] + 1] = False
    return peak


def _first_of_each(labels: Int64, count: int) -> npt.NDArray[np.bool_]:
    """Return which entries are among the first `count` of their label."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(ordered, ordered, side="left")
    among = np.empty(len(labels), np.bool_)
    among[order] = rank < count
    return among
