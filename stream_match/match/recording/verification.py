"""Verification: codes compared along the lines that offset bins propose, and along a fan about each."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.index.lines import Lines
from stream_match.index.port import ReaderPort
from stream_match.index.ranks import first_of_each
from stream_match.index.spans import STANDARD_CODE_S
from stream_match.match import tuning
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.votes import OffsetBins

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_FRAME_S = FeatureSettings().listening().frame_s
"""Seconds from one frame to the next by default. Offsets are multiples, so that floats hold them exactly."""


@dataclass(frozen=True)
class Places:
    """Places that were compared; the arrays have one row per place.

    `best` and `line` have a column per window: the correlation of the best line, and its number in `lines`.
    """

    windows: Int64
    votes: Int64
    best: Float32
    line: Int64
    lines: Lines

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.best)

    def __getitem__(self, rows: Int64) -> "Places":
        """Return some of the places."""
        return replace(self, votes=self.votes[rows], best=self.best[rows], line=self.line[rows])

    @property
    def rank_scores(self) -> Float32:
        """Correlation by window, weighed by its root, as chance has it."""
        scores: Float32 = self.best * np.sqrt(self.windows)
        return scores

    @property
    def forward(self) -> Bools:
        """Which places are no decoys."""
        return self.lines.speed[self.line[:, 0]] > 0

    @property
    def track(self) -> Int64:
        """The track of each place."""
        return self.lines.track[self.line[:, 0]]

    @property
    def shift(self) -> Int64:
        """The shift of each place."""
        return self.lines.shift[self.line[:, 0]]

    @property
    def longest(self) -> Lines:
        """The best line of each place over the longest window."""
        return self.lines[self.line[:, -1]]


class Verifier:
    """Compares the query with what the votes propose.

    Parameters
    ----------
    reader : ReaderPort
    """

    def __init__(self, reader: ReaderPort) -> None:
        self._reader = reader
        self._spans = reader.spans

    def compare(self, query: Query, forward: OffsetBins, backward: OffsetBins, windows: Int64) -> Places:
        """Compare all proposed places and all decoys, at speed 1."""
        lines = _lines_of(forward, 1.0, query).followed_by(_lines_of(backward, -1.0, query))
        self._reader.prefetch(lines)
        votes = [np.stack([bins.faiss_votes, bins.lsh_votes], axis=1) for bins in (forward, backward)]
        fan = offsets(tuning.OFFSET_REACH_S, tuning.OFFSET_STEP_S), np.ones(1, np.float32)
        return self._best(query, lines, np.concatenate(votes), windows, *fan)

    def refine(self, query: Query, field: Places, claimable: Bools) -> Places:
        """Compare the best claimable places again, at all speeds; best first."""
        early = field.windows <= self._spans.positions(medium_window_s())
        coarse = np.where(early, field.rank_scores, 0)
        rows = np.argsort(-coarse.max(axis=1, initial=0), kind="stable")
        rows = first(rows[claimable[rows]], field.track, tuning.REFINED, 2 * tuning.CANDIDATES_PER_TRACK)
        picked = field.line[rows, coarse[rows].argmax(axis=1)]
        fan = offsets(1.5 * tuning.OFFSET_STEP_S, tuning.OFFSET_STEP_S / 2), _speeds()
        places = self._best(query, field.lines[picked], field.votes[rows], field.windows, *fan)
        return places[np.argsort(-places.rank_scores.max(axis=1, initial=0), kind="stable")]

    def _best(
        self, query: Query, lines: Lines, votes: Int64, windows: Int64, offsets: Float32, speeds: Float32
    ) -> Places:
        """Fan out each line and find the best of its fan for each window."""
        fan = lines.fan(offsets * np.float32(self._spans.scale), speeds)
        means = self._reader.means(query.words, query.audible, fan, windows)
        each = len(offsets) * len(speeds)
        grouped = means.reshape(len(lines), each, len(windows))
        within = (grouped - _speed_loss(speeds, len(offsets), windows / self._spans.scale)).argmax(axis=1)
        best = np.take_along_axis(grouped, within[:, np.newaxis], axis=1)[:, 0]
        return Places(windows, votes, best, within + np.arange(len(lines))[:, np.newaxis] * each, fan)


def first(rows: Int64, track: Int64, count: int, per_track: int) -> Int64:
    """Return the first of some rows, and no more than so many of a track."""
    return rows[first_of_each(track[rows], per_track)][:count]


def _lines_of(bins: OffsetBins, direction: float, query: Query) -> Lines:
    """Return the lines that offset bins propose."""
    speeds = np.full(len(bins), direction, np.float32)
    return Lines(bins.track, bins.head_frames / query.stride, speeds, bins.shift)


def offsets(reach_s: float, step_s: float) -> Float32:
    """Return offsets up to a reach on both sides, in positions of the default settings."""
    reach, step = round(reach_s / _FRAME_S), round(step_s / _FRAME_S)
    frames = np.arange(-reach, reach + 1, step, dtype=np.float32)
    return frames / np.float32(round(STANDARD_CODE_S / _FRAME_S))


def _speeds() -> Float32:
    """Return the speeds tried, the likeliest first."""
    step, each = tuning.MOST_SPEED_OFF / tuning.SPEEDS_EACH_SIDE, range(1, tuning.SPEEDS_EACH_SIDE + 1)
    return np.array([1, *(1 + way * number * step for number in each for way in (-1, 1))], np.float32)


def _speed_loss(speeds: Float32, n_offsets: int, windows: Float64) -> Float64:
    """Return what a fan's lines must gain over speed 1, by window.

    A line that drifts by less than half a position over its window cannot be told from speed 1 at all.
    """
    off = np.tile(np.abs(speeds.astype(np.float64) - 1), n_offsets)[:, np.newaxis]
    return np.where((off > 0) & (off * windows < 0.5), np.inf, tuning.SPEED_LOSS * off)
