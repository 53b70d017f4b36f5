"""From proposed places to scored candidates: how far the best line stands out of what chance gives.

A similarity as such separates badly: a loop, a drone or sparse music agrees with much that it is not.
What can be trusted is the distance of a line to its rivals, the best lines of *other* places in the
catalogue and the best lines read *backwards* (decoys), in their standard deviations. The rivals come
from the same votes, so they have been sought out as hard as the candidate itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.match.candidate import Candidate, Rivals
from stream_match.match.lines import LineReader, Lines, window_means
from stream_match.match.query import Query
from stream_match.match.reference import Reference
from stream_match.match.votes import Cells

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SPEEDS = np.array([1.0, 1 - 1 / 75, 1 + 1 / 75, 1 - 2 / 75, 1 + 2 / 75, 0.96, 1.04], np.float32)
"""Speeds tried, the likeliest first; between two of them a line drifts one position in seven seconds."""

_STRANGE_SPEED = 0.5
"""Similarity that a line must gain to be believed at another speed than 1, per unit of difference."""

_COARSE_OFFSETS = np.arange(-3, 3.5, 0.5, dtype=np.float32)
_BACKWARD_OFFSETS = np.arange(-8, 8.5, 0.5, dtype=np.float32)
_FINE_OFFSETS = np.arange(-1, 1.5, 0.5, dtype=np.float32)
_COARSE_POSITIONS = 48
_AS_IS = np.ones(1, np.float32)

_REFINED = 12
"""Places of each direction that get the full look."""

_CANDIDATES = 6
"""Of these, the most promising are scored; the others are their rivals only."""

_UNITS = 24
"""A catalogue with fewer tracks than this is cut into about as many stretches, to have rivals enough."""

_PRIOR_WEIGHT = 4.0
_PRIOR_MEAN = 0.55
_PRIOR_DEVIATION = 0.1
"""What is taken for granted of rivals before any is seen, as if by this many of them: their best similarity
over `n` steps is 0.55 / sqrt(n / 4), give or take 0.1 / sqrt(n / 4). Chosen on the high side, not fitted: it
keeps a catalogue with few rivals from claiming lightly."""

_SAME_SOUND = 0.5
"""Two stretches of reference that agree better than this are the same recording, or an exact repeat."""

_SAME_SOUND_POSITIONS = 48
"""Length over which they are compared."""

_ONE_PLACE = 4.0
"""Two heads in a track that are no farther apart than this, in positions, are one place."""

_EVEN_TAIL_POSITIONS = 48
_TAIL_EXPONENT = 0.2
"""On music outside the catalogue, scores over longer windows than this have a heavier tail, as if they
were larger by (window / 48) ** 0.2: measured over 3 h against 13 h of references, with chroma codes."""


@dataclass(frozen=True)
class _Places:
    """Places looked at in full; all arrays have one row per place.

    `best` and `line` have a column per window: the similarity of the best line, and its number in `lines`.
    """

    votes: Int64
    best: Float32
    line: Int64
    lines: Lines

    @property
    def forward(self) -> Bools:
        """Which places are lines that run forward, that is, no decoys."""
        return self.lines.speed[self.line[:, 0]] > 0

    @property
    def track(self) -> Int64:
        """The track of each place."""
        return self.lines.track[self.line[:, 0]]

    @property
    def head(self) -> npt.NDArray[np.float64]:
        """The reference position of each place."""
        return self.lines.head[self.line[:, 0]]


class Scorer:
    """Scores the places that the votes propose.

    Parameters
    ----------
    reference : Reference
    """

    def __init__(self, reference: Reference) -> None:
        self.reader = LineReader(reference)
        many = len(reference.tracks) >= _UNITS
        self._unit_positions = 1 << 30 if many else max(1, len(reference.codes) // _UNITS)

    def rank(
        self, query: Query, forward: Cells, backward: Cells, settled: set[int]
    ) -> tuple[list[Candidate], Rivals]:
        """Score the proposed places against each other and against the decoys.

        Parameters
        ----------
        query : Query
        forward, backward : Cells
            Proposed places, and decoys.
        settled : set of int
            Tracks known to sound already: they are nobody's rivals.

        Returns
        -------
        candidates : list of Candidate
            Best first, those of settled tracks among them.
        rivals : Rivals
            Of what sounds already.
        """
        windows = query.windows()
        places = self._look(query, forward, backward, windows)
        known = np.isin(places.track, list(settled))
        promise = (places.best * np.sqrt(windows)).max(axis=1, initial=0)
        rows = [int(row) for row in np.argsort(-promise, kind="stable") if places.forward[row]]
        candidates = [self._candidate(query, places, row, windows, known) for row in rows[:_CANDIDATES]]
        candidates.sort(key=lambda candidate: -candidate.score)
        return candidates, self._rivals(places, windows, known)

    def _look(self, query: Query, forward: Cells, backward: Cells, windows: Int64) -> _Places:
        """Look at the places coarsely, then at the best of each direction in full."""
        ahead, ahead_votes = self._shortlist(query, forward, 1.0, windows)
        decoys, decoys_votes = self._shortlist(query, backward, -1.0, windows)
        lines = Lines(
            np.concatenate([ahead.track, decoys.track]),
            np.concatenate([ahead.head, decoys.head]),
            np.concatenate([ahead.speed, decoys.speed]),
        )
        best, line, fan = self._best(query, lines, windows, _FINE_OFFSETS, SPEEDS)
        return _Places(np.concatenate([ahead_votes, decoys_votes]), best, line, fan)

    def _shortlist(self, query: Query, cells: Cells, direction: float, windows: Int64) -> tuple[Lines, Int64]:
        """Return the lines of the most promising cells, and their votes by either voter."""
        heads = cells.head_frames / query.stride
        lines = Lines(cells.track, heads, np.full(len(cells), direction, np.float32))
        newest = query.newest(_COARSE_POSITIONS)
        best, line, fan = self._best(newest, lines, windows, _COARSE_OFFSETS, _AS_IS)
        # Chance gives less to longer lines, by about the root of their length.
        promise = best * np.sqrt(np.minimum(windows, _COARSE_POSITIONS))
        rows = np.argsort(-promise.max(axis=1, initial=0), kind="stable")[:_REFINED]
        picked = line[rows, promise[rows].argmax(axis=1)]
        votes = np.stack([cells.faiss_votes[rows], cells.lsh_votes[rows]], axis=1)
        return Lines(fan.track[picked], fan.head[picked], fan.speed[picked]), votes

    def _best(
        self, query: Query, lines: Lines, windows: Int64, offsets: Float32, speeds: Float32
    ) -> tuple[Float32, Int64, Lines]:
        """Fan out each line; return the best of its fan for each window, its number, and all fans."""
        fan = lines.fan(offsets, speeds)
        similarity = self.reader.similarity(query.words, query.audible, fan)
        means = window_means(similarity, np.minimum(windows, similarity.shape[1]))
        each = len(offsets) * len(speeds)
        grouped = means.reshape(len(lines), each, len(windows))
        within = (grouped - _strangeness(speeds, len(offsets), windows)).argmax(axis=1)
        best = np.take_along_axis(grouped, within[:, np.newaxis], axis=1)[:, 0]
        return best, within + np.arange(len(lines))[:, np.newaxis] * each, fan

    def _candidate(self, query: Query, places: _Places, row: int, windows: Int64, known: Bools) -> Candidate:
        """Score one place over the window in which it stands out most."""
        same = self._same_sound(query, places, row)
        # What stands near a twin is as little a rival as what stands near the place itself.
        around = [self._around(places, int(twin)) for twin in (row, *np.flatnonzero(same))]
        rivals = self._rivals(places, windows, known | np.any(around, axis=0))
        scores = (places.best[row] - rivals.mean) / rivals.deviation * _evened(windows)
        column = int(scores.argmax())
        line = places.line[row, column]
        track, window = int(places.lines.track[line]), int(windows[column])
        head, speed = float(places.lines.head[line]), float(places.lines.speed[line])
        longest = places.line[:, -1]
        return Candidate(
            track=track,
            head=head,
            speed=speed,
            window_positions=window,
            similarity=float(places.best[row, column]),
            score=float(scores[column]),
            backward=self._backward(query.newest(window), track, head, speed),
            faiss_votes=int(places.votes[row, 0]),
            lsh_votes=int(places.votes[row, 1]),
            same=tuple(
                (int(places.track[other]), float(places.lines.head[longest[other]]))
                for other in np.flatnonzero(same)
            ),
            rivals=rivals,
        )

    def _around(self, places: _Places, row: int) -> Bools:
        """Return which places stand near one: in its track, or in its part of it if there are few tracks."""
        near: Bools = np.abs(places.head - places.head[row]) < self._unit_positions
        near &= places.track == places.track[row]
        return near

    def _same_sound(self, query: Query, places: _Places, row: int) -> Bools:
        """Return which other places hold the same stretch of sound as this one."""
        longest = places.line[:, -1]
        lines = Lines(places.lines.track[longest], places.lines.head[longest], places.lines.speed[longest])
        n_frames = min(_SAME_SOUND_POSITIONS, query.positions) * query.stride
        stretch, inside = self.reader.stretch(
            int(lines.track[row]), float(lines.head[row]), float(lines.speed[row]), n_frames
        )
        agreement = self.reader.similarity(stretch, inside, lines).sum(axis=1)
        same: Bools = agreement > _SAME_SOUND * max(1, inside.sum() // query.stride)
        itself = (places.track == places.track[row]) & (np.abs(places.head - places.head[row]) <= _ONE_PLACE)
        same &= places.forward & ~itself
        return same

    def _rivals(self, places: _Places, windows: Int64, excluded: Bools) -> Rivals:
        """Return what the best places reach that are not excluded: one of each unit and direction."""
        rows = np.flatnonzero(~excluded)
        rows = rows[np.argsort(-places.best[rows].mean(axis=1), kind="stable")]
        units = places.track[rows] * (1 << 32) + places.head[rows].astype(np.int64) // self._unit_positions
        rows = rows[np.unique(units * 2 + places.forward[rows], return_index=True)[1]]
        best = places.best[rows]
        root = np.sqrt(windows / 4)
        weight = len(rows) + _PRIOR_WEIGHT
        mean = (best.sum(axis=0) + _PRIOR_WEIGHT * _PRIOR_MEAN / root) / weight
        squares = ((best - mean) ** 2).sum(axis=0) + _PRIOR_WEIGHT * (_PRIOR_DEVIATION / root) ** 2
        return Rivals(windows, mean.astype(np.float32), np.sqrt(squares / weight).astype(np.float32))

    def _backward(self, query: Query, track: int, head: float, speed: float) -> float:
        """Return the best mean agreement with the same stretch of reference read backwards.

        A chord that beats is periodic: backwards it agrees as well, if not at the same place.
        """
        tail = head - speed * (query.positions - 1)
        lines = Lines.single(track, tail, -speed).fan(_BACKWARD_OFFSETS, _AS_IS)
        return float(self.reader.similarity(query.words, query.audible, lines).mean(axis=1).max())


def _strangeness(speeds: Float32, n_offsets: int, windows: Int64) -> npt.NDArray[np.float64]:
    """Return what a fan's lines must gain over that of speed 1, for each window.

    A line that drifts by less than a position over its window cannot be told from it at all.
    """
    off = np.tile(np.abs(speeds.astype(np.float64) - 1), n_offsets)[:, np.newaxis]
    return np.where((off > 0) & (off * windows < 1), np.inf, _STRANGE_SPEED * off)


def _evened(windows: Int64) -> npt.NDArray[np.float64]:
    """Return the factors that make a score mean the same over any window."""
    evened: npt.NDArray[np.float64] = np.minimum(1, _EVEN_TAIL_POSITIONS / windows) ** _TAIL_EXPONENT
    return evened
