"""Votes of the last seconds, gathered in (track, offset) cells that fade with time.

Both voters, FAISS and the LSH tables, say "what sounds now stands at that reference position". If it is
the same recording, the votes of successive moments lie on one line: position less time is constant.
Grouped by position *plus* time they lie on lines read backwards, on which nothing true can stand:
what is found there shows what chance gives (decoys).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.index.ranks import first_of_each
from stream_match.index.tracks import GONE

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CELL_FRAMES = 8
"""Frames to a cell. Each cell counts with its two neighbours, so a line may drift over three."""

_TRACK_STEP = 1 << 34
"""Cells of different tracks are kept this far apart: enough for decades of stream."""

_SHIFT_STEP = 1 << 59
"""Cells of different shifts are kept this far apart: enough for 33 million tracks."""

_TRACKS = _SHIFT_STEP // _TRACK_STEP

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
        Number of votes; they fade as weights do.
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

    def __getitem__(self, rows: Int64) -> "Cells":
        """Return some of the cells."""
        return Cells(
            self.track[rows],
            self.shift[rows],
            self.head_frames[rows],
            self.weight[rows],
            self.faiss_votes[rows],
            self.lsh_votes[rows],
        )


_WEIGHT, _MOMENT, _FAISS, _LSH = range(4)
"""Rows of what is summed up of a cell, all fading: weights, the same times offsets, votes of each voter."""


@dataclass
class _Gathered:
    """What stands in the cells, in their order.

    `key` tells the cell, `sums` has a column for each, `latest` is the moment of its newest vote.
    """

    key: Int64
    sums: Float64
    latest: Int64

    @classmethod
    def nothing(cls) -> "_Gathered":
        return cls(np.empty(0, np.int64), np.empty((4, 0)), np.empty(0, np.int64))

    @classmethod
    def of_votes(cls, key: Int64, summands: Float64, time: Int64) -> "_Gathered":
        """Sum up votes, in any order, that have a column each."""
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        firsts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
        latest = np.maximum.reduceat(time[order], firsts)
        return cls(ordered[firsts], np.add.reduceat(summands[:, order], firsts, axis=1), latest)

    def merge(self, others: "_Gathered") -> None:
        """Add others: much cheaper than to sort all anew."""
        place = np.searchsorted(self.key, others.key)
        known = place < len(self.key)
        known[known] = self.key[place[known]] == others.key[known]
        self.sums[:, place[known]] += others.sums[:, known]
        self.latest[place[known]] = np.maximum(self.latest[place[known]], others.latest[known])
        place, new = place[~known], np.flatnonzero(~known)
        self.key = np.insert(self.key, place, others.key[new])
        self.sums = np.insert(self.sums, place, others.sums[:, new], axis=1)
        self.latest = np.insert(self.latest, place, others.latest[new])

    def renumber(self, numbers: Int64) -> None:
        """Put cells under the new numbers of their tracks; drop those of tracks that are gone."""
        shift, within = np.divmod(self.key, _SHIFT_STEP)
        track, cell = np.divmod(within, _TRACK_STEP)
        new = numbers[track]
        key = shift * _SHIFT_STEP + new * _TRACK_STEP + cell
        order = np.argsort(key, kind="stable")
        order = order[new[order] != GONE]
        self.key, self.sums, self.latest = key[order], self.sums[:, order], self.latest[order]

    def keep(self, kept: Bools) -> None:
        self.key, self.sums, self.latest = self.key[kept], self.sums[:, kept], self.latest[kept]

    def with_neighbours(self, rows: Int64) -> Float64:
        """Return the sums of some cells, with those of the cells just before and after each."""
        total = self.sums[:, rows]
        for step in (-1, 1):
            beside = np.clip(rows + step, 0, max(0, len(self.key) - 1))
            total += self.sums[:, beside] * (self.key[beside] == self.key[rows] + step)
        return total


class VoteWindow:
    """The votes of the last seconds.

    Parameters
    ----------
    window_frames : int
        Cells that got no vote for so long are forgotten, which bounds the memory.
    half_life_frames : float
        Time in which a vote fades to half.
    least_weight : float
        Cells that have faded to less are forgotten, too: most hold the one vote that chance gave them.
    """

    def __init__(self, window_frames: int, half_life_frames: float, least_weight: float = 0.0) -> None:
        self._window = window_frames
        self._half_life = half_life_frames
        self._least_weight = least_weight
        self.reset()

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._gathered: dict[Literal[1, -1], _Gathered] = {1: _Gathered.nothing(), -1: _Gathered.nothing()}
        self._now = 0

    def add(
        self, time: Int64, position: Int64, track: Int64, shift: Int64, weight: Float32, by_lsh: Bools
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
        by_lsh : np.ndarray [shape=(n,), dtype=bool]
            Which voter: the LSH tables or FAISS.
        """
        if len(time) == 0:
            return
        self._fade(max(self._now, int(time.max())))
        left = np.exp2((time - self._now) / self._half_life)
        for direction, gathered in self._gathered.items():
            offset = position - direction * time
            # Offsets turn negative once the stream is longer than the references before the track.
            key = shift * _SHIFT_STEP + track * _TRACK_STEP + _TRACK_STEP // 2 + offset // CELL_FRAMES
            summands = left * np.stack([weight, weight * offset, ~by_lsh, by_lsh])
            gathered.merge(_Gathered.of_votes(key, summands, time))

    def renumber(self, numbers: Int64) -> None:
        """Go on with other numbers of tracks.

        Parameters
        ----------
        numbers : np.ndarray [shape=(n_tracks,), dtype=int64]
            The new number of each track; `GONE` for those whose votes are dropped.
        """
        for gathered in self._gathered.values():
            gathered.renumber(numbers)

    def forget(self, now: int) -> None:
        """Drop the cells that are too old or too light at the moment `now`."""
        self._fade(now)
        for gathered in self._gathered.values():
            young = gathered.latest > now - self._window
            gathered.keep(young & (gathered.sums[_WEIGHT] >= self._least_weight))

    def _fade(self, now: int) -> None:
        """Let all weights fade until a moment."""
        factor = math.exp2((self._now - now) / self._half_life)
        for gathered in self._gathered.values():
            gathered.sums *= factor
        self._now = now

    def cells(
        self,
        now: int,
        direction: Literal[1, -1],
        *,
        at_most: Sequence[int],
        per_track: int,
        groups: Int64 | None = None,
    ) -> Cells:
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
        groups : np.ndarray [shape=(n_tracks,), dtype=int64], optional
            Tracks of one group have no more cells than two of them would have alone: many copies of a
            recording must leave room for others.
        """
        gathered = self._gathered[direction]
        weight = _spread(gathered.key, gathered.sums[_WEIGHT])
        peaks = np.flatnonzero(_peaks(gathered.key, weight))
        of_shift = np.searchsorted(gathered.key[peaks], np.arange(len(at_most) + 1) * _SHIFT_STEP)
        track = gathered.key // _TRACK_STEP
        chosen = [
            _heaviest(peaks[first:last], track, weight, count, per_track, groups)
            for first, last, count in zip(of_shift[:-1], of_shift[1:], at_most, strict=True)
        ]
        order = np.concatenate(chosen)
        sums = gathered.with_neighbours(order)
        sums *= np.exp2((self._now - now) / self._half_life)
        return Cells(
            track=gathered.key[order] % _SHIFT_STEP // _TRACK_STEP,
            shift=gathered.key[order] // _SHIFT_STEP,
            head_frames=sums[_MOMENT] / np.maximum(sums[_WEIGHT], 1e-9) + direction * now,
            weight=sums[_WEIGHT].astype(np.float32),
            faiss_votes=np.rint(sums[_FAISS]).astype(np.int64),
            lsh_votes=np.rint(sums[_LSH]).astype(np.int64),
        )


def _heaviest(
    rows: Int64, label: Int64, weight: Float64, count: int, per_label: int, groups: Int64 | None
) -> Int64:
    """Return the `count` heaviest of some rows, heaviest first, at most `per_label` of a label.

    Only some hundred of the heaviest are looked at: were they all of a few labels, fewer than `count` are
    found.
    """
    looked_at = _LOOKED_AT * count
    if len(rows) > looked_at:
        rows = rows[np.argpartition(-weight[rows], looked_at)[:looked_at]]
    rows = rows[np.lexsort((rows, -weight[rows]))]
    rows = rows[first_of_each(label[rows], per_label)]
    if groups is not None:
        rows = rows[first_of_each(groups[label[rows] % _TRACKS], 2 * per_label)]
    return rows[:count]


def _spread(cells: Int64, weight: Float64) -> Float64:
    """Add to the weight of each cell those of the cells just before and after it."""
    total = weight.copy()
    follows = np.flatnonzero(np.diff(cells) == 1)
    total[follows] += weight[follows + 1]
    total[follows + 1] += weight[follows]
    return total


def _peaks(cells: Int64, weight: Float64) -> Bools:
    """Return which cells are not outweighed by the one just before or after: the rest are their echoes."""
    follows = np.flatnonzero(np.diff(cells) == 1)
    peak = np.ones(len(cells), np.bool_)
    peak[follows[weight[follows] < weight[follows + 1]]] = False
    peak[follows[weight[follows + 1] <= weight[follows]] + 1] = False
    return peak
