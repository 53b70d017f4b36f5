"""The engine: samples in, facts out. No clock, no file, no thread; time is a count of samples."""

import math

import numpy as np
import numpy.typing as npt

from stream_match.config import LISTENING_DENSITY, MatchSettings
from stream_match.errors import ParameterError
from stream_match.events import MatchFacts
from stream_match.features.rolling import CHROMA, RollingFeatures
from stream_match.match.matcher import Matcher
from stream_match.match.query import SHIFTS_SEMITONES
from stream_match.match.reference import Reference
from stream_match.match.versions.matcher import VersionMatcher

_LARGEST_FEED_SAMPLES = 22_050 * 10
"""A longer block is taken in portions, so that memory does not grow with it."""


class Engine:
    """Listens to one stream and says what it hears.

    However the audio is cut into blocks, the facts are the same.

    Parameters
    ----------
    reference : Reference
        The catalogue to recognise.
    settings : MatchSettings
    """

    def __init__(self, reference: Reference, settings: MatchSettings) -> None:
        self._settings = reference.settings.listening()
        self._rolling = RollingFeatures(self._settings, SHIFTS_SEMITONES)
        self._matcher = Matcher(reference, settings)
        self._versions = VersionMatcher(reference.versions, settings) if reference.versions else None
        self._frames = 0
        self._samples = 0
        self._gaps_s = 0.0

    @property
    def stream_s(self) -> float:
        """Seconds of audio taken so far, known gaps included."""
        return self._samples / self._settings.sample_rate_hz + self._gaps_s

    def feed(
        self, y: npt.NDArray[np.float32], *, gap_s: float = 0.0, discontinuity: bool = False
    ) -> list[MatchFacts]:
        """Take samples and return what they tell.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples at ``FeatureSettings.sample_rate_hz``.
        gap_s : float, >= 0 [seconds]
            Audio lost just before `y`; a gap of any length is a discontinuity.
        discontinuity : bool
            True if `y` does not continue what came before: matches end, history is forgotten.

        Raises
        ------
        ParameterError
            If `y` is not a one-dimensional float32 array of finite numbers, or `gap_s` is negative.
        """
        if y.ndim != 1 or y.dtype != np.float32 or not np.isfinite(y).all():
            raise ParameterError(f"y is {y.dtype} of shape {y.shape}, expected finite float32 of shape (n,)")
        if not 0 <= gap_s < math.inf:
            raise ParameterError(f"gap_s is {gap_s}, expected 0 or more seconds")
        facts: list[MatchFacts] = []
        if gap_s > 0 or discontinuity:
            facts = self._break_off(gap_s)
        for start in range(0, len(y), _LARGEST_FEED_SAMPLES):
            facts += self._match(self._rolling.feed(y[start : start + _LARGEST_FEED_SAMPLES]))
        self._samples += len(y)
        return facts

    def flush(self) -> list[MatchFacts]:
        """Return what is left to tell at the end of the stream: every match that started ends."""
        return self._break_off(0.0)

    def candidates(self) -> list[MatchFacts]:
        """Return the best candidates of the stream that were never claimed, by lane, best first."""
        versions = self._versions.candidates() if self._versions else []
        return self._matcher.candidates() + versions

    def _match(self, frames: npt.NDArray[np.float32]) -> list[MatchFacts]:
        """Hand feature frames to both lanes.

        In portions on a fixed grid, so that the version lane, which keeps silent while a recording sounds,
        hears of it at the same frame however the audio is cut.
        """
        if self._versions is None:
            return self._matcher.feed(frames)
        facts: list[MatchFacts] = []
        every = self._settings.version_hop_frames
        while len(frames):
            portion = frames[: every - self._frames % every]
            frames = frames[len(portion) :]
            facts += self._matcher.feed(portion)
            chroma = portion[-self._frames % LISTENING_DENSITY :: LISTENING_DENSITY, CHROMA]
            facts += self._versions.feed(chroma, explained=self._matcher.sounding)
            self._frames += len(portion)
        return facts

    def _break_off(self, gap_s: float) -> list[MatchFacts]:
        """End what sounds and begin anew after the gap."""
        self._gaps_s += gap_s
        self._rolling = RollingFeatures(self._settings, SHIFTS_SEMITONES)
        self._frames = 0
        facts = self._matcher.finish(self.stream_s)
        return facts + (self._versions.finish(self.stream_s) if self._versions else [])
