"""Samples in, sounds and their kinds out: the second half of the engine."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.config import OnsetSettings
from stream_match.events import ClusterFacts, OnsetClusterFacts, OnsetFacts
from stream_match.onsets.description import BEFORE_SAMPLES, Describer, Description, sound_samples
from stream_match.onsets.detector import Onset, OnsetDetector
from stream_match.onsets.kinds import Changed, Heard, Kinds
from stream_match.onsets.limit import Limit
from stream_match.onsets.scaling import RunningScaler
from stream_match.onsets.seed import Seed
from stream_match.onsets.tape import Tape
from stream_match.onsets.timbre import Timbre

Float32 = npt.NDArray[np.float32]
OnsetLaneFacts = OnsetFacts | OnsetClusterFacts | ClusterFacts

LEAST_SOUND_S = 0.03
"""Of a sound that a gap or the end of the stream cuts off, so much must have been heard."""

_DIGITS = 6  # a microsecond: more would pretend

FORMAT = 1
"""Of the memory; another one is refused."""

DESCRIBERS: dict[str, Callable[[float], Describer]] = {"timbre": Timbre, "seed": Seed}


class OnsetLane:
    """Listens to one stream for sounds that begin.

    However the audio is cut into blocks, the facts are the same.

    Parameters
    ----------
    settings : OnsetSettings
    sample_rate_hz : float
    from_silence : bool
        Whether there was silence before the first sample, as before a recording.
    """

    def __init__(self, settings: OnsetSettings, sample_rate_hz: float, *, from_silence: bool = False) -> None:
        self._settings = settings
        self._sample_rate_hz = sample_rate_hz
        self._sound_samples = sound_samples(sample_rate_hz)
        self._describer, self._scaler, self._kinds = self._new_memory()
        self._limit = Limit(settings.max_onsets_per_second)
        self._count = 0
        self._begin(0.0, from_silence=from_silence)

    def _new_memory(self) -> tuple[Describer, RunningScaler, Kinds]:
        describer = DESCRIBERS[self._settings.features](self._sample_rate_hz)
        kinds = Kinds(describer.n_dimensions, retire_after_s=3600 * self._settings.retire_after_hours)
        return describer, RunningScaler(describer.typical, describer.spread), kinds

    def _begin(self, offset_s: float, *, from_silence: bool = False) -> None:
        """Begin a stretch without gaps; kinds and the count of sounds go on."""
        self._offset_s = offset_s
        self._detector = OnsetDetector(self._sample_rate_hz, from_silence=from_silence)
        self._tape = Tape()
        self._waiting: deque[tuple[str, Onset]] = deque()

    @property
    def suppressed(self) -> int:
        """How many onsets were not told because there were too many."""
        return self._limit.suppressed

    def feed(self, y: Float32) -> list[OnsetLaneFacts]:
        """Take samples and return what they tell.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        list of facts
            In the order in which they can be known: by `stream_s`.
        """
        self._tape.record(y)
        told: list[OnsetLaneFacts] = []
        for onset in self._detector.feed(y):
            told += self._described(self._due(onset.decided))
            told += self._begun(onset)
        told += self._described(self._due(self._tape.end))
        needed = self._waiting[0][1].sample if self._waiting else self._tape.end
        # A sound that is yet to be told begins at most 0.1 s before the end.
        self._tape.forget(min(needed, self._tape.end - self._sound_samples) - 2 * BEFORE_SAMPLES)
        return told

    def finish(self, offset_s: float) -> list[OnsetLaneFacts]:
        """Tell what is left of a stretch, and begin another one.

        Parameters
        ----------
        offset_s : float [seconds]
            Stream time at which the next stretch begins.
        """
        told = [fact for onset in self._detector.finish() for fact in self._begun(onset)]
        least = round(LEAST_SOUND_S * self._sample_rate_hz)
        cut_off = [sound for sound in self._waiting if self._tape.end - sound[1].sample >= least]
        told += self._described(cut_off)
        self._begin(offset_s)
        return told

    def _begun(self, onset: Onset) -> list[OnsetLaneFacts]:
        if not self._limit.allows(self._at_s(onset.sample)):
            return []
        self._count += 1
        onset_id = str(self._count)
        self._waiting.append((onset_id, onset))
        if not self._settings.announce:
            return []
        return [
            OnsetFacts(
                onset_id=onset_id,
                onset_s=self._at_s(onset.sample),
                stream_s=self._at_s(onset.decided),
                strength=onset.strength,
            )
        ]

    def _due(self, end: int) -> list[tuple[str, Onset]]:
        """Take those sounds from the queue that are heard when sample `end` is."""
        due = []
        while self._waiting and self._known(self._waiting[0][1]) <= end:
            due.append(self._waiting.popleft())
        return due

    def _known(self, onset: Onset) -> int:
        return max(onset.sample - self._describer.early_samples + self._sound_samples, onset.decided)

    def _described(self, sounds: list[tuple[str, Onset]]) -> list[OnsetLaneFacts]:
        return [fact for onset_id, onset in sounds for fact in self._told(onset_id, onset)]

    def _told(self, onset_id: str, onset: Onset) -> list[OnsetLaneFacts]:
        end = min(self._known(onset), self._tape.end)
        description = self._describe(onset.sample - self._describer.early_samples)
        heard = self._kinds.hear(description.point, description.doubt, self._at_s(end))
        changes = [_changed(change, self._at_s(end)) for change in heard.changes]
        told = self._of(heard, description, onset_id, onset, end)
        # That there is a new kind is told before a sound is of it, what became of kinds after it.
        news = 1 if heard.new else 0
        return [*changes[:news], told, *changes[news:]]

    def _describe(self, start: int) -> Description:
        """Describe the sound from a sample on; what was not heard of it any more is silent."""
        sound = self._tape.stretch(start, min(start + self._sound_samples, self._tape.end))
        sound = np.concatenate([sound, np.zeros(self._sound_samples - len(sound), np.float32)])
        return self._describer.describe(self._tape.stretch(start - BEFORE_SAMPLES, start), sound)

    def _of(
        self, heard: Heard, description: Description, onset_id: str, onset: Onset, end: int
    ) -> OnsetClusterFacts:
        values = self._scaler.scale(np.array(list(description.features.values())))
        return OnsetClusterFacts(
            onset_id=onset_id,
            onset_s=self._at_s(onset.sample),
            stream_s=self._at_s(end),
            strength=onset.strength,
            cluster_id=str(heard.kind),
            cluster_size=heard.size,
            distance=heard.distance,
            doubt=description.doubt,
            new_cluster=heard.new,
            features={name: float(value) for name, value in zip(description.features, values, strict=True)},
        )

    def _at_s(self, sample: int) -> float:
        return round(self._offset_s + sample / self._sample_rate_hz, _DIGITS)

    def memory(self, *, ids_ahead: int = 0) -> str:
        """Return what has been learnt of this stream's sounds, as JSON; see `Kinds.state`."""
        return json.dumps(
            {
                "format": FORMAT,
                "features": self._settings.features,
                "kinds": self._kinds.state(ids_ahead=ids_ahead),
                "scale": self._scaler.state(),
                "describer": self._describer.state(),
            }
        )

    def remember(self, memory: str) -> None:
        """Go on from what `memory` returned.

        Raises
        ------
        ValueError
            If it is something else, of another format, or was made with other features; nothing has changed
            then.
        """
        state: dict[str, Any] = json.loads(memory)
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        if state.get("features") != self._settings.features:
            raise ValueError(f"it was made with features {state.get('features')!r}")
        describer, scaler, kinds = self._new_memory()
        try:
            kinds.restore(state["kinds"])
            scaler.restore(state["scale"])
            describer.restore(state["describer"])
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"something is missing in it ({type(error).__name__}: {error})") from error
        self._describer, self._scaler, self._kinds = describer, scaler, kinds


def _changed(change: Changed, at_s: float) -> ClusterFacts:
    return ClusterFacts(
        change=change.change,
        cluster_id=str(change.kind),
        **{"from": tuple(map(str, change.origin))},
        cluster_size=change.size,
        stream_s=at_s,
    )
