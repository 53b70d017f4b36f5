"""A version put into words: steps become seconds, numbers become evidence."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.events import Evidence, MatchFacts, Rival, Track
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.version.path import VersionCandidate


@dataclass(frozen=True)
class Clock:
    """Turns steps into seconds.

    Parameters
    ----------
    settings : FeatureSettings
    begin_s : float
        Stream time at which step 0 began.
    """

    settings: FeatureSettings
    begin_s: float

    @property
    def step_s(self) -> float:
        """Seconds from one step to the next."""
        return self.settings.version_hop_frames * self.settings.frame_s

    def centre_s(self, step: float) -> float:
        """Return the middle of what a step has heard, in seconds since step 0 began."""
        frames = (step + 1) * self.settings.version_hop_frames - 0.5
        return frames * self.settings.frame_s + self.settings.n_fft_samples / self.settings.sample_rate_hz / 2

    def heard_s(self, n_frames: int) -> float:
        """Return the stream time up to which so many frames have heard."""
        samples = max(0, n_frames - 1) * self.settings.hop_samples + self.settings.n_fft_samples
        return self.begin_s + samples / self.settings.sample_rate_hz

    def heard_at(self, step: int) -> float:
        """Return the stream time up to which a step has heard."""
        return self.heard_s((step + 2) * self.settings.version_hop_frames)


@dataclass(frozen=True)
class Match:
    """A version that sounds.

    Parameters
    ----------
    match_id : str
    best : VersionCandidate
        As it was last heard, with its best score.
    head, speed : float
        Its line at `now`: step of the track, and steps of it per step of the stream.
    now, heard : int
        Step of the last look, and of the last one at which it was heard.
    started_s, told_s, told_offset_s : float
        Stream time of its beginning and of the last event; reference time less stream time, as last told.
    runner_up : VersionCandidate or None
        The best other music when it started.
    """

    match_id: str
    best: VersionCandidate
    head: float
    speed: float
    now: int
    heard: int
    started_s: float
    told_s: float
    told_offset_s: float
    runner_up: VersionCandidate | None

    @property
    def track(self) -> int:
        """Number of its track."""
        return self.best.track


def tell(
    match: Match,
    phase: Literal["started", "updated", "ended"],
    stream_s: float,
    tracks: tuple[Track, ...],
    clock: Clock,
) -> MatchFacts:
    """Put a match into words.

    Parameters
    ----------
    match : Match
    phase : {"started", "updated", "ended"}
    stream_s : float
        Stream time of the decision.
    tracks : tuple of Track
    clock : Clock
    """
    best, rival = match.best, match.runner_up
    since = stream_s - clock.begin_s - clock.centre_s(match.now)
    ended_s = max(min(clock.begin_s + clock.centre_s(match.heard + 1), stream_s), match.started_s)
    return MatchFacts(
        phase=phase,
        match_id=match.match_id,
        stream_s=stream_s,
        started_s=match.started_s,
        ended_s=ended_s if phase == "ended" else None,
        track=tracks[best.track],
        kind="version",
        reference_s=clock.centre_s(match.head) + match.speed * since,
        speed=match.speed,
        semitones=float((best.key + 5) % 12 - 5),
        score=best.score,
        confidence=Calibration.versions().confidence(best.score),
        false_alarms_per_hour=Calibration.versions().false_alarms_per_hour(best.score),
        evidence=Evidence(
            faiss_votes=0,
            lsh_votes=0,
            similarity=np.clip(best.correlation, -1, 1),
            coverage=best.coverage,
            runner_up=Rival(track=tracks[rival.track], score=rival.score) if rival else None,
            same_work=tuple(tracks[track] for track in best.same),
        ),
    )
