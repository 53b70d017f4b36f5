"""Both match lanes on one feature pass, and the arbiter between them."""

import numpy as np

from stream_match.config import LISTENING_DENSITY, MatchSettings
from stream_match.errors import ParameterError
from stream_match.events import MatchFacts
from stream_match.features.rolling import CHROMA, RollingFeatures
from stream_match.index.port import CataloguePort, Float32
from stream_match.match.recording.query import shifts_semitones
from stream_match.match.recording_lane import RecordingLane, decision_frames
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.trace import Observer
from stream_match.match.version_lane import VersionLane


class Recogniser:
    """Recognises what a stream of samples holds; without `harmony` in the catalogue, recordings only.

    An observer is told what every decision of either lane saw, and changes nothing.
    """

    def __init__(
        self, catalogue: CataloguePort, settings: MatchSettings, observe: Observer | None = None
    ) -> None:
        self._settings = catalogue.settings.listening()
        self._catalogue = catalogue
        self._arbiter = Arbiter()
        self._recordings = RecordingLane(catalogue, settings, self._arbiter, observe)
        harmony, tracks = catalogue.harmony, catalogue.tracks.named
        self._versions = VersionLane(harmony, tracks, settings, self._arbiter, observe) if harmony else None
        self._begin()

    def _begin(self) -> None:
        self._features = RollingFeatures(self._settings, shifts_semitones())
        self._frames = self._samples = 0
        self._unheard: list[Float32] = [np.empty(0, np.float32)]

    def feed(self, y: Float32) -> list[MatchFacts]:
        """Take the mono samples [shape=(n,), dtype=float32] that follow, all finite; return what they decide.

        Nothing is computed before a lane has something to decide: features of few samples are dear.
        """
        self._unheard.append(y.copy())
        self._samples += len(y)
        return self._hear() if self._samples >= self._samples_of_decision() else []

    def _samples_of_decision(self) -> int:
        """Return how many samples the next frame needs at which a lane decides."""
        settings = self._settings
        every, step = settings.version_hop_frames, decision_frames(settings)
        wait = min(every - self._frames % every, step - (self._frames - settings.first_past_frames) % step)
        return (self._frames + wait - 1) * settings.hop_samples + settings.n_fft_samples

    def _hear(self) -> list[MatchFacts]:
        """Let the lanes hear what has come in; on a fixed grid, for each hears what the other decides."""
        frames = self._features.feed(np.concatenate(self._unheard))
        self._unheard = [np.empty(0, np.float32)]
        facts: list[MatchFacts] = []
        every = self._settings.version_hop_frames
        while len(frames):
            portion = frames[: every - self._frames % every]
            frames = frames[len(portion) :]
            facts += self._recordings.feed(portion)
            if self._versions is not None:
                chroma = portion[-self._frames % LISTENING_DENSITY :: LISTENING_DENSITY, CHROMA]
                facts += self._versions.feed(chroma)
            self._frames += len(portion)
        return facts

    def finish(self, next_begin_s: float) -> list[MatchFacts]:
        """End the stretch of unbroken audio: end all matches, forget; the next begins at this stream time."""
        facts = self._hear()
        self._begin()
        # Nothing ends before both lanes have decided: at the last moment, too, each must know of the other.
        facts += self._recordings.flush() + (self._versions.flush() if self._versions else [])
        facts += self._recordings.finish(next_begin_s)
        facts += self._versions.finish(next_begin_s) if self._versions else []
        self._arbiter.forget()
        return facts

    def take_up(self, catalogue: CataloguePort) -> list[MatchFacts]:
        """Go on with another snapshot of the catalogue; end matches whose tracks are not in it.

        A ParameterError says that it was made with other settings, or has not the same lanes.
        """
        lanes = self._catalogue.harmony is None, catalogue.harmony is None
        if catalogue.settings != self._catalogue.settings or lanes[0] != lanes[1]:
            raise ParameterError(
                "the catalogue was made with other settings, or has other lanes, than before"
            )
        numbers = self._catalogue.tracks.renumbered(catalogue.tracks)
        facts = self._recordings.take_up(catalogue, numbers)
        if self._versions is not None and catalogue.harmony is not None:
            facts += self._versions.take_up(catalogue.harmony, catalogue.tracks.named, numbers)
        self._catalogue = catalogue
        return facts

    def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim with another budget of false alarms from now on; matches that go on do so."""
        self._recordings.put_up_with(max_false_alarms_per_hour)
        if self._versions is not None:
            self._versions.put_up_with(max_false_alarms_per_hour)

    def candidates(self) -> list[MatchFacts]:
        """Return the best candidates that were never claimed, by lane, best first."""
        versions = self._versions.unclaimed.best_first() if self._versions else []
        return self._recordings.unclaimed.best_first() + versions
