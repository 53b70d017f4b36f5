"""From proposed places to scored candidates: how far the best line stands out of what chance gives.

A similarity as such separates badly: a loop, a drone or sparse music agrees with much that it is not.
What can be trusted is the distance of a line to its rivals, the best lines of *other* tracks and the best
lines read *backwards* (decoys), in their standard deviations; `rivals` has how they are counted. They come
from the same votes, so they have been sought out as hard as the candidate itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort
from stream_match.index.ranks import first_of_each
from stream_match.match.recording.background_scores import (
    ORDINARY_H,
    Rivalry,
    Rivals,
    levelled_share,
    strength,
)
from stream_match.match.recording.candidate import Candidate
from stream_match.match.recording.query import SHIFTS_SEMITONES, Query
from stream_match.match.recording.votes import Cells

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Heads = tuple[tuple[int, float], ...]

SPEEDS = np.array([1.0, 1 - 1 / 75, 1 + 1 / 75, 1 - 2 / 75, 1 + 2 / 75, 0.96, 1.04], np.float32)
"""Speeds tried, the likeliest first; between two of them a line drifts one position in 14 seconds."""

_STRANGE_SPEED = 0.5
"""Similarity that a line must gain to be believed at another speed than 1, per unit of difference."""

_STRANGE_SHIFT = 1.5
SHIFT_LOSS = _STRANGE_SHIFT * np.array([max(1.0, abs(up)) if up else 0.0 for up in SHIFTS_SEMITONES])
"""Score that a line loses at each of `SHIFTS_SEMITONES`: 1.5 for each semitone, one at least, by which it
supposes that the recording sounds higher or lower. One in thirty does, and eight of nine lines say so."""

_COARSE_OFFSETS = np.arange(-1.5, 1.75, 0.25, dtype=np.float32)
_FINE_OFFSETS = np.arange(-0.375, 0.5, 0.125, dtype=np.float32)
"""By default in positions, which are 186 ms long; in time the same for any settings."""

_COARSE_S = 4.5
_AS_IS = np.ones(1, np.float32)

_REFINED = 16
"""Places that are looked at again, at all speeds."""

_CANDIDATES = 6
"""Of these, the most promising are scored."""

_REFINED_PER_TRACK = 4
_CANDIDATES_PER_TRACK = 2
"""What has sounded for long is promising at many places and shifts, and must leave room for what begins."""

_SAME_SOUND = 0.43
"""Two stretches of reference that agree better than this are the same recording, or an exact repeat."""

_SAME_SOUND_S = 4.5
"""Length over which they are compared."""

_WORTH_A_LONGER_LOOK = 0.2
"""What agrees less over this length is not looked at longer."""

SAME_RECORDING = 0.26
"""Likeness from which two lines are the same recording. Copies whose frames lie half a position apart reach
0.42 at least. With the cosines that were there before it was 0.48, 0.46 coded at 24 kbit/s, 0.39 through a
room, and what else got votes at the same moments reached 0.18 at most, save where one piece quoted another.
This and the other likenesses were set then, and were lowered as that was."""

_ONE_PLACE = 2.0
"""Two heads in a track that are no farther apart than 0.37 s, two positions by default, are one place."""

_SURELY_IT = 0.7
_DOUBTED_S = 8.9
_DOUBTED = 0.75
"""Where tracks are alike, or too few to tell, a score over less than 8.9 s counts three quarters if the line
agrees by less than this: other pieces on the same instrument have chords that agree by 0.2 to 0.5."""

_EXCESS_PER_DECADE = 0.8
"""Where there are more tracks there is more that is alike by chance: 131 h of permuted codes, in which no
track resembles another, have an excess of 0.68. It is taken off scores, and is no reason to doubt them."""

_EVEN_TAIL_POSITIONS = 24
_TAIL_EXPONENT = 0.2
"""On music outside the catalogue, scores over longer windows than this have a heavier tail, as if they
were larger by (window / 24) ** 0.2: measured over 3 h against 13 h of references, with chroma codes."""


@dataclass(frozen=True)
class _Places:
    """Places that were looked at; the arrays have one row per place.

    `best` and `line` have a column per window: the similarity of the best line, and its number in `lines`.
    """

    windows: Int64
    votes: Int64
    best: Float32
    line: Int64
    lines: Lines

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.best)

    def __getitem__(self, rows: Int64) -> "_Places":
        """Return some of the places."""
        return replace(self, votes=self.votes[rows], best=self.best[rows], line=self.line[rows])

    @property
    def promise(self) -> Float32:
        """Similarity weighed by the window: chance gives less to longer lines, by about their root."""
        promise: Float32 = self.best * np.sqrt(self.windows)
        return promise

    @property
    def forward(self) -> Bools:
        """Which places are lines that run forward, that is, no decoys."""
        return self.lines.speed[self.line[:, 0]] > 0

    @property
    def track(self) -> Int64:
        """The track of each place."""
        return self.lines.track[self.line[:, 0]]

    @property
    def shift(self) -> Int64:
        """The shift at which each place was found."""
        return self.lines.shift[self.line[:, 0]]

    @property
    def longest(self) -> Lines:
        """The best line of each place over the longest window."""
        return self.lines[self.line[:, -1]]


class Scorer:
    """Scores the places that the votes propose.

    Parameters
    ----------
    catalogue : CataloguePort
    doubting : bool
        Whether poor agreement is doubted where tracks are alike or few.
    """

    def __init__(self, catalogue: CataloguePort, *, doubting: bool = True) -> None:
        self.reader = catalogue.lines
        self._tracks = catalogue.tracks
        self._spans = self.reader.spans
        self._one_place = _ONE_PLACE * self._spans.scale
        self._excess = catalogue.excess
        hours = float(self._tracks.length.sum()) * catalogue.settings.code_s / 3600
        self._levelled = levelled_share(hours)
        alike = catalogue.excess > _EXCESS_PER_DECADE * math.log10(max(hours, ORDINARY_H) / ORDINARY_H)
        beside_background = len(catalogue.tracks.named) < len(catalogue.tracks)
        self._doubting = doubting and (alike or beside_background)

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
        field = self._look(query, forward, backward, windows)
        rivalry = self._rivalry(field)
        known = np.isin(field.track, list(settled))
        if query.silent:
            return [], rivalry.without(known)
        places = self._refine(query, field, windows)
        rows = _first(np.arange(len(places)), places.track, _CANDIDATES, _CANDIDATES_PER_TRACK)
        lines = places.longest
        same = self._same_sound(query, lines[rows], lines.followed_by(field.longest))
        twins, same = same[:, : len(places)], same[:, len(places) :]
        # What holds the same sound is no rival, and as little what stands near it.
        sources = twins | (rows[:, np.newaxis] == np.arange(len(places)))
        recordings = (self._tracks.recording_of(found.track) for found in (places, field))
        no_rivals = known | sources @ np.equal.outer(*recordings) | same
        same_places = [self._distinct(lines[np.flatnonzero(twin)]) for twin in twins]
        candidates = self._candidates(places[rows], same_places, rivalry, no_rivals)
        candidates.sort(key=lambda candidate: -candidate.score)
        return candidates, rivalry.without(known)

    def _look(self, query: Query, forward: Cells, backward: Cells, windows: Int64) -> _Places:
        """Look at all proposed places and at all decoys, at the speed of the recording."""
        lines = _lines_of(forward, 1.0, query).followed_by(_lines_of(backward, -1.0, query))
        self.reader.prefetch(lines)
        votes = [np.stack([cells.faiss_votes, cells.lsh_votes], axis=1) for cells in (forward, backward)]
        return self._best(query, lines, np.concatenate(votes), windows, _COARSE_OFFSETS, _AS_IS)

    def _refine(self, query: Query, field: _Places, windows: Int64) -> _Places:
        """Look again at the most promising places, at all speeds; most promising first."""
        coarse = np.where(windows <= self._spans.positions(_COARSE_S), field.promise, 0)
        rows = np.argsort(-coarse.max(axis=1, initial=0), kind="stable")
        claimable = field.forward & (field.track < len(self._tracks.named))
        rows = _first(rows[claimable[rows]], field.track, _REFINED, _REFINED_PER_TRACK)
        picked = field.line[rows, coarse[rows].argmax(axis=1)]
        places = self._best(query, field.lines[picked], field.votes[rows], windows, _FINE_OFFSETS, SPEEDS)
        return places[np.argsort(-places.promise.max(axis=1, initial=0), kind="stable")]

    def _best(
        self,
        query: Query,
        lines: Lines,
        votes: Int64,
        windows: Int64,
        offsets: Float32,
        speeds: Float32,
    ) -> _Places:
        """Fan out each line and find the best of its fan for each window."""
        fan = lines.fan(offsets * np.float32(self._spans.scale), speeds)
        means = self.reader.means(query.words, query.audible, fan, windows)
        each = len(offsets) * len(speeds)
        grouped = means.reshape(len(lines), each, len(windows))
        within = (grouped - _strangeness(speeds, len(offsets), windows / self._spans.scale)).argmax(axis=1)
        best = np.take_along_axis(grouped, within[:, np.newaxis], axis=1)[:, 0]
        return _Places(windows, votes, best, within + np.arange(len(lines))[:, np.newaxis] * each, fan)

    def _candidates(
        self,
        places: _Places,
        same: Sequence[Heads],
        rivalry: Rivalry,
        excluded: Bools,
    ) -> list[Candidate]:
        """Score each place over the window in which it stands out most.

        Parameters
        ----------
        places : _Places
        same : sequence of Heads
            Of each place, as in `Candidate`.
        rivalry : Rivalry
        excluded : np.ndarray [shape=(n_places, n_field), dtype=bool]
            What is no rival of each.
        """
        lines, windows = places.lines, places.windows
        mean, deviation = rivalry.spreads(excluded, places.shift != 0)
        scores = (strength(places.best) - mean) / deviation * _evened(windows / self._spans.scale)
        scores -= self._excess + SHIFT_LOSS[lines.shift[places.line]]
        if self._doubting:
            doubtful = (places.best < _SURELY_IT) & (windows < self._spans.positions(_DOUBTED_S))
            scores = np.where(doubtful, np.minimum(_DOUBTED * scores, scores), scores)
        columns = scores.argmax(axis=1)
        return [
            Candidate(
                track=int(lines.track[line := places.line[row, column]]),
                head=float(lines.head[line]),
                speed=float(lines.speed[line]),
                shift=int(lines.shift[line]),
                window_positions=int(windows[column]),
                similarity=float(places.best[row, column]),
                score=float(scores[row, column]),
                faiss_votes=int(places.votes[row, 0]),
                lsh_votes=int(places.votes[row, 1]),
                same=same[row],
                rivals=rivalry.rivals(mean[row], deviation[row]),
            )
            for row, column in enumerate(columns)
        ]

    def _rivalry(self, field: _Places) -> Rivalry:
        """Return the places of the field as rivals: for each recording, one of each direction."""
        unit = self._tracks.recording_of(field.track) * 2 + field.forward
        evidence = field.windows / self._spans.scale
        return Rivalry(field.windows, evidence, field.best, unit, field.shift, field.forward, self._levelled)

    def _same_sound(self, query: Query, lines: Lines, others: Lines) -> Bools:
        """Return which other lines hold the same stretch of sound as each line.

        Returns
        -------
        np.ndarray [shape=(n_lines, n_others), dtype=bool]
        """
        n_frames = min(self._spans.positions(_SAME_SOUND_S), query.positions) * query.stride
        stretches, inside = self.reader.stretch(lines, n_frames)
        each, number = len(lines), np.repeat(np.arange(len(lines)), len(others))
        paired = Lines(
            np.tile(others.track, each), np.tile(others.head, each), np.tile(others.speed, each), number
        )
        agreement = self.reader.mean(stretches, inside, paired).reshape(each, len(others))
        agreement *= n_frames / np.maximum(query.stride, inside.sum(axis=1))[:, np.newaxis]
        same: Bools = agreement > _SAME_SOUND
        elsewhere = lines.track[:, np.newaxis] != others.track
        copies = ~same & (agreement > _WORTH_A_LONGER_LOOK) & elsewhere
        for row in np.flatnonzero(copies.any(axis=1)):
            alike = self.reader.likeness(lines[np.array([row])], others[np.flatnonzero(copies[row])])
            same[row, copies[row]] = alike > SAME_RECORDING
        itself = np.abs(lines.head[:, np.newaxis] - others.head) <= self._one_place
        same &= (others.speed > 0) & (elsewhere | ~itself)
        return same

    def _distinct(self, lines: Lines) -> Heads:
        """Return track and head of lines, without those that were found at several shifts."""
        kept: list[tuple[int, float]] = []
        for track, head in zip(lines.track.tolist(), lines.head.tolist(), strict=True):
            if all(track != other or abs(head - place) > self._one_place for other, place in kept):
                kept.append((track, head))
        return tuple(kept)


def _first(rows: Int64, track: Int64, count: int, per_track: int) -> Int64:
    """Return the first of some rows, and no more than so many of a track."""
    return rows[first_of_each(track[rows], per_track)][:count]


def _lines_of(cells: Cells, direction: float, query: Query) -> Lines:
    """Return the lines that cells propose."""
    speeds = np.full(len(cells), direction, np.float32)
    return Lines(cells.track, cells.head_frames / query.stride, speeds, cells.shift)


def _strangeness(speeds: Float32, n_offsets: int, windows: Float64) -> Float64:
    """Return what a fan's lines must gain over that of speed 1, for each window.

    A line that drifts by less than half a position over its window cannot be told from it at all.
    """
    off = np.tile(np.abs(speeds.astype(np.float64) - 1), n_offsets)[:, np.newaxis]
    return np.where((off > 0) & (off * windows < 0.5), np.inf, _STRANGE_SPEED * off)


def _evened(windows: Float64) -> Float64:
    """Return the factors that make a score mean the same over any window."""
    evened: Float64 = np.minimum(1, _EVEN_TAIL_POSITIONS / windows) ** _TAIL_EXPONENT
    return evened
