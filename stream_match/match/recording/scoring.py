"""Scores of the proposed places: how far the best line of each is above the background scores.

A correlation as such separates badly: loops, drones and sparse music correlate with much. The background
scores come from the same votes, so that they were searched for as hard as the candidate.
"""

from collections.abc import Sequence

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.port import Bools, CataloguePort, Float32, Float64
from stream_match.index.spans import STANDARD
from stream_match.match import tuning
from stream_match.match.recording import verification
from stream_match.match.recording.background_scores import (
    BackgroundPlaces,
    BackgroundScores,
    decades,
    fisher_z,
)
from stream_match.match.recording.query import Query, medium_window_s, shifts_semitones
from stream_match.match.recording.recording_match import Candidate
from stream_match.match.recording.verification import Places
from stream_match.match.recording.votes import OffsetBins

Repeats = tuple[tuple[int, float], ...]


def shift_loss() -> Float64:
    """Return the score that a line loses at each of `shifts_semitones`."""
    return tuning.SHIFT_LOSS * np.array([max(1.0, abs(up)) if up else 0.0 for up in shifts_semitones()])


class Scorer:
    """Scores proposed places; where tracks are alike or few, low correlations are doubted if `doubting`."""

    def __init__(self, catalogue: CataloguePort, *, doubting: bool = True) -> None:
        self.reader = catalogue.lines
        self._tracks = catalogue.tracks
        self._spans = self.reader.spans
        self._one_place = STANDARD.positions(tuning.ONE_PLACE_S) * self._spans.scale
        self._score_bias = catalogue.score_bias
        hours = float(self._tracks.length.sum()) * catalogue.settings.code_s / 3600
        self._decades = decades(hours)
        alike = catalogue.score_bias > tuning.BIAS_PER_DECADE * self._decades
        beside_background = len(catalogue.tracks.named) < len(catalogue.tracks)
        self._doubting = doubting and (alike or beside_background)

    def rank(
        self, query: Query, forward: OffsetBins, backward: OffsetBins, settled: set[int]
    ) -> list[Candidate]:
        """Score the proposed places against each other and against the decoys; best first.

        Tracks that are settled, as they are known to sound already, give no background scores.
        """
        if query.silent:
            return []
        field = verification.compare(self.reader, query, forward, backward)
        claimable = (field.shortest.speed > 0) & (field.shortest.track < len(self._tracks.named))
        places = verification.refine(self.reader, query, field, claimable)
        lines, per_track = places.longest, tuning.CANDIDATES_PER_TRACK
        track = places.shortest.track
        rows = verification.first(np.arange(len(places)), track, tuning.CANDIDATES, per_track)
        same = self._same_sound(query, lines[rows], lines.followed_by(field.longest))
        twins, same = same[:, : len(places)], same[:, len(places) :]
        # Places of the same sound give no background scores, nor do places near them.
        sources = twins | (rows[:, np.newaxis] == np.arange(len(places)))
        recordings = (self._tracks.recording_of(each) for each in (track, field.shortest.track))
        known = np.isin(field.shortest.track, list(settled))
        excluded = known | sources @ np.equal.outer(*recordings) | same
        same_places = [self._distinct(lines[np.flatnonzero(twin)]) for twin in twins]
        background = self._background(field).spreads(excluded, places[rows].shortest.shift != 0)
        candidates = self._candidates(places[rows], same_places, *background)
        return sorted(candidates, key=lambda candidate: -candidate.score)

    def _background(self, field: Places) -> BackgroundPlaces:
        """Return the field as background: each recording is an independent group in each direction."""
        lines, evidence = field.shortest, field.windows / self._spans.scale
        forward = lines.speed > 0
        group = self._tracks.recording_of(lines.track) * 2 + forward
        return BackgroundPlaces(evidence, field.best, group, lines.shift, forward, self._decades)

    def _candidates(
        self, places: Places, same: Sequence[Repeats], mean: Float32, deviation: Float32
    ) -> list[Candidate]:
        """Score each place over the window in which it stands out most."""
        lines, windows = places.lines, places.windows
        medium = STANDARD.positions(medium_window_s()) * self._spans.scale
        evened = np.minimum(1, medium / windows) ** tuning.TAIL_EXPONENT
        scores = (fisher_z(places.best) - mean) / deviation * evened
        scores -= self._score_bias + shift_loss()[lines.shift[places.line]]
        if self._doubting:
            short = windows < self._spans.positions(2 * medium_window_s())
            doubtful = (places.best < tuning.SURE) & short
            scores = np.where(doubtful, np.minimum(tuning.DOUBTED * scores, scores), scores)
        columns = scores.argmax(axis=1)
        return [
            Candidate(
                track=int(lines.track[line := places.line[row, column]]),
                position=float(lines.head[line]),
                speed=float(lines.speed[line]),
                shift=int(lines.shift[line]),
                window_positions=int(windows[column]),
                correlation=float(places.best[row, column]),
                score=float(scores[row, column]),
                faiss_votes=int(places.votes[row, 0]),
                lsh_votes=int(places.votes[row, 1]),
                same=same[row],
                background=BackgroundScores(windows, mean[row], deviation[row]),
            )
            for row, column in enumerate(columns)
        ]

    def _same_sound(self, query: Query, lines: Lines, others: Lines) -> Bools:
        """Return which other lines hold the same stretch of sound [shape=(n_lines, n_others), dtype=bool]."""
        n_frames = min(self._spans.positions(medium_window_s()), query.positions) * query.stride
        stretches, inside = self.reader.stretch(lines, n_frames)
        each, number = len(lines), np.repeat(np.arange(len(lines)), len(others))
        paired = Lines(
            np.tile(others.track, each), np.tile(others.head, each), np.tile(others.speed, each), number
        )
        correlation = self.reader.mean(stretches, inside, paired).reshape(each, len(others))
        correlation *= n_frames / np.maximum(query.stride, inside.sum(axis=1))[:, np.newaxis]
        same: Bools = correlation > tuning.SAME_SOUND
        elsewhere = lines.track[:, np.newaxis] != others.track
        copies = ~same & (correlation > tuning.SAME_SOUND / 2) & elsewhere
        for row in np.flatnonzero(copies.any(axis=1)):
            alike = self.reader.likeness(lines[np.array([row])], others[np.flatnonzero(copies[row])])
            same[row, copies[row]] = alike > tuning.SAME_RECORDING
        itself = np.abs(lines.head[:, np.newaxis] - others.head) <= self._one_place
        same &= (others.speed > 0) & (elsewhere | ~itself)
        return same

    def _distinct(self, lines: Lines) -> Repeats:
        """Return track and position of lines, each place once, at however many shifts it was found."""
        kept: list[tuple[int, float]] = []
        for track, position in zip(lines.track.tolist(), lines.head.tolist(), strict=True):
            if all(track != other or abs(position - place) > self._one_place for other, place in kept):
                kept.append((track, position))
        return tuple(kept)
