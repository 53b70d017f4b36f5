"""A match of the version lane: where it is in its track, and what is told of it."""

from dataclasses import dataclass

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.events import Evidence, Rival, Track
from stream_match.match import tuning
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.report import Reading, Told
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


@dataclass(frozen=True, kw_only=True)
class VersionMatch:
    """A match that the version lane follows.

    Parameters
    ----------
    match_id : str
    best : VersionCandidate
        As it was last heard, with its best score.
    position, speed : float
        Its line at `now`: step of the track, and steps of it per step of the stream.
    now : int
        Step of the last look.
    presence : Presence
    told : Told
    runner_up : VersionCandidate or None
        The best other music when it started.
    """

    match_id: str
    best: VersionCandidate
    position: float
    speed: float
    now: int
    presence: Presence
    told: Told
    runner_up: VersionCandidate | None

    def reading(self, stream_s: float, tracks: tuple[Track, ...], clock: Clock) -> Reading:
        """Return what is known of it at a moment."""
        best, rival = self.best, self.runner_up
        since_s = stream_s - clock.begin_s - clock.centre_s(self.now)
        return Reading(
            stream_s=stream_s,
            reference_s=clock.centre_s(self.position) + self.speed * since_s,
            ended_s=min(self.presence.ended_s(tuning.VERSION_RECENT_S), stream_s),
            speed=self.speed,
            semitones=float((best.key + 5) % 12 - 5),
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
