"""A candidate and a match of the recording lane: where each is in its track, and what is told of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_match.events import Evidence, Rival
from stream_match.features.chroma import N_CHROMA
from stream_match.index.lines import Lines
from stream_match.index.spans import CodeClock, Spans
from stream_match.index.tracks import GONE, Numbers, Tracks
from stream_match.match import tuning
from stream_match.match.recording.background_scores import BackgroundScores
from stream_match.match.recording.query import shifts_semitones
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.report import Reading
from stream_match.match.tracking.tempo import TempoTrack


@dataclass(frozen=True)
class Candidate:
    """A line through a track, and its score."""

    track: int
    position: float  # of the reference, at the newest query frame
    speed: float  # reference positions per query position
    shift: int  # number in `shifts_semitones`
    window_positions: int  # over which the line stands out most
    correlation: float  # of the codes, mean over it
    score: float  # distance to the mean of the background scores, in their standard deviations
    faiss_votes: int
    lsh_votes: int
    same: tuple[tuple[int, float], ...]  # track and position of the same sound: repeats, copies
    background: BackgroundScores

    @property
    def line(self) -> Lines:
        """The line."""
        return Lines.single(self.track, self.position, self.speed, self.shift)

    @property
    def tracks(self) -> set[int]:
        """Its track, and those that hold the same recording."""
        return {self.track, *(track for track, _ in self.same)}

    @property
    def rank_score(self) -> float:
        """Correlation weighed by its window: chance correlates less over longer ones."""
        return self.correlation * math.sqrt(self.window_positions)

    def moved_to(self, position: float) -> "Candidate":
        """Return the same at another place of its track; a repeat that is there changes places with it.

        Places up to a position apart share a code: they are one.
        """
        same = tuple(
            (track, self.position if track == self.track and abs(place - position) <= 1 else place)
            for track, place in self.same
        )
        return replace(self, position=position, same=same)

    def renumbered(self, numbers: Numbers) -> "Candidate | None":
        """Return the same under the numbers of another snapshot; None if it does not have the track."""
        if numbers[self.track] == GONE:
            return None
        same = tuple((int(numbers[track]), place) for track, place in self.same if numbers[track] != GONE)
        return replace(self, track=int(numbers[self.track]), same=same)


@dataclass(frozen=True, kw_only=True)
class RecordingMatch:
    """A match that the recording lane follows, or has followed."""

    match_id: str
    best: Candidate  # as it scored best
    position: float  # its line at `now`
    speed: float
    shift: int
    now: float  # position of the last look
    began: float  # position of the first code that agreed
    here_since: float  # and of the first at this place of its track
    place_again: float  # position at which it is to be looked for in all of its track
    presence: Presence
    tempo: TempoTrack
    level: float  # correlation, beside what else sounds
    correlation: float  # as last seen
    coverage: float  # share of agreeing frames
    runner_up: Candidate | None  # the best other one when it started
    told: Reading | None = None  # last
    steady: bool = False  # whether its newest audio agreed about as well as all of it did

    def position_at(self, now: float) -> float:
        """Return where its line is at another moment, or would be, had it gone on."""
        return self.position + self.speed * (now - self.now)

    def line_at(self, now: float) -> Lines:
        """Return its line at another moment."""
        return Lines.single(self.best.track, self.position_at(now), self.speed, self.shift)

    @property
    def semitones(self) -> float:
        """How much higher than its reference it sounds; of a turntable, the speed is the finer measure."""
        shift, by_speed = shifts_semitones()[self.shift], N_CHROMA * math.log2(self.speed)
        turned = shift != 0 and abs(by_speed - shift) <= tuning.SHIFT_STEP_SEMITONES / 2
        return by_speed if turned else shift

    def at(self, position: float, line: Lines) -> "RecordingMatch":
        """Return it at another place in its track than on its line."""
        best = self.best.moved_to(self.best.position + position - float(line.head[0]))
        return replace(self, best=best, position=position)

    def moved(self, candidate: Candidate, now: float, spans: Spans) -> "RecordingMatch":
        """Return it on the line of a candidate, to be looked for in all of its track again soon."""
        copies = tuple((track, head) for track, head in self.best.same if track != candidate.track)
        repeats = tuple((track, head) for track, head in candidate.same if track == candidate.track)
        return replace(
            self,
            best=replace(self.best, position=candidate.position, same=copies + repeats),
            position=candidate.position,
            speed=candidate.speed,
            shift=candidate.shift,
            now=now,
            here_since=now - candidate.window_positions,
            place_again=now + spans.positions(tuning.NEWEST_S),
            tempo=self.tempo.from_here(),
        )

    def renumbered(self, numbers: Numbers) -> "RecordingMatch | None":
        """Return it under the numbers of another snapshot; None if that does not have its track."""
        best = self.best.renumbered(numbers)
        runner_up = self.runner_up and self.runner_up.renumbered(numbers)
        return None if best is None else replace(self, best=best, runner_up=runner_up)

    def reading(self, tracks: Tracks, clock: CodeClock) -> Reading:
        """Return what is known of it."""
        last = max(0, int(tracks.length[self.best.track]) - 1)
        return Reading(
            stream_s=clock.stream_s(self.now),
            reference_s=self._place_s(self.position, clock),
            ended_s=self.presence.ended_s(clock.span_s),
            speed=self.speed,
            semitones=self.semitones,
            score=self.best.score,
            track=tracks[self.best.track],
            evidence=self._evidence(tracks, clock),
            latest_s=clock.reference_s(last) if self.presence.missing else math.inf,
        )

    def _place_s(self, position: float, clock: CodeClock) -> float:
        """Return the time in the track that sounds now: the middles of codes meet, not their ends."""
        return clock.reference_s(position) + (self.speed - 1) * clock.span_s / 2

    def _evidence(self, tracks: Tracks, clock: CodeClock) -> Evidence:
        best, rival = self.best, self.runner_up
        others = sorted(best.tracks - {best.track})
        return Evidence(
            faiss_votes=best.faiss_votes,
            lsh_votes=best.lsh_votes,
            similarity=np.clip(self.correlation, -1, 1),
            coverage=self.coverage,
            runner_up=Rival(track=tracks[rival.track], score=rival.score) if rival else None,
            same_recording=tuple(tracks[track] for track in others),
            repeats_s=self._repeats_s(int(tracks.length[best.track]), clock),
        )

    def _repeats_s(self, length: int, clock: CodeClock) -> tuple[float, ...]:
        """Return the repeats of the place that sounds now: they have gone on as it has."""
        best = self.best
        heads = [head + self.position - best.position for track, head in best.same if track == best.track]
        others = (head for head in heads if 0 <= head < length and abs(head - self.position) > 1)
        return tuple(sorted(self._place_s(head, clock) for head in others))


Candidates = Sequence[Candidate]
Matches = Sequence[RecordingMatch]
