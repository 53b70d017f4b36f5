"""From chroma frames to versions: coarse steps, proposals, verification, decision."""

import numpy as np
import numpy.typing as npt

from stream_match.config import MatchSettings
from stream_match.events import MatchFacts, Track
from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import CoarseChroma
from stream_match.index.harmony import Harmony, require_step
from stream_match.index.tracks import GONE, Numbers, renumbered
from stream_match.match import tuning
from stream_match.match.look import Look, Observer
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.version.decision import Decision
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.ranking import VersionScorer
from stream_match.match.version.telling import Clock

Float32 = npt.NDArray[np.float32]

LOOK_STEPS = 6
"""Coarse steps from one look to the next: 2.2 s."""

_REMEMBERED = 64
"""Tracks kept for `candidates`."""


class VersionMatcher:
    """Recognises other versions of the catalogue's pieces in a stream of chroma frames.

    Looks on a fixed grid, counted from the last gap or recording, so that its answers do not depend on the
    portions in which the frames come, as long as these do not span a change of `muted` or `explained`.

    Parameters
    ----------
    harmony : Harmony
    tracks : tuple of Track
        Those that have a name, by number.
    settings : MatchSettings
    observe : Observer, optional
        Is told what every decision saw, and changes nothing.

    Attributes
    ----------
    decision : Decision
        The version that sounds, if any does.
    """

    def __init__(
        self,
        harmony: Harmony,
        tracks: tuple[Track, ...],
        settings: MatchSettings,
        observe: Observer | None = None,
    ) -> None:
        require_step(harmony.settings)
        self._observe = observe
        self._settings = harmony.settings
        self._harmony = harmony
        self._scorer = VersionScorer(harmony)
        threshold = Calibration.versions().score_for(settings.max_false_alarms_per_hour)
        self.decision = Decision(tracks, threshold)
        self._unclaimed: dict[int, MatchFacts] = {}
        self._claimed: set[int] = set()
        self._clock: Clock
        self._query: Float32
        self._now: int
        self._looked: int
        self._n_frames: int
        self._begin(0.0)

    def feed(
        self, chroma: Float32, *, muted: bool = False, explaining: bool = False, explained: bool = False
    ) -> list[MatchFacts]:
        """Take chroma frames and return what they decide.

        Parameters
        ----------
        chroma : np.ndarray [shape=(n_frames, 12), dtype=float32]
            Columns `CHROMA` of the frames that follow those of the last call.
        muted : bool
            Whether a recording of the catalogue sounds, as far as is known: beside it no version begins.
        explaining : bool
            Whether that is sure: what sounds as a version ends.
        explained : bool
            Whether a recording that was sure is over, so that what was heard until now is forgotten. What was
            taken for one and turned out to be none, or did not last, may be a version.
        """
        facts: list[MatchFacts] = []
        self._n_frames += len(chroma)
        if explained:
            self._query[:] = 0
        for step in self._coarse.feed(chroma):
            self._now += 1
            self._query = np.concatenate([step[np.newaxis], self._query[:-1]])
            if explaining:
                facts += self.decision.end(self._clock.heard_at(self._now), self._clock)
            if muted and self.decision.track is None:
                self._looked = self._now
            elif self._now - self._looked >= LOOK_STEPS:
                facts += self._look(self._clock.heard_at(self._now), muted=muted)
        return facts

    def finish(self, next_begin_s: float) -> list[MatchFacts]:
        """End the stretch of unbroken audio: decide on what is left, end what sounds, forget.

        Parameters
        ----------
        next_begin_s : float
            Stream time at which the next stretch begins.
        """
        stream_s = self._clock.heard_s(self._n_frames)
        facts = self._look(stream_s) if self._now > self._looked else []
        facts += self.decision.end(stream_s, self._clock)
        self._begin(next_begin_s)
        return facts

    def take_up(self, harmony: Harmony, tracks: tuple[Track, ...], numbers: Numbers) -> list[MatchFacts]:
        """Go on with another snapshot of the catalogue; end what sounds if its track is gone."""
        facts: list[MatchFacts] = []
        sounding = self.decision.track
        if sounding is not None and numbers[sounding] == GONE:
            facts = self.decision.end(self._clock.heard_at(self._now), self._clock)
        self.decision.take_up(tracks, numbers)
        self._unclaimed = renumbered(self._unclaimed, numbers)
        self._claimed = {int(numbers[track]) for track in self._claimed if numbers[track] != GONE}
        self._harmony = harmony
        self._scorer = VersionScorer(harmony)
        return facts

    def candidates(self) -> list[MatchFacts]:
        """Return the best candidates that were never claimed, best first."""
        left = (facts for track, facts in self._unclaimed.items() if track not in self._claimed)
        return sorted(left, key=lambda facts: -facts.score)

    def _begin(self, begin_s: float) -> None:
        """Start with an empty history."""
        self._coarse = CoarseChroma(self._settings)
        self._query = np.zeros((steps_in(tuning.VERSION_LONGEST_S), N_CHROMA), np.float32)
        self._now = -1
        self._looked = -1
        self._n_frames = 0
        self._clock = Clock(self._settings, begin_s)

    def _look(self, stream_s: float, *, muted: bool = False) -> list[MatchFacts]:
        """Search for what was heard last, then decide."""
        self._looked = self._now
        sounding = self.decision.track
        lines = self.decision.line(self._now)
        if np.count_nonzero(self._query.any(axis=1)) >= steps_in(tuning.VERSION_HEARD_S):
            lines = self._harmony.propose(self._query).followed_by(lines)
        keep = frozenset() if sounding is None else frozenset({sounding})
        candidates = self._scorer.rank(self._query, lines, keep)
        facts = self.decision.decide(candidates, self._now, stream_s, self._clock, muted=muted)
        if self.decision.track is not None:
            self._claimed.add(self.decision.track)
        for candidate in candidates:
            known = self._unclaimed.get(candidate.track)
            if known is None or candidate.score > known.score:
                described = self.decision.describe(candidate, self._now, stream_s, self._clock)
                self._unclaimed[candidate.track] = described
        if len(self._unclaimed) > _REMEMBERED:
            del self._unclaimed[min(self._unclaimed, key=lambda track: self._unclaimed[track].score)]
        if self._observe is not None:
            standings = self.decision.standings(candidates, self._now, stream_s, self._clock)
            self._observe(Look("version", stream_s, standings))
        return facts
