"""Why a candidate is not claimed, although it is the best there is."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort, ReaderPort
from stream_match.index.spans import Spans
from stream_match.match import tuning
from stream_match.match.look import Objection
from stream_match.match.recording.candidate import Candidate
from stream_match.match.recording.query import Query
from stream_match.match.recording.scoring import shift_loss
from stream_match.match.telling import Match

Float32 = npt.NDArray[np.float32]

NEWEST_S = 1.5
"""What sounds now is judged by so much of it."""

SOUNDING_SCORE = 2.5
"""How far above the rivals it is then."""

_AFTER_SILENCE = 0.5
_AFTER_SILENCE_S = 4.5
"""What begins within 4.5 s that were mostly silent must agree over the newest `n` positions by 0.5 / sqrt(n),
which chance gives once enough was heard: the rivals, found by what sounded before the silence, agree with
nothing."""

_LEAST_DIRECTED = 4.0
"""How far a line must stand above the same line read backwards, in deviations of the rivals. Steady tones
stand above it by 0; of true lines, measured on 8 hours of broadcast, those of drones by 2 to 10, 99 % by more
than 8. Chords whose partials beat stand anywhere, by 0 to 59."""

_HELD_S = 2.2
_LEAST_LOST = 0.45
"""A chord agrees with another that is held as long, whatever it is part of: over less than 2.2 s, a line must
lose such a share of its agreement when it is read backwards."""

_AGREES_AS_HELD = 0.5
_LEAST_LOST_OF_HELD = 0.35
"""Over more, what agrees by so much must lose this share: a chord whose partials beat loses a third, while in
an hour of broadcast one true line in a hundred loses less than half."""

_BACKWARD_OFFSETS = np.arange(-4, 4.25, 0.25, dtype=np.float32)

_NEARLY = 0.7
_ELSEWHERE = 0.5
_REPEAT = 0.38
"""Another place of the track speaks against a claim if it has 0.7 of its score, half of it more than its
likeness with the place claimed explains, and is no repeat of that, which reaches a likeness of 0.42. Of 408
true beginnings in 8 hours of broadcast 2 have such a place, in their first second or two; of 65 false ones in
unknown music 27, of 10 that would be claimed at the default 2."""

_NO_PERFORMANCE = 0.75
_NO_PERFORMANCE_S = 4.5
"""Who plays what is in the catalogue, on its own instruments, agrees with it by less than this over 4.5 s."""

_SAME_LINE = 4.0
"""What is no farther from the line of a match that has ended, 0.74 s or four positions by default, is that
match going on."""


class Objections:
    """Looks for what speaks against claiming a candidate.

    Parameters
    ----------
    catalogue : CataloguePort
    threshold : float
        Score from which a match is claimed.
    """

    def __init__(self, catalogue: CataloguePort, threshold: float) -> None:
        self._reader = catalogue.lines
        self._spans = self._reader.spans
        self._threshold = threshold
        self._excess = catalogue.score_bias

    def objection(
        self,
        query: Query,
        candidate: Candidate,
        going: Sequence[Match],
        ended: Sequence[Match],
        performed: int | None,
    ) -> Objection | None:
        """Return why a candidate is not to be claimed; what is cheap to find out comes first.

        Parameters
        ----------
        query : Query
        candidate : Candidate
        going, ended : sequence of Match
            Those that go on, and those that ended lately.
        performed : int or None
            Number of the track that the version lane hears.
        """
        if candidate.score < self._threshold:
            return "score"
        if reads_both_ways(self._reader, query, candidate):
            return "both ways"
        if any(candidate.track in match.settled_tracks() for match in going):
            return "known"
        if candidate.track == performed and not is_no_performance(candidate, self._spans):
            return "version"
        room = self._leaves_room(query, candidate, going)
        if not room or self._surplus(query, candidate, going) < self._threshold:
            return "explained"
        if self.told_before(query, candidate, ended) or not self.sounds(query, candidate):
            return "past"
        return None

    def objection_here(self, query: Query, placed: Candidate, ended: Sequence[Match]) -> Objection | None:
        """Return why a candidate is not to be claimed at the place in its track where it agrees best."""
        if self.told_before(query, placed, ended):
            return "past"
        return "elsewhere" if self.fits_elsewhere(query, placed) else None

    def is_claimable(self, query: Query, candidate: Candidate) -> bool:
        """Return whether a candidate could be claimed if nothing else was known."""
        if candidate.score < self._threshold or reads_both_ways(self._reader, query, candidate):
            return False
        return self.sounds(query, candidate)

    def fits_elsewhere(self, query: Query, candidate: Candidate) -> bool:
        """Return whether a track agrees nearly as well at other places, which hardly resemble this one.

        What was heard is that place and something else; with another place it has in common what these two
        have. If it has more, it is made of what is common to the track: a loop, an instrument, a chord.
        """
        newest = query.newest(candidate.window_positions)
        heads = self._reader.ridges(newest.words, newest.audible, candidate.line)
        elsewhere = candidate.line.at(
            heads[np.abs(heads - candidate.position) > _SAME_LINE * self._spans.scale]
        )
        if len(elsewhere) == 0:
            return False
        stretch, inside = self._reader.stretch(candidate.line, newest.positions * newest.stride)
        alike = self._reader.peak(stretch, inside[0], elsewhere.unshifted())
        here = self._reader.peak(newest.words, newest.audible, candidate.line)
        there = self._reader.peak(newest.words, newest.audible, elsewhere)
        explained = _agreement(_correlation(here) * _correlation(alike))
        surplus = candidate.background.difference(there, explained, newest.positions)
        nearly = there > candidate.background.level(_NEARLY * candidate.score, newest.positions)
        return bool((nearly & (alike < _REPEAT) & (surplus > _ELSEWHERE * candidate.score)).any())

    def told_before(self, query: Query, candidate: Candidate, ended: Sequence[Match]) -> bool:
        """Return whether a candidate is what has ended, claimed on what was heard before it ended."""
        return any(
            candidate.track in match.settled_tracks()
            and (candidate.track != match.best.track or goes_on(match, candidate, query))
            and self._score_since(match.now, query, candidate) < self._threshold
            for match in ended
        )

    def _score_since(self, moment: float, query: Query, candidate: Candidate) -> float:
        """Return what a candidate scores over what was heard since a moment."""
        newest = query.newest(int(query.now - moment))
        if newest.positions >= candidate.window_positions:
            return candidate.score
        if newest.positions == 0:
            return -math.inf
        similarity = float(self._reader.mean(newest.words, newest.audible, candidate.line)[0])
        lost = self._excess + float(shift_loss()[candidate.shift])
        return candidate.background.score(similarity, newest.positions) - lost

    def _leaves_room(self, query: Query, candidate: Candidate, going: Sequence[Match]) -> bool:
        """Return whether what sounds can be a mixture of a candidate and any match that goes on.

        Agreement of signs is a correlation (of its sine), and the squares of the correlations with two sounds
        that are mixed sum up to no more than 1, if these have nothing in common. Measured on broadcasts: up
        to 0.9 where one recording follows another or is faded into it, over 1.05 where a match shares
        material with another track.
        """
        newest = query.newest(candidate.window_positions)
        share = self._share(newest, candidate.line)
        return all(share + self._share(newest, match.line_at(query.now)) <= 1 for match in going)

    def _share(self, query: Query, line: Lines) -> float:
        """Return the mean share of what was heard that a line explains."""
        similarity = self._reader.similarity(query.words, query.audible, line)
        return float((np.sin(np.pi / 2 * similarity) ** 2).mean())

    def _surplus(self, query: Query, candidate: Candidate, going: Sequence[Match]) -> float:
        """Return what is left of the score beside what going matches explain.

        References that resemble each other at the places heard let one match pass for two.
        """
        n_frames = candidate.window_positions * query.stride
        stretch, inside = self._reader.stretch(candidate.line, n_frames)
        explained = 0.0
        for match in going:
            line = match.line_at(match.now).unshifted()
            if self._reader.likeness(candidate.line, line)[0] > tuning.SAME_RECORDING:
                return 0.0
            alike = float(self._reader.mean(stretch, inside, line)[0])
            explained = max(explained, alike * match.similarity)
        return candidate.score * (1 - explained / candidate.correlation)

    def sounds(self, query: Query, candidate: Candidate) -> bool:
        """Return whether the newest audio agrees too, not only what went before it."""
        newest = query.newest(self._spans.positions(NEWEST_S))
        similarity = self._reader.mean(newest.words, newest.audible, candidate.line)
        chance = candidate.background.level(SOUNDING_SCORE, newest.positions)
        if query.newest(self._spans.positions(_AFTER_SILENCE_S)).audible.mean() < 0.5:
            chance = max(chance, _AFTER_SILENCE / math.sqrt(self._spans.evidence(newest.positions)))
        return float(similarity[0]) > chance


def _correlation(agreement: Float32) -> Float32:
    """Return the correlation of two vectors of whose signs so many agree.

    References
    ----------
    Charikar, M. S. (2002), Similarity estimation techniques from rounding algorithms.
    """
    correlation: Float32 = np.sin(np.pi / 2 * np.clip(agreement, 0, 1)).astype(np.float32)
    return correlation


def _agreement(correlation: Float32) -> Float32:
    """Return the agreement of the signs of two vectors, the inverse of `_correlation`."""
    agreement: Float32 = (2 / np.pi * np.arcsin(correlation)).astype(np.float32)
    return agreement


def reads_both_ways(reader: ReaderPort, query: Query, candidate: Candidate) -> bool:
    """Return whether it hardly matters which way the reference of a candidate runs, as with a steady tone.

    A chord that beats is periodic: backwards it agrees as well, if not at the same place.
    """
    newest, line = query.newest(candidate.window_positions), candidate.line
    tail = line.head - line.speed * (newest.positions - 1)
    offsets = _BACKWARD_OFFSETS * np.float32(reader.spans.scale)
    lines = replace(line, head=tail, speed=-line.speed).fan(offsets, np.ones(1, np.float32))
    backward = float(reader.mean(newest.words, newest.audible, lines).max())
    soon = newest.positions < reader.spans.positions(_HELD_S)
    left = 1 - (_LEAST_LOST if soon else _LEAST_LOST_OF_HELD)
    if (soon or candidate.correlation > _AGREES_AS_HELD) and backward > left * candidate.correlation:
        return True
    directed = candidate.background.difference(candidate.correlation, backward, newest.positions)
    return bool(directed < _LEAST_DIRECTED)


def is_no_performance(candidate: Candidate, spans: Spans) -> bool:
    """Return whether a candidate agrees as only the recording itself does."""
    long_enough = candidate.window_positions >= spans.positions(_NO_PERFORMANCE_S)
    return long_enough and candidate.correlation > _NO_PERFORMANCE


def goes_on(match: Match, candidate: Candidate, query: Query) -> bool:
    """Return whether a candidate lies on the line of a match of its track."""
    return bool(abs(candidate.position - match.line_at(query.now).head[0]) <= _SAME_LINE * query.spans.scale)
