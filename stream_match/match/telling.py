"""A match put into words: positions become seconds, numbers become evidence."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream_match.events import Evidence, MatchFacts, Rival
from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort
from stream_match.match.recording.candidate import TOLD_TWICE, Candidate
from stream_match.match.recording.query import shifts_semitones
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.trail import Trail

Kind = Literal["recording", "version"]

SILENT_AT_END = 0.5
"""Share of its span that the last code to agree with a line has heard after the match: the median of an hour
of broadcast with truth."""


_AS_TURNED_SEMITONES = 0.3
"""Shifts are half a semitone apart: one that is no farther from what the speed makes of it is due to it."""


@dataclass(frozen=True)
class Clock:
    """Turns positions into seconds.

    Parameters
    ----------
    code_s : float
        Seconds per position.
    span_s : float
        Seconds of audio that a code spans.
    first_span_s : float
        Seconds of audio that the code at position 0 of the stream has heard.
    begin_s : float
        Stream time at which that audio began.
    """

    code_s: float
    span_s: float
    first_span_s: float
    begin_s: float

    def stream_s(self, position: float) -> float:
        """Return the stream time up to which the code at a position has heard."""
        return self.begin_s + self.first_span_s + position * self.code_s

    def reference_s(self, position: float) -> float:
        """Return the time in a track up to which the code at a position has heard."""
        return position * self.code_s + self.span_s


@dataclass(frozen=True)
class Match:
    """A match that is going on.

    Parameters
    ----------
    match_id : str
    best : Candidate
        As it scored best.
    head, speed : float
    shift : int
        Its line at `now`.
    now : float
        Moment of the last look.
    began : float
        Moment of the first code that agreed.
    here_since : float
        Moment since which it has been heard at this place of its track.
    place_again : float
        Moment at which it is to be looked for in all of its track.
    heard : float
        Moment at which it was last heard.
    started_s : float
    told_kind : {"recording", "version"}
        Kind, as last told.
    told_s : float
        Stream time of the last event.
    told_offset_s : float
        Reference time less stream time, as last told.
    trail : Trail
    similarity, coverage : float
        As last seen.
    runner_up : Candidate or None
        The best other one when it started.
    steady : bool
        Whether its newest stretch agreed, when last seen, about as well as all of it did.
    """

    match_id: str
    best: Candidate
    head: float
    speed: float
    shift: int
    now: float
    began: float
    here_since: float
    place_again: float
    heard: float
    started_s: float
    told_kind: Kind
    told_s: float
    told_offset_s: float
    trail: Trail
    similarity: float
    coverage: float
    runner_up: Candidate | None
    steady: bool = False

    @property
    def kind(self) -> Kind:
        """What it is, as far as the line tells."""
        return "version" if self.trail.bent else "recording"

    def line_at(self, now: float) -> Lines:
        """Return its line at another moment, at which it is expected to have gone on."""
        head = self.head + self.speed * (now - self.now)
        return Lines.single(self.best.track, head, self.speed, self.shift)

    def semitones(self) -> float:
        """Return how much higher than its reference it sounds.

        Shifts are tried in steps; where speed and shift are those of a turntable, the speed is the finer
        measure.
        """
        shift, by_speed = shifts_semitones()[self.shift], 12 * math.log2(self.speed)
        turned = shift != 0 and abs(by_speed - shift) <= _AS_TURNED_SEMITONES
        return by_speed if turned else shift

    def settled_tracks(self) -> set[int]:
        """Return the tracks that this match explains: its own, and the same recording elsewhere."""
        return {self.best.track, *(track for track, _ in self.best.same)}


class Teller:
    """Says what is known of a match.

    Parameters
    ----------
    catalogue : CataloguePort
    """

    def __init__(self, catalogue: CataloguePort) -> None:
        self._tracks = catalogue.tracks

    def reference_s(self, match: Match, clock: Clock) -> float:
        """Return the place on the line of a match that would sound now; it may lie behind the track's end.

        Codes of what is heard and of the reference fit where their middles meet: at another speed, their
        ends do not.
        """
        return self._place_s(match, match.head, clock)

    def _place_s(self, match: Match, head: float, clock: Clock) -> float:
        ends_apart_s = (match.speed - 1) * clock.span_s / 2
        return clock.reference_s(head) + ends_apart_s

    def ended_s(self, match: Match, clock: Clock) -> float:
        """Return the stream time up to which a match is told to have sounded, should it be over."""
        lost = match.heard < match.now
        ended_s = clock.stream_s(match.heard) - (SILENT_AT_END * clock.span_s if lost else 0.0)
        return max(ended_s, match.started_s)

    def tell(self, match: Match, phase: Literal["started", "updated", "ended"], clock: Clock) -> MatchFacts:
        """Put a match into words; the place that is told is one of its track."""
        best = match.best
        reference_s = self.reference_s(match, clock)
        if match.heard < match.now:  # and its line may have left the track
            reference_s = min(
                reference_s, clock.reference_s(max(0, int(self._tracks.length[best.track]) - 1))
            )
        return MatchFacts(
            phase=phase,
            match_id=match.match_id,
            stream_s=clock.stream_s(match.now),
            started_s=match.started_s,
            ended_s=self.ended_s(match, clock) if phase == "ended" else None,
            track=self._tracks[best.track],
            kind=match.kind,
            reference_s=reference_s,
            speed=match.speed,
            semitones=match.semitones(),
            score=best.score,
            confidence=Calibration.recordings().confidence(best.score),
            false_alarms_per_hour=Calibration.recordings().false_alarms_per_hour(best.score),
            evidence=self._evidence(match, clock),
        )

    def _evidence(self, match: Match, clock: Clock) -> Evidence:
        """Say why the match is claimed."""
        tracks, best = self._tracks, match.best
        rival = match.runner_up
        others = sorted({track for track, _ in best.same} - {best.track})
        return Evidence(
            faiss_votes=best.faiss_votes,
            lsh_votes=best.lsh_votes,
            similarity=np.clip(match.similarity, -1, 1),
            coverage=match.coverage,
            runner_up=Rival(track=tracks[rival.track], score=rival.score) if rival else None,
            same_recording=tuple(tracks[track] for track in others),
            repeats_s=self._repeats_s(match, clock),
        )

    def _repeats_s(self, match: Match, clock: Clock) -> tuple[float, ...]:
        """Return the repeats of the place that sounds now: they have gone on as it has."""
        best = match.best
        length = int(self._tracks.length[best.track])
        heads = [head + match.head - best.position for track, head in best.same if track == best.track]
        others = (head for head in heads if 0 <= head < length and abs(head - match.head) > TOLD_TWICE)
        return tuple(sorted(self._place_s(match, head, clock) for head in others))
