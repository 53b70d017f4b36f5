"""Whether a candidate of the recording lane may be claimed, and if not, why."""

import math
from dataclasses import replace

import numpy as np

from stream_match.index.port import CataloguePort, ReaderPort
from stream_match.index.spans import Spans
from stream_match.match import tuning
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.recording_match import Candidate, Matches, RecordingMatch
from stream_match.match.recording.scoring import shift_loss
from stream_match.match.recording.verification import offsets
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.explained import own_correlation
from stream_match.match.tracking.trace import Rejection


class ClaimCheck:
    """Looks for what speaks against claiming a candidate; its score must reach a threshold."""

    def __init__(self, catalogue: CataloguePort, threshold: float, arbiter: Arbiter) -> None:
        self._reader = catalogue.lines
        self._spans = self._reader.spans
        self._tracks = catalogue.tracks
        self._threshold = threshold
        self._score_bias = catalogue.score_bias
        self._arbiter = arbiter

    def claim_from(self, threshold: float) -> None:
        """Ask for another score from now on."""
        self._threshold = threshold

    def rejection(
        self, query: Query, candidate: Candidate, going: Matches, ended: Matches = ()
    ) -> Rejection | None:
        """Return why a candidate is not to be claimed; what is cheap to find out comes first."""
        if candidate.score < self._threshold:
            return "score"
        if reads_both_ways(self._reader, query, candidate):
            return "both ways"
        if any(candidate.track in match.best.tracks for match in going):
            return "known"
        track_id = self._tracks[candidate.track].id
        if self._arbiter.is_version(track_id) and not is_no_performance(candidate, self._spans):
            return "version"
        if any(self._is_explained(query, candidate, match) for match in going):
            return "explained"
        if self._was_told(query, candidate, ended) or not self.sounds(query, candidate):
            return "past"
        return None

    def rejection_here(self, query: Query, placed: Candidate, ended: Matches) -> Rejection | None:
        """Return why a candidate is not to be claimed at the place in its track where it agrees best."""
        if self._was_told(query, placed, ended):
            return "past"
        return "elsewhere" if self.fits_elsewhere(query, placed) else None

    def sounds(self, query: Query, candidate: Candidate) -> bool:
        """Return whether the newest audio agrees too, not only what went before it."""
        newest = query.newest(self._spans.positions(tuning.NEWEST_S))
        correlation = self._reader.mean(newest.words, newest.audible, candidate.line)
        chance = candidate.background.level(tuning.SOUNDING_SCORE, newest.positions)
        lately = query.newest(self._spans.positions(medium_window_s())).audible
        if 2 * np.count_nonzero(lately) < len(lately):
            # The background scores were found by what sounded before the silence.
            least = tuning.BACKGROUND_MEAN / math.sqrt(self._spans.evidence(newest.positions))
            chance = max(chance, least)
        return float(correlation[0]) > chance

    def fits_elsewhere(self, query: Query, candidate: Candidate) -> bool:
        """Return whether other places of its track, which sound different, agree nearly as well.

        What was heard is the place claimed, and something else. With another place it has in common what the
        two places have. If it has more, it is made of what the track is made of: a loop, an instrument.
        """
        newest, line = query.newest(candidate.window_positions), candidate.line
        heads = self._reader.ridges(newest.words, newest.audible, line)
        far = np.abs(heads - candidate.position) > self._spans.positions(2 * tuning.ONE_PLACE_S)
        elsewhere = line.at(heads[far])
        if len(elsewhere) == 0:
            return False
        stretch, inside = self._reader.stretch(line, len(newest.audible))
        alike = self._reader.peak(stretch, inside[0], elsewhere.unshifted())
        here = self._reader.peak(newest.words, newest.audible, line)
        there = self._reader.peak(newest.words, newest.audible, elsewhere)
        own = candidate.background.difference(own_correlation(there, here, alike), 0.0, newest.positions)
        nearly = there > candidate.background.level(tuning.NEARLY * candidate.score, newest.positions)
        return bool((nearly & (alike < tuning.REPEAT) & (own > tuning.ELSEWHERE * candidate.score)).any())

    def goes_on(self, position: float, candidate: Candidate) -> bool:
        """Return whether a candidate lies on a line that would be at a position now."""
        return abs(candidate.position - position) <= self._spans.positions(2 * tuning.ONE_PLACE_S)

    def score_since(self, moment: float, query: Query, candidate: Candidate) -> float:
        """Return what a candidate scores over what was heard since a position of the stream."""
        newest = query.newest(int(query.now - moment))
        if newest.positions >= candidate.window_positions:
            return candidate.score
        if newest.positions == 0:
            return -math.inf
        correlation = float(self._reader.mean(newest.words, newest.audible, candidate.line)[0])
        lost = self._score_bias + float(shift_loss()[candidate.shift])
        return candidate.background.score(correlation, newest.positions) - lost

    def _is_explained(self, query: Query, candidate: Candidate, match: RecordingMatch) -> bool:
        """Return whether a match that goes on explains so much that the rest would not be claimed."""
        line = match.line_at(query.now)
        if self._reader.likeness(candidate.line, line.unshifted())[0] > tuning.SAME_RECORDING:
            return True
        newest = query.newest(candidate.window_positions)
        stretch, inside = self._reader.stretch(candidate.line, len(newest.audible))
        alike = self._reader.mean(stretch, inside, line.unshifted())[0]
        known = self._reader.mean(newest.words, newest.audible, line)[0]
        own = own_correlation(candidate.correlation, known, alike)
        explained = candidate.background.difference(candidate.correlation, own, newest.positions)
        return bool(candidate.score - max(0.0, float(explained)) < self._threshold)

    def _was_told(self, query: Query, candidate: Candidate, ended: Matches) -> bool:
        """Return whether a candidate is what has ended, claimed on what was heard before it ended."""
        return any(
            candidate.track in match.best.tracks
            and (candidate.track != match.best.track or self.goes_on(match.position_at(query.now), candidate))
            and self.score_since(match.now, query, candidate) < self._threshold
            for match in ended
        )


def reads_both_ways(reader: ReaderPort, query: Query, candidate: Candidate) -> bool:
    """Return whether it hardly matters which way the reference of a candidate runs, as with a steady tone.

    A chord that beats is periodic: backwards it agrees as well, if not at the same place.
    """
    newest, line = query.newest(candidate.window_positions), candidate.line
    tail = line.head - line.speed * (newest.positions - 1)
    about = offsets(2 * tuning.ONE_PLACE_S, tuning.OFFSET_STEP_S) * np.float32(reader.spans.scale)
    lines = replace(line, head=tail, speed=-line.speed).fan(about, np.ones(1, np.float32))
    backward = float(reader.mean(newest.words, newest.audible, lines).max())
    soon = newest.positions < reader.spans.positions(2 * tuning.SHORTEST_WINDOW_S)
    left = 1 - (tuning.LOST_WHILE_HELD if soon else tuning.LOST)
    judged = soon or candidate.correlation > tuning.HELD_CORRELATION
    if judged and backward > left * candidate.correlation:
        return True
    directed = candidate.background.difference(candidate.correlation, backward, newest.positions)
    return bool(directed < tuning.DIRECTED_SCORE)


def is_no_performance(candidate: Candidate, spans: Spans) -> bool:
    """Return whether a candidate agrees as only the recording itself does."""
    long_enough = candidate.window_positions >= spans.positions(medium_window_s())
    return long_enough and candidate.correlation > tuning.NO_PERFORMANCE
