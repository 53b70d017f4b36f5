"""A candidate and a match of the version lane: where each is in its track, and what is told of it."""

from dataclasses import dataclass, replace

import numpy as np

from stream_match.events import Evidence, Rival, Track
from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import StepClock
from stream_match.index.harmony import HarmonyLines
from stream_match.index.port import Float32, Float64
from stream_match.index.tracks import GONE, Numbers
from stream_match.match import tuning
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.report import Reading
from stream_match.match.version.dtw import slope, steps_in


@dataclass(frozen=True)
class Moment:
    """When the lane decides: the newest step, and the stream time up to which it has heard."""

    step: int
    stream_s: float
    clock: StepClock


@dataclass(frozen=True)
class VersionCandidate:
    """A path through a track, and its score."""

    track: int
    key: int  # semitones that the query is higher, 0 to 11
    tempo: float  # of the line that was proposed
    correlation: float  # of query and reference along the path, mean over the window
    score: float  # distance of the evidence to the mean of the background scores, in their deviations
    recent: float  # the same for the newest few seconds: whether it sounds now
    steps: Float64  # of the track, that each query step meets, newest first [shape=(n_query,)]
    alike: Float32  # correlation step by step
    same: tuple[int, ...]  # tracks that hold the same music along the path

    def renumbered(self, numbers: Numbers) -> "VersionCandidate | None":
        """Return the same under the numbers of another snapshot; None if it does not have the track."""
        if numbers[self.track] == GONE:
            return None
        same = tuple(int(numbers[track]) for track in self.same if numbers[track] != GONE)
        return replace(self, track=int(numbers[self.track]), same=same)

    @property
    def heard_steps(self) -> int:
        """Number of query steps back to where the correlation began."""
        support = np.cumsum(self.alike - tuning.AGREES * self.correlation)
        return int(support.argmax()) + 1

    @property
    def coverage(self) -> float:
        """Share of those steps that agree."""
        return float((self.alike[: self.heard_steps] > tuning.AGREES * self.correlation).mean())

    @property
    def speed(self) -> float:
        """Tempo of the path, where it agrees."""
        weights = np.maximum(self.alike[: self.heard_steps], 0)
        enough = np.count_nonzero(weights) >= 2
        return slope(self.steps[: self.heard_steps], weights) if enough else self.tempo

    @property
    def head(self) -> float:
        """The step that sounds now, as the newest steps have it."""
        newest = steps_in(tuning.VERSION_RECENT_S)
        ago = np.arange(len(self.steps))[:newest]
        weights = np.maximum(self.alike[:newest], 1e-3)
        return float(np.average(self.steps[:newest] + self.speed * ago, weights=weights))


@dataclass(frozen=True, kw_only=True)
class VersionMatch:
    """A match that the version lane follows."""

    match_id: str
    best: VersionCandidate  # as it was last heard, with its best score
    position: float  # its line at `now`: step of the track
    speed: float  # steps of the track per step of the stream
    now: int  # step of the last look
    presence: Presence
    runner_up: VersionCandidate | None  # the best other music when it started
    told: Reading | None = None  # last

    def position_at(self, step: int) -> float:
        """Return the step of the track that its line meets at a step of the stream."""
        return self.position + self.speed * (step - self.now)

    def line_at(self, step: int) -> HarmonyLines:
        """Return its line as it would be at a step of the stream."""
        track, key = np.array([self.best.track]), np.array([self.best.key])
        return HarmonyLines(track, np.array([self.position_at(step)]), np.array([self.speed]), key)

    def on(self, best: VersionCandidate) -> "VersionMatch":
        """Return it on the path of a candidate, as fast as a version may be."""
        speed = float(np.clip(best.speed, tuning.VERSION_SLOWEST, 1 / tuning.VERSION_SLOWEST))
        return replace(self, best=best, position=best.head, speed=speed)

    def renumbered(self, numbers: Numbers) -> "VersionMatch | None":
        """Return it under the numbers of another snapshot; None if that does not have its track."""
        best = self.best.renumbered(numbers)
        runner_up = self.runner_up and self.runner_up.renumbered(numbers)
        return None if best is None else replace(self, best=best, runner_up=runner_up)

    def reading(self, tracks: tuple[Track, ...], moment: Moment) -> Reading:
        """Return what is known of it at a moment."""
        best, rival, clock = self.best, self.runner_up, moment.clock
        since_s = moment.stream_s - clock.begin_s - clock.centre_s(self.now)
        return Reading(
            stream_s=moment.stream_s,
            reference_s=clock.centre_s(self.position) + self.speed * since_s,
            ended_s=min(self.presence.ended_s(tuning.VERSION_RECENT_S), moment.stream_s),
            speed=self.speed,
            semitones=float(best.key if 2 * best.key <= N_CHROMA else best.key - N_CHROMA),
            score=best.score,
            track=tracks[best.track],
            evidence=Evidence(
                faiss_votes=0,
                lsh_votes=0,
                similarity=np.clip(best.correlation, -1, 1),
                coverage=best.coverage,
                runner_up=Rival(track=tracks[rival.track], score=rival.score) if rival else None,
                same_work=tuple(tracks[track] for track in best.same),
            ),
        )
