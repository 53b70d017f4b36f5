"""A match of the recording lane: where it is in its track, and what is told of it."""

import math
from dataclasses import dataclass, replace

import numpy as np

from stream_match.events import Evidence, Rival
from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort
from stream_match.index.spans import Spans
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.recording.candidate import TOLD_TWICE, Candidate
from stream_match.match.recording.query import shifts_semitones
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.report import Reading, Told
from stream_match.match.tracking.tempo import TempoTrack


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


@dataclass(frozen=True, kw_only=True)
class RecordingMatch:
    """A match that the recording lane follows.

    Parameters
    ----------
    match_id : str
    best : Candidate
        As it scored best.
    position, speed : float
    shift : int
        Its line at `now`.
    now : float
        Position of the last look.
    began, here_since : float
        Position of the first code that agreed, and of the first at this place of its track.
    place_again : float
        Position at which it is to be looked for in all of its track.
    presence : Presence
    tempo : TempoTrack
    level : float
        Correlation, beside what else sounds.
    correlation, coverage : float
        Correlation and share of agreeing frames, as last seen.
    runner_up : Candidate or None
        The best other one when it started.
    told : Told
    steady : bool
        Whether its newest audio agreed, when last seen, about as well as all of it did.
    """

    match_id: str
    best: Candidate
    position: float
    speed: float
    shift: int
    now: float
    began: float
    here_since: float
    place_again: float
    presence: Presence
    tempo: TempoTrack
    level: float
    correlation: float
    coverage: float
    runner_up: Candidate | None
    told: Told
    steady: bool = False

    def line_at(self, now: float) -> Lines:
        """Return its line at another moment, at which it is expected to have gone on."""
        position = self.position + self.speed * (now - self.now)
        return Lines.single(self.best.track, position, self.speed, self.shift)

    @property
    def tracks(self) -> set[int]:
        """The tracks that it explains: its own, and the same recording elsewhere."""
        return {self.best.track, *(track for track, _ in self.best.same)}

    @property
    def semitones(self) -> float:
        """How much higher than its reference it sounds.

        Shifts are tried in steps. Where speed and shift are those of a turntable, the speed is the finer
        measure.
        """
        shift, by_speed = shifts_semitones()[self.shift], 12 * math.log2(self.speed)
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


@dataclass(frozen=True)
class EndedMatch:
    """What is remembered of a match that has ended, by the ids of its tracks.

    Parameters
    ----------
    track_id : str
    track_ids : frozenset of str
        Its track, and the same recording elsewhere.
    position, speed, now : float
        Its line.
    heard_s : float
        Stream time up to which it was heard.
    """

    track_id: str
    track_ids: frozenset[str]
    position: float
    speed: float
    now: float
    heard_s: float

    def position_at(self, now: float) -> float:
        """Return where it would be, had it gone on."""
        return self.position + self.speed * (now - self.now)


class Readings:
    """Reads what is told off a match.

    Parameters
    ----------
    catalogue : CataloguePort
    """

    def __init__(self, catalogue: CataloguePort) -> None:
        self._catalogue = catalogue
        self._tracks = catalogue.tracks

    def of(self, match: RecordingMatch, clock: Clock) -> Reading:
        """Return what is known of a match."""
        in_doubt = match.presence.missing > 0
        reference_s = self._place_s(match, match.position, clock)
        if in_doubt:  # its line may have left the track
            last = max(0, int(self._tracks.length[match.best.track]) - 1)
            reference_s = min(reference_s, clock.reference_s(last))
        return Reading(
            stream_s=clock.stream_s(match.now),
            reference_s=reference_s,
            ended_s=match.presence.ended_s(clock.span_s),
            speed=match.speed,
            semitones=match.semitones,
            score=match.best.score,
            track=self._tracks[match.best.track],
            evidence=self._evidence(match, clock),
        )

    def ended(self, match: RecordingMatch) -> EndedMatch:
        """Return what is remembered of a match that has ended."""
        return EndedMatch(
            track_id=self._tracks[match.best.track].id,
            track_ids=frozenset(self._tracks[track].id for track in match.tracks),
            position=match.position,
            speed=match.speed,
            now=match.now,
            heard_s=match.presence.heard_s,
        )

    def _place_s(self, match: RecordingMatch, position: float, clock: Clock) -> float:
        """Return the time in the track that sounds at the last look.

        Codes of what is heard and of the reference fit where their middles meet: at another speed, their
        ends do not.
        """
        return clock.reference_s(position) + (match.speed - 1) * clock.span_s / 2

    def _evidence(self, match: RecordingMatch, clock: Clock) -> Evidence:
        """Say why the match is claimed."""
        tracks, best, rival = self._tracks, match.best, match.runner_up
        others = sorted({track for track, _ in best.same} - {best.track})
        return Evidence(
            faiss_votes=best.faiss_votes,
            lsh_votes=best.lsh_votes,
            similarity=np.clip(match.correlation, -1, 1),
            coverage=match.coverage,
            runner_up=Rival(track=tracks[rival.track], score=rival.score) if rival else None,
            same_recording=tuple(tracks[track] for track in others),
            repeats_s=self._repeats_s(match, clock),
        )

    def _repeats_s(self, match: RecordingMatch, clock: Clock) -> tuple[float, ...]:
        """Return the repeats of the place that sounds now: they have gone on as it has."""
        best = match.best
        length = int(self._tracks.length[best.track])
        heads = [head + match.position - best.position for track, head in best.same if track == best.track]
        others = (head for head in heads if 0 <= head < length and abs(head - match.position) > TOLD_TWICE)
        return tuple(sorted(self._place_s(match, head, clock) for head in others))
