"""Every sound that begins, as soon as it can be told."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.onsets.activation import AHEAD_FRAMES, Activation, shipped_perceptron
from stream_match.onsets.flux import HOP_SAMPLES, N_FFT, Flux
from stream_match.onsets.picking import AFTER_FRAMES, Peak, Picker
from stream_match.onsets.tape import Tape
from stream_match.onsets.timing import beginning

Float32 = npt.NDArray[np.float32]

DELAY_FRAMES = 2
"""The activation is highest in the frame that ends 20 ms after the beginning."""

KNOWN_FRAMES = AHEAD_FRAMES + AFTER_FRAMES
"""So many frames after its own an onset is known."""

SEARCH_SAMPLES = 450
"""How far to either side of the activation's time the beginning of a stroke is looked for: 20 ms."""

APART_SAMPLES = 330
"""Two sounds begin at least 15 ms apart: the attack of one is not the beginning of the next."""

SHORTEST_SEARCH_SAMPLES = 64

LEAST_EVIDENCE = 100.0
"""A split that explains the samples so much better than none is where a stroke begins: of those in noise two
in 1,000 are misplaced by it. What comes more softly is timed by the activation, to 10 ms."""


@dataclass(frozen=True)
class Onset:
    """A sound that has begun.

    Parameters
    ----------
    sample : int
        At which sample it begins, counted from the beginning of the stretch without a gap.
    decided : int
        After which sample that was known.
    strength : float, > 0
        Log odds that a sound begins there.
    """

    sample: int
    decided: int
    strength: float


class OnsetDetector:
    """Finds the beginnings of sounds in a stream without gaps.

    However the audio is cut into blocks, the onsets are the same. What sounds from the very first
    sample on has no beginning.

    Parameters
    ----------
    sample_rate_hz : float
    from_silence : bool
        Whether there was silence before the first sample, as before a recording; then a sound may begin with
        it.
    """

    def __init__(self, sample_rate_hz: float, *, from_silence: bool = False) -> None:
        self._flux = Flux(sample_rate_hz)
        self._activation = Activation(shipped_perceptron())
        self._picker = Picker()
        self._tape = Tape()
        self._lead = N_FFT if from_silence else 0  # samples of silence before sample 0
        if self._lead:
            self._peaks(np.zeros(self._lead, np.float32))
        self._last = -2 * SEARCH_SAMPLES

    def feed(self, y: Float32) -> list[Onset]:
        """Take samples and return the onsets that they tell.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        list of Onset
            In order; their samples ascend by `APART_SAMPLES` at least.
        """
        self._tape.record(y)
        found = [self._placed(peak) for peak in self._peaks(y)]
        self._tape.forget(self._tape.end - SEARCH_SAMPLES - N_FFT - KNOWN_FRAMES * HOP_SAMPLES)
        return [onset for onset in found if onset is not None]

    def finish(self) -> list[Onset]:
        """Return the onsets that the last samples tell if silence follows; nothing is fed afterwards."""
        end = self._tape.end
        told = self.feed(np.zeros(N_FFT + KNOWN_FRAMES * HOP_SAMPLES, np.float32))
        return [replace(onset, decided=min(onset.decided, end)) for onset in told if onset.sample < end]

    def _peaks(self, y: Float32) -> list[Peak]:
        return self._picker.feed(self._activation.feed(self._flux.feed(y)))

    def _placed(self, peak: Peak) -> Onset | None:
        known = peak.frame * HOP_SAMPLES + N_FFT - self._lead
        expected = known + round((peak.offset - DELAY_FRAMES) * HOP_SAMPLES)
        start, end = max(expected - SEARCH_SAMPLES, self._last + APART_SAMPLES), expected + SEARCH_SAMPLES
        if end - start < SHORTEST_SEARCH_SAMPLES:
            return None
        place, evidence = beginning(self._tape.stretch(start, end))
        if evidence < LEAST_EVIDENCE:
            place = max(0, expected - start)
        sample = max(0, start + place)
        self._last = sample
        return Onset(sample, known + KNOWN_FRAMES * HOP_SAMPLES, peak.log_odds)
