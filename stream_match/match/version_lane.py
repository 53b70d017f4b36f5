"""From chroma frames to versions: coarse steps, proposals, verification, tracking."""

from dataclasses import replace
from functools import partial

import numpy as np

from stream_match.config import MatchSettings
from stream_match.events import MatchFacts, Track
from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import CoarseChroma, StepClock
from stream_match.index.harmony import Harmony, require_step
from stream_match.index.port import Float32, NotAtHandError
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, State
from stream_match.match.tracking.trace import Observer, Trace, TracedCandidate, Unclaimed
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.path_tracker import PathTracker
from stream_match.match.version.ranking import longest_s, rank
from stream_match.match.version.version_match import Moment, VersionCandidate


class VersionLane:
    """Recognises other versions of the catalogue's pieces in a stream of chroma frames.

    Looks on a fixed grid, counted from the last gap or recording, so that its answers do not depend on the
    portions in which the frames come, as long as these do not span a change of what the arbiter knows.
    `tracks` are those that have a name. An observer is told what every decision saw, and changes nothing.
    """

    def __init__(
        self,
        harmony: Harmony,
        tracks: tuple[Track, ...],
        settings: MatchSettings,
        arbiter: Arbiter,
        observe: Observer | None = None,
    ) -> None:
        require_step(harmony.settings)
        self._observe = observe
        self._settings = harmony.settings
        self._harmony, self._tracks = harmony, tracks
        threshold = Calibration.versions().score_for(settings.max_false_alarms_per_hour)
        self._arbiter = arbiter
        self._tracker = PathTracker(tracks, threshold, arbiter)
        self._forgot_s = 0.0
        self.unclaimed = Unclaimed()
        self._begin(0.0)

    def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim with another budget of false alarms from now on."""
        self._tracker.claim_from(Calibration.versions().score_for(max_false_alarms_per_hour))

    def _begin(self, begin_s: float) -> None:
        self._coarse = CoarseChroma(self._settings)
        self._query = np.zeros((steps_in(longest_s()), N_CHROMA), np.float32)
        self._now = self._looked = -1
        self._n_frames = 0
        self._clock = StepClock(self._settings, begin_s)

    def feed(self, chroma: Float32) -> list[MatchFacts]:
        """Take the chroma frames [shape=(n_frames, 12), dtype=float32] that follow; return what they decide.

        Beside what may be a recording, no version begins. Beside a confirmed recording, what sounds as a
        version ends. What a confirmed recording has explained is forgotten once it is over.
        """
        facts: list[MatchFacts] = []
        self._n_frames += len(chroma)
        if self._arbiter.explained_s > self._forgot_s:
            self._forgot_s = self._arbiter.explained_s
            self._query[:] = 0
        for step in self._coarse.feed(chroma):
            self._now += 1
            self._query = np.concatenate([step[np.newaxis], self._query[:-1]])
            if self._arbiter.sounds(State.CONFIRMED):
                facts += self._tracker.end(Cue.EXPLAINED, self._moment())
            if self._muted and self._tracker.track is None:
                self._looked = self._now
            elif self._now - self._looked >= steps_in(tuning.VERSION_DECISION_S):
                facts += self._look(self._moment())
        return facts

    def flush(self) -> list[MatchFacts]:
        """Decide on what is left of a stretch of unbroken audio."""
        return self._look(self._last_moment()) if self._now > self._looked else []

    def finish(self, next_begin_s: float) -> list[MatchFacts]:
        """End the stretch of unbroken audio: decide on what is left, end what sounds, forget."""
        facts = self.flush() + self._tracker.end(Cue.FINISHED, self._last_moment())
        self._begin(next_begin_s)
        return facts

    def take_up(self, harmony: Harmony, tracks: tuple[Track, ...], numbers: Numbers) -> list[MatchFacts]:
        """Go on with another snapshot of the catalogue; end what sounds if its track is gone."""
        facts = self._tracker.take_up(tracks, numbers, self._moment())
        self.unclaimed.renumber(numbers)
        self._harmony, self._tracks = harmony, tracks
        return facts

    @property
    def _muted(self) -> bool:
        """Whether what may be a recording sounds."""
        return self._arbiter.sounds(State.PLAYING, State.CONFIRMED)

    def _moment(self) -> Moment:
        return Moment(self._now, self._clock.heard_at(self._now), self._clock)

    def _last_moment(self) -> Moment:
        """Return the moment up to which all frames have heard, those that make no step yet included."""
        return Moment(self._now, self._clock.heard_s(self._n_frames), self._clock)

    def _candidates(self) -> list[VersionCandidate]:
        """Return what may sound; if that cannot be looked up, what sounds already."""
        sounding, lines = self._tracker.track, self._tracker.line(self._now)
        keep = frozenset() if sounding is None else frozenset({sounding})
        self._harmony.hold(keep)
        if np.count_nonzero(self._query.any(axis=1)) < steps_in(tuning.VERSION_HEARD_S):
            return rank(self._harmony, self._query, lines, keep)
        try:
            proposed = self._harmony.propose(self._query)
            return rank(self._harmony, self._query, proposed.followed_by(lines), keep)
        except NotAtHandError:
            alone = rank(self._harmony, self._query, lines, keep)
            return [replace(one, score=0.0) for one in alone]  # without background, no score says anything

    def _look(self, moment: Moment) -> list[MatchFacts]:
        """Search for what was heard last, then decide."""
        self._looked = self._now
        try:
            candidates = self._candidates()
        except NotAtHandError:
            return []
        facts = self._tracker.decide(candidates, moment, muted=self._muted)
        if self._tracker.track is not None:
            self.unclaimed.claim([self._tracker.track])
        describe = partial(self._tracker.describe, moment)
        for one in candidates:
            self.unclaimed.offer(one.track, one.score, one.score, partial(describe, one))
        if self._observe is not None:
            stood = tuple(
                TracedCandidate(self._tracks[one.track].id, one.score, rejection, partial(describe, one))
                for one, rejection in zip(candidates, self._tracker.rejections, strict=True)
            )
            self._observe(Trace("version", moment.stream_s, stood))
        return facts
