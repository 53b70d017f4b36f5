"""Votes of the last seconds, gathered in (track, offset) cells that fade with time.

Both voters, FAISS and the LSH tables, say "what sounds now stands at that reference position". If it is
the same recording, the votes of successive moments lie on one line: position less time is constant.
Grouped by position *plus* time they lie on lines read backwards, on which nothing true can stand:
what is found there shows what chance gives (decoys).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

CELL_FRAMES = 8
"""Frames to a cell. Each cell counts with its two neighbours, so a line may drift over three."""

_TRACK_STEP = 1 << 34
"""Cells of different tracks are kept this far apart: enough for decades of stream."""

_SHIFT_STEP = 1 << 59
"""Cells of different shifts are kept this far apart: enough for 33 million tracks."""

_LOOKED_AT = 16
"""For each cell that is wanted, so many of the heaviest are looked at."""


@dataclass(frozen=True)
class Cells:
    """Places in the catalogue that the votes point to, best first.

    Parameters
    ----------
    track : np.ndarray [shape=(n,), dtype=int64]
    shift : np.ndarray [shape=(n,), dtype=int64]
        Number of the shift at which it was found.
    head_frames : np.ndarray [shape=(n,), dtype=float64]
        Reference frame that sounds at the moment asked for.
    weight : np.ndarray [shape=(n,), dtype=float32]
        Faded sum of the votes.
    faiss_votes, lsh_votes : np.ndarray [shape=(n,), dtype=int64]
        Number of votes, unfaded.
    """

    track: Int64
    shift: Int64
    head_frames: npt.NDArray[np.float64]
    weight: Float32
    faiss_votes: Int64
    lsh_votes: Int64

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.track)


@dataclass
class _Gathered:
    """Votes in the order of their cells.

    `key` tells the cell, `offset` the exact line; the other arrays are as they were given.
    """

    key: Int64
    offset: Int64
    time: Int64
    weight: Float32
    by_lsh: Bools

    @classmethod
    def nothing(cls) -> "_Gathered":
        none = np.empty(0, np.int64)
        return cls(none, none, none, np.empty(0, np.float32), np.empty(0, np.bool_))

    def merge(self, others: "_Gathered") -> None:
        """Put others, in any order, where they belong: much cheaper than to sort all votes again."""
        order = np.argsort(others.key, kind="stable")
        place = np.searchsorted(self.key, others.key[order], side="right")
        self.key = np.insert(self.key, place, others.key[order])
        self.offset = np.insert(self.offset, place, others.offset[order])
        self.time = np.insert(self.time, place, others.time[order])
        self.weight = np.insert(self.weight, place, others.weight[order])
        self.by_lsh = np.insert(self.by_lsh, place, others.by_lsh[order])

    def keep(self, kept: Bools) -> None:
        self.key, self.offset, self.time = self.key[kept], self.offset[kept], self.time[kept]
        self.weight, self.by_lsh = self.weight[kept], self.by_lsh[kept]


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
        self._gathered: dict[Literal[1, -1], _Gathered] = {1: _Gathered.nothing(), -1: _Gathered.nothing()}

    def add(
        self, time: Int64, position: Int64, track: Int64, shift: Int64, weight: Float32, *, by_lsh: bool
    ) -> None:
        """Take votes.

        Parameters
        ----------
        time : np.ndarray [shape=(n,), dtype=int64]
            Moment of each vote, in frames since the stream began.
        position, track : np.ndarray [shape=(n,), dtype=int64]
            Reference frame voted for, and its track.
        shift : np.ndarray [shape=(n,), dtype=int64]
            Number of the shift that the vote supposes, in [0, 8).
        weight : np.ndarray [shape=(n,), dtype=float32]
        by_lsh : bool
            Which voter: the LSH tables or FAISS.
        """
        voter = np.full(len(time), by_lsh)
        for direction, gathered in self._gathered.items():
            offset = position - direction * time
            # Offsets turn negative once the stream is longer than the references before the track.
            key = shift * _SHIFT_STEP + track * _TRACK_STEP + _TRACK_STEP // 2 + offset // CELL_FRAMES
            gathered.merge(_Gathered(key, offset, time, weight, voter))

    def forget(self, now: int) -> None:
        """Drop the votes that are too old at the moment `now`."""
        for gathered in self._gathered.values():
            gathered.keep(gathered.time > now - self._window)

    def cells(self, now: int, direction: Literal[1, -1], *, at_most: Sequence[int], per_track: int) -> Cells:
        """Return the heaviest cells.

        Parameters
        ----------
        now : int
            The moment that `Cells.head_frames` refers to, in frames.
        direction : {1, -1}
            1 for lines along which the reference runs forward, -1 for decoys.
        at_most : sequence of int
            How many cells of each shift: votes for different shifts are not equally dense, so that their
            weights cannot be compared.
        per_track : int
            How many cells of one track, at one shift.
        """
        votes = self._gathered[direction]
        firsts = np.flatnonzero(np.diff(votes.key, prepend=-1))
        cells = votes.key[firsts]
        faded = votes.weight * np.exp2((votes.time - now) / self._half_life)
        summands = np.stack([faded, ~votes.by_lsh, votes.by_lsh, faded * votes.offset])
        sums = np.add.reduceat(summands, firsts, axis=1) if len(firsts) else summands
        sums = _with_neighbours(cells, sums)
        peaks = np.flatnonzero(_peaks(cells, sums[0]))
        of_shift = np.searchsorted(cells[peaks], np.arange(len(at_most) + 1) * _SHIFT_STEP)
        chosen = [
            _heaviest(peaks[first:last], cells // _TRACK_STEP, sums[0], count, per_track)
            for first, last, count in zip(of_shift[:-1], of_shift[1:], at_most, strict=True)
        ]
        order = np.concatenate(chosen)
        weight, faiss_votes, lsh_votes, moment = sums[:, order]
        return Cells(
            track=cells[order] % _SHIFT_STEP // _TRACK_STEP,
            shift=cells[order] // _SHIFT_STEP,
            head_frames=moment / np.maximum(weight, 1e-9) + direction * now,
            weight=weight.astype(np.float32),
            faiss_votes=faiss_votes.astype(np.int64),
            lsh_votes=lsh_votes.astype(np.int64),
        )


def _heaviest(
    rows: Int64, label: Int64, weight: npt.NDArray[np.float64], count: int, per_label: int
) -> Int64:
    """Return the `count` heaviest of some rows, heaviest first, at most `per_label` of a label.

    Only some hundred of the heaviest are looked at: were they all of a few labels, fewer than `count` are
    found.
    """
    looked_at = _LOOKED_AT * count
    if len(rows) > looked_at:
        rows = rows[np.argpartition(-weight[rows], looked_at)[:looked_at]]
    rows = rows[np.lexsort((rows, -weight[rows]))]
    return rows[first_of_each(label[rows], per_label)][:count]


def _with_neighbours(cells: Int64, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add to each cell what stands in the cells just before and after it."""
    total = sums.copy()
    follows = np.flatnonzero(np.diff(cells) == 1)
    total[:, follows] += sums[:, follows + 1]
    total[:, follows + 1] += sums[:, follows]
    return total


def _peaks(cells: Int64, weight: npt.NDArray[np.float64]) -> Bools:
    """Return which cells are not outweighed by the one just before or after: the rest are their echoes."""
    follows = np.flatnonzero(np.diff(cells) == 1)
    peak = np.ones(len(cells), np.bool_)
    peak[follows[weight[follows] < weight[follows + 1]]] = False
    peak[follows[weight[follows + 1] <= weight[follows]] + 1] = False
    return peak


def first_of_each(labels: Int64, count: int) -> Bools:
    """Return which entries are among the first `count` of their label.

    Parameters
    ----------
    labels : np.ndarray [shape=(n,), dtype=int64]
    count : int, >= 0

    Returns
    -------
    np.ndarray [shape=(n,), dtype=bool]
    """
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(ordered, ordered, side="left")
    among = np.empty(len(labels), np.bool_)
    among[order] = rank < count
    return among
