"""Verification: codes compared along the lines that offset bins propose, and along a fan about each."""

from dataclasses import dataclass, replace

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.port import Bools, Float32, Float64, Int64, ReaderPort
from stream_match.index.ranks import first_of_each
from stream_match.index.spans import STANDARD_CODE_S
from stream_match.match import tuning
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.votes import BIN_FRAMES, OffsetBins


@dataclass(frozen=True)
class Places:
    """Places that were compared; the arrays but `windows` have one row per place."""

    windows: Int64  # in positions
    votes: Int64  # of FAISS and of the LSH tables
    best: Float32  # correlation of the best line over each window
    line: Int64  # its number in `lines`
    lines: Lines

    def __len__(self) -> int:
        return len(self.best)

    def __getitem__(self, rows: Int64) -> "Places":
        return replace(self, votes=self.votes[rows], best=self.best[rows], line=self.line[rows])

    @property
    def rank_scores(self) -> Float32:
        """Correlation by window, weighed by its root, as chance has it."""
        scores: Float32 = self.best * np.sqrt(self.windows)
        return scores

    @property
    def shortest(self) -> Lines:
        """The best line of each place over the shortest window."""
        return self.lines[self.line[:, 0]]

    @property
    def longest(self) -> Lines:
        """The best line of each place over the longest window."""
        return self.lines[self.line[:, -1]]


def compare(reader: ReaderPort, query: Query, forward: OffsetBins, backward: OffsetBins) -> Places:
    """Compare all proposed places and all decoys, at speed 1."""
    lines = _lines_of(forward, 1.0, query).followed_by(_lines_of(backward, -1.0, query))
    reader.prefetch(lines)
    votes = [np.stack([bins.faiss_votes, bins.lsh_votes], axis=1) for bins in (forward, backward)]
    about = offsets(tuning.OFFSET_REACH_S, tuning.OFFSET_STEP_S)
    return _best(reader, query, lines, np.concatenate(votes), about, np.ones(1, np.float32))


def refine(reader: ReaderPort, query: Query, field: Places, claimable: Bools) -> Places:
    """Compare the best claimable places again, at all speeds; best first."""
    early = field.windows <= query.spans.positions(medium_window_s())
    coarse = np.where(early, field.rank_scores, 0)
    rows = np.argsort(-coarse.max(axis=1, initial=0), kind="stable")
    track, per_track = field.shortest.track, 2 * tuning.CANDIDATES_PER_TRACK
    rows = first(rows[claimable[rows]], track, tuning.REFINED, per_track)
    picked = field.lines[field.line[rows, coarse[rows].argmax(axis=1)]]
    step_s = tuning.OFFSET_STEP_S / 2
    about = offsets(tuning.OFFSET_STEP_S + step_s, step_s)
    places = _best(reader, query, picked, field.votes[rows], about, _speeds())
    return places[np.argsort(-places.rank_scores.max(axis=1, initial=0), kind="stable")]


def first(rows: Int64, track: Int64, count: int, per_track: int) -> Int64:
    """Return the first of some rows, and no more than so many of a track."""
    return rows[first_of_each(track[rows], per_track)][:count]


def offsets(reach_s: float, step_s: float) -> Float32:
    """Return offsets up to a reach on both sides, whole frames, in positions of the default settings."""
    frame_s = STANDARD_CODE_S / BIN_FRAMES
    frames = np.arange(-round(reach_s / frame_s), round(reach_s / frame_s) + 1, round(step_s / frame_s))
    return frames.astype(np.float32) / np.float32(BIN_FRAMES)


def _speed_steps() -> tuple[float, int]:
    """Return the step of the speeds tried, and how many on each side of 1.

    Neighbours drift a position apart over the longest window.
    """
    each_side = round(tuning.MOST_SPEED_OFF * tuning.LONGEST_WINDOW_S / STANDARD_CODE_S)
    return tuning.MOST_SPEED_OFF / each_side, each_side


def _speeds() -> Float32:
    """Return the speeds tried, the likeliest first."""
    step, each_side = _speed_steps()
    return np.array(
        [1, *(1 + way * n * step for n in range(1, each_side + 1) for way in (-1, 1))], np.float32
    )


def speeds_about() -> Float32:
    """Return the speeds about that of a match, a step to either side, and finer ones between."""
    step, each_side = _speed_steps()
    return 1 + np.array([0, -1 / each_side, 1 / each_side, -1, 1], np.float32) * np.float32(step)


def _lines_of(bins: OffsetBins, direction: float, query: Query) -> Lines:
    speeds = np.full(len(bins), direction, np.float32)
    return Lines(bins.track, bins.head_frames / query.stride, speeds, bins.shift)


def _best(
    reader: ReaderPort, query: Query, lines: Lines, votes: Int64, offsets: Float32, speeds: Float32
) -> Places:
    """Fan out each line and find the best of its fan for each window."""
    scale, windows = query.spans.scale, query.windows()
    fan = lines.fan(offsets * np.float32(scale), speeds)
    each = len(offsets) * len(speeds)
    grouped = reader.means(query.words, query.audible, fan, windows).reshape(len(lines), each, len(windows))
    within = (grouped - _speed_loss(speeds, len(offsets), windows / scale)).argmax(axis=1)
    best = np.take_along_axis(grouped, within[:, np.newaxis], axis=1)[:, 0]
    return Places(windows, votes, best, within + np.arange(len(lines))[:, np.newaxis] * each, fan)


def _speed_loss(speeds: Float32, n_offsets: int, windows: Float64) -> Float64:
    """Return what lines must gain over speed 1, by window: all, if they drift less than half a position."""
    off = np.tile(np.abs(speeds.astype(np.float64) - 1), n_offsets)[:, np.newaxis]
    return np.where((off > 0) & (2 * off * windows < 1), np.inf, tuning.SPEED_LOSS * off)
