"""Votes of the last seconds, gathered in offset bins that fade with time.

A vote pairs a moment with a reference position. Votes for one recording share their offset: position less
time. Position *plus* time gives that of lines read backwards: they show what chance gives (decoys).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.index.port import Bools, Float32, Float64, Int64
from stream_match.index.tracks import GONE, Numbers

BIN_FRAMES = FeatureSettings().listening().code_stride_frames
"""Frames to an offset bin: a position. It counts with its two neighbours, so that a line may drift."""

_TRACK_BITS = 34
"""Lowest bits of a key, for the bin in its track: enough for decades of stream."""

_SHIFT_BITS = 58
"""Bits below the shift: enough for 16 million tracks. Keys stay below 2 ** 62."""


@dataclass(frozen=True)
class OffsetBins:
    """Offset bins that the votes point to, heaviest first; the arrays have the shape (n,)."""

    track: Int64
    shift: Int64  # number in `shifts_semitones`
    head_frames: Float64  # reference frame that sounds at the moment asked for
    weight: Float32  # faded sum of the votes
    faiss_votes: Int64  # number of votes; they fade as weights do
    lsh_votes: Int64

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, rows: Int64) -> "OffsetBins":
        return OffsetBins(*(column[rows] for column in vars(self).values()))


class _Sums(NamedTuple):
    """Bins by key: weight, weight times offset, votes of FAISS and of LSH; moment of the newest vote."""

    key: Int64
    sums: Float64
    latest: Int64


_NOTHING = _Sums(np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, np.int64))


class VoteWindow:
    """The votes of the last seconds for lines that run forward (1), or for decoys (-1).

    Bins that got no vote for `window_frames`, or that have faded to less than `least_weight`, are dropped.
    """

    def __init__(
        self, window_frames: int, half_life_frames: float, least_weight: float = 0.0, direction: int = 1
    ) -> None:
        from stream_match.index import keyed_sums  # when matching begins, not when this is loaded

        self._window = window_frames
        self._half_life = half_life_frames
        self._least_weight = least_weight
        self._direction = direction
        self._keyed = keyed_sums
        self.reset()

    def reset(self) -> None:
        """Forget all votes, as at a gap."""
        self._gathered = _NOTHING
        self._now = 0

    def add(
        self, time: Int64, position: Int64, track: Int64, shift: Int64, weight: Float32, by_lsh: Bools
    ) -> None:
        """Take votes [shape=(n,) each], and drop the bins that are too old or too light by then.

        Time and position are frames of the stream and of the track; shifts are numbers below 16.
        """
        if len(time) == 0:
            return
        now = max(self._now, int(time.max()))
        left = np.exp2((time - now) / self._half_life)
        offset = position - self._direction * time
        # Offsets turn negative once the stream is longer than the references before the track.
        offset_bin = (1 << _TRACK_BITS - 1) + offset // BIN_FRAMES
        summands = [left * weight, left * (weight * offset), left * ~by_lsh, left * by_lsh]
        self._move_on(now, _Sums(_key(shift, track, offset_bin), np.stack(summands, axis=1), time))

    def renumber(self, numbers: Numbers) -> None:
        """Go on with other numbers of tracks; votes for those that are gone are dropped."""
        there = self._gathered
        shift, track, offset_bin = _parts(there.key)
        key = _key(shift, numbers[track], offset_bin)
        order = np.argsort(key, kind="stable")
        order = order[numbers[track[order]] != GONE]
        self._gathered = _Sums(key[order], there.sums[order], there.latest[order])

    def forget(self, now: int) -> None:
        """Drop the bins that are too old or too light at the moment `now`."""
        if now != self._now:  # when votes were taken, all bins were looked through
            self._move_on(now, _NOTHING)

    def _move_on(self, now: int, votes: _Sums) -> None:
        """Let all weights fade until the moment `now`, add votes, in any order, and drop bins."""
        there, order = self._gathered, np.argsort(votes.key, kind="stable")
        left, oldest = math.exp2((self._now - now) / self._half_life), now - self._window + 1
        gathered = self._keyed.gathered(*there, left, order, *votes, self._least_weight, oldest)
        self._gathered, self._now = _Sums(*gathered), now

    def bins(
        self, now: int, *, at_most: Sequence[int], per_track: int, groups: Int64 | None = None
    ) -> OffsetBins:
        """Return the heaviest bins at the frame `now`.

        So many are of each shift at most, as weights at different ones cannot be compared; `per_track` of one
        track at one shift, and twice as many of copies, by the `groups` [shape=(n_tracks,)] of tracks.
        """
        self.forget(now)
        there, most = self._gathered, np.array(at_most, np.int64)
        groups = np.empty(0, np.int64) if groups is None else groups
        rows, weight = self._keyed.peaks(there.key, there.sums)
        rows = self._keyed.heaviest(
            rows, there.key, weight, most, _SHIFT_BITS, _TRACK_BITS, per_track, groups, 2 * per_track
        )
        shift, track, _ = _parts(there.key[rows])
        sums = self._keyed.with_neighbours(there.key, there.sums, rows)
        weight, moment, faiss, lsh = sums.T
        return OffsetBins(
            track=track,
            shift=shift,
            head_frames=moment / np.maximum(weight, np.finfo(np.float64).tiny) + self._direction * now,
            weight=weight.astype(np.float32),
            faiss_votes=np.rint(faiss).astype(np.int64),
            lsh_votes=np.rint(lsh).astype(np.int64),
        )


def _key(shift: Int64, track: Int64, offset_bin: Int64) -> Int64:
    return (shift << _SHIFT_BITS) + (track << _TRACK_BITS) + offset_bin


def _parts(key: Int64) -> tuple[Int64, Int64, Int64]:
    track = key >> _TRACK_BITS
    return key >> _SHIFT_BITS, track & ((1 << _SHIFT_BITS - _TRACK_BITS) - 1), key & ((1 << _TRACK_BITS) - 1)
