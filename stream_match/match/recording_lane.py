"""From feature frames to matches: embeddings, codes, votes, verification, tracking."""

from functools import partial

import numpy as np

from stream_match.config import FeatureSettings, MatchSettings
from stream_match.events import MatchFacts
from stream_match.index.coding import Embeddings
from stream_match.index.lines import as_words
from stream_match.index.live_embeddings import LiveEmbeddings
from stream_match.index.port import CataloguePort, Float32, NotAtHandError, Words
from stream_match.index.spans import CodeClock, Spans
from stream_match.index.tracks import Numbers
from stream_match.match import tuning
from stream_match.match.recording.alignment_tracker import AlignmentTracker
from stream_match.match.recording.proposals import Proposals
from stream_match.match.recording.query import Query, shifts_semitones
from stream_match.match.recording.scoring import Scorer
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.trace import Observer, Trace, TracedCandidate, Unclaimed


def decision_frames(listening: FeatureSettings) -> int:
    """Return how many frames, however far apart, come from one decision to the next: 1 at least."""
    return max(1, round(tuning.DECISION_S / listening.frame_s))


class RecordingLane:
    """Recognises recordings in a stream of feature frames.

    Decides on a fixed grid, counted from the last gap, so that its answers do not depend on the portions in
    which the frames come. An observer is told what every decision saw, and changes nothing; the best of what
    it never claimed is `unclaimed`.
    """

    def __init__(
        self,
        catalogue: CataloguePort,
        settings: MatchSettings,
        arbiter: Arbiter,
        observe: Observer | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._observe = observe
        self._features = catalogue.settings.listening()
        self._stride = self._features.code_stride_frames
        self._longest = Spans.of(catalogue.settings).positions(tuning.LONGEST_WINDOW_S) * self._stride
        self._n_shifts = len(shifts_semitones())
        self._embeddings = LiveEmbeddings(self._features, self._n_shifts)
        self._proposals = Proposals(catalogue)
        self._scorer = Scorer(catalogue)
        threshold = Calibration.recordings().score_for(settings.max_false_alarms_per_hour)
        self._tracker = AlignmentTracker(catalogue, threshold, arbiter)
        self.unclaimed = Unclaimed()
        self._decision_frames = decision_frames(self._features)
        self._begin(0.0)

    def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim with another budget of false alarms from now on."""
        self._tracker.claim_from(Calibration.recordings().score_for(max_false_alarms_per_hour))

    def _begin(self, begin_s: float) -> None:
        self._embeddings.reset()
        self._proposals.reset()
        self._waiting = self._embeddings.none
        self._now = -1
        self._asks = False
        self._forget_codes()
        self._clock = CodeClock.of(self._catalogue.settings, begin_s)

    def _forget_codes(self) -> None:
        n_words = -(-self._features.n_bits // 64)
        self._words: Words = np.empty((self._n_shifts, 0, n_words), np.uint64)
        self._audible = np.empty(0, np.bool_)

    def feed(self, frames: Float32) -> list[MatchFacts]:
        """Take the feature frames, at `shifts_semitones`, that follow; return what they decide."""
        self._waiting = self._waiting.followed_by(self._embeddings.feed(frames))
        facts: list[MatchFacts] = []
        while len(self._waiting) >= self._decision_frames:
            facts += self._step(self._waiting[: self._decision_frames])
            self._waiting = self._waiting[self._decision_frames :]
        return facts

    def flush(self) -> list[MatchFacts]:
        """Decide on what is left of a stretch of unbroken audio."""
        waiting, self._waiting = self._waiting, self._waiting[:0]
        return self._step(waiting) if len(waiting) else []

    def finish(self, next_begin_s: float) -> list[MatchFacts]:
        """End the stretch of unbroken audio: decide on what is left, end all matches, forget."""
        facts = self.flush() + self._tracker.end_all(self._query())
        self._begin(next_begin_s)
        return facts

    def take_up(self, catalogue: CataloguePort, numbers: Numbers) -> list[MatchFacts]:
        """Go on with another snapshot of the catalogue, made with the same settings; tell what ends.

        With other hyperplanes, what was heard so far is forgotten. Matches go on with what is heard next.
        """
        facts = self._tracker.take_up(catalogue, numbers, self._clock)
        self._scorer = Scorer(catalogue)
        self._proposals.take_up(catalogue, numbers)
        self.unclaimed.renumber(numbers)
        if not self._catalogue.planes.equal(catalogue.planes):
            self._proposals.reset()
            self._forget_codes()
        self._catalogue = catalogue
        return facts

    def _step(self, rows: Embeddings) -> list[MatchFacts]:
        """Hear some embeddings, then decide."""
        planes, audible = self._catalogue.planes, rows.audible()
        codes = planes.shape.codes(rows.shape.reshape(-1, rows.shape.shape[2]))
        words = as_words(codes).reshape(len(rows), self._n_shifts, -1).swapaxes(0, 1)
        self._words = np.concatenate([words[:, ::-1], self._words], axis=1)[:, : self._longest]
        self._audible = np.concatenate([audible[::-1], self._audible])[: self._longest]
        times = self._now + 1 + np.arange(len(rows), dtype=np.int64)
        self._now += len(rows)
        # While a recording is followed, what it is need not be found out again and again.
        self._asks = not (self._asks and self._tracker.followed)
        query = self._query()
        try:
            if self._asks:
                codes = codes.reshape(len(rows), self._n_shifts, -1)
                chroma_codes = planes.chroma.codes(rows.chroma)
                self._proposals.add(codes[audible], chroma_codes[audible], times[audible])
                if query.positions:
                    return self._decide(query)
        except NotAtHandError:  # votes pause
            pass
        return self._tracker.follow(query, []) if query.positions else []

    def _decide(self, query: Query) -> list[MatchFacts]:
        """Follow what sounds, and claim what is new; if that cannot be looked up, nothing has changed."""
        forward, backward = self._proposals.bins(self._now)
        candidates = self._scorer.rank(query, forward, backward, self._tracker.settled_tracks())
        self._tracker.hold(candidates)
        facts = self._tracker.follow(query, candidates) + self._tracker.start(query, candidates)
        self.unclaimed.claim(self._tracker.settled_tracks())
        describe = partial(self._tracker.describe, query)
        for one in candidates[: tuning.CANDIDATES // 2]:
            self.unclaimed.offer(one.track, one.score, one.rank_score, partial(describe, one))
        if self._observe is not None:
            named = forward[np.flatnonzero(forward.track < len(self._catalogue.tracks.named))]
            stood = tuple(
                TracedCandidate(
                    self._catalogue.tracks[one.track].id, one.score, rejection, partial(describe, one)
                )
                for one, rejection in zip(candidates, self._tracker.rejections, strict=True)
            )
            self._observe(Trace("recording", query.now_s, stood, query, named))
        return facts

    def _query(self) -> Query:
        return Query(self._words, self._audible, self._now / self._stride, self._stride, self._clock)
