"""The engine: samples in, facts out. No clock, no file, no thread; time is a count of samples."""

import math

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings, MatchSettings, OnsetSettings
from stream_match.descriptors.genre_model import GenreModel
from stream_match.descriptors.similar_tracks import SimilarTracks
from stream_match.descriptors.unknown_music import UnknownMusicLane
from stream_match.errors import ParameterError
from stream_match.events import Facts, MatchFacts
from stream_match.index.port import CataloguePort
from stream_match.match.recogniser import Recogniser
from stream_match.match.tracking.near_misses import NearMiss, NearMisses
from stream_match.match.tracking.telling import Telling
from stream_match.match.tracking.trace import Observer, Trace
from stream_match.onsets.lane import OnsetLane
from stream_match.threads import one_thread

_LARGEST_FEED_SAMPLES = 22_050 * 10
"""A longer block is taken in portions, so that memory does not grow with it."""


class Engine:
    """Listens to one stream and says what it hears.

    However the audio is cut into blocks, the facts are the same and come in the same order: that of
    `stream_s`.

    Parameters
    ----------
    catalogue : CataloguePort, optional
        What to recognise; without one, nothing is.
    settings : MatchSettings, optional
    onsets : OnsetSettings, optional
        How to listen for sounds that begin; without, nobody does.
    sounds_like : bool
        Whether to say which tracks unknown music resembles, if the catalogue has their descriptors.
    genres : GenreModel, optional
        Names the genre of unknown music.
    observe : Observer, optional
        Is told what every decision about a match saw, and changes nothing.
    """

    def __init__(
        self,
        catalogue: CataloguePort | None = None,
        settings: MatchSettings | None = None,
        onsets: OnsetSettings | None = None,
        *,
        sounds_like: bool = False,
        genres: GenreModel | None = None,
        observe: Observer | None = None,
    ) -> None:
        settings = settings or MatchSettings()
        features = catalogue.settings if catalogue is not None else FeatureSettings()
        self._sample_rate_hz = features.sample_rate_hz
        self._near_misses = NearMisses()
        self._observe = observe
        self._matches = Recogniser(catalogue, settings, self._note) if catalogue is not None else None
        self._telling = Telling(settings)
        self._onsets = OnsetLane(onsets, self._sample_rate_hz) if onsets is not None else None
        self._sounds_like = sounds_like
        self._unknown = (
            UnknownMusicLane(self._sample_rate_hz, self._similar(catalogue), genres)
            if sounds_like or genres is not None
            else None
        )
        self._samples = 0
        self._gaps_s = 0.0

    @property
    def stream_s(self) -> float:
        """Seconds of audio taken so far, known gaps included."""
        return self._samples / self._sample_rate_hz + self._gaps_s

    @property
    def onsets_suppressed(self) -> int:
        """How many onsets were not told because there were too many."""
        return self._onsets.suppressed if self._onsets is not None else 0

    def feed(
        self, y: npt.NDArray[np.float32], *, gap_s: float = 0.0, discontinuity: bool = False
    ) -> list[Facts]:
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
        facts: list[Facts] = []
        with one_thread():
            if gap_s > 0 or discontinuity:
                facts = self._break_off(gap_s)
            for start in range(0, len(y), _LARGEST_FEED_SAMPLES):
                facts += self._hear(y[start : start + _LARGEST_FEED_SAMPLES])
        return facts

    def flush(self) -> list[Facts]:
        """Return what is left to tell at the end of the stream: every match that started ends."""
        with one_thread():
            return self._break_off(0.0)

    def take_up(self, catalogue: CataloguePort) -> list[Facts]:
        """Go on with another snapshot of the catalogue: matches that go on keep their ids.

        Parameters
        ----------
        catalogue : CataloguePort
            With the same feature settings, and the same lanes.

        Returns
        -------
        list of facts
            The ends of matches whose tracks are not in it.

        Raises
        ------
        ParameterError
            If it needs another engine; then nothing has changed.
        """
        if self._matches is None:
            return []
        with one_thread():
            ends = sorted(self._matches.take_up(catalogue), key=_known_s)
        if self._unknown is not None:
            self._unknown.take_up(self._similar(catalogue))
            self._unknown.note(ends)
        return [*self._telling.told(ends)]

    def rest(self, ended_s: dict[str, float]) -> None:
        """Learn when tracks ended of which an earlier engine told, for the cooldown.

        Parameters
        ----------
        ended_s : dict of str to float [seconds]
            Ids of tracks, and stream times: below 0, for it was before this engine began.
        """
        self._telling.rest(ended_s)

    def candidates(self) -> list[MatchFacts]:
        """Return the best candidates of the stream that were never claimed, best first."""
        return self._matches.candidates() if self._matches is not None else []

    def near_misses(self) -> list[NearMiss]:
        """Return what nearly matched in the last minute, best first, and why it was not claimed."""
        return self._near_misses.best_first()

    def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim matches with another budget of false alarms from now on.

        Raises
        ------
        ParameterError
            If it is not above 0; then nothing has changed.
        """
        if not 0 < max_false_alarms_per_hour < math.inf:
            raise ParameterError(
                f"max_false_alarms_per_hour is {max_false_alarms_per_hour}, expected a number above 0"
            )
        if self._matches is not None:
            self._matches.put_up_with(max_false_alarms_per_hour)

    def memory(self, *, ids_ahead: int = 0) -> str | None:
        """Return what was learnt of the sounds of this stream; None if nobody listens for them.

        Parameters
        ----------
        ids_ahead : int, >= 0
            Identities of clusters that whoever goes on from this leaves out, for this engine may still give
            them.
        """
        return self._onsets.memory(ids_ahead=ids_ahead) if self._onsets is not None else None

    def remember(self, memory: str) -> None:
        """Go on with the sounds that another engine learnt.

        Parameters
        ----------
        memory : str
            What `memory` returned.

        Raises
        ------
        ValueError
            If it is something else; then nothing has changed.
        """
        if self._onsets is not None:
            self._onsets.remember(memory)

    def _note(self, trace: Trace) -> None:
        self._near_misses(trace)
        if self._observe is not None:
            self._observe(trace)

    def _hear(self, y: npt.NDArray[np.float32]) -> list[Facts]:
        matches = self._matches.feed(y) if self._matches is not None else []
        facts: list[Facts] = [*self._telling.told(matches)]
        if self._unknown is not None:
            self._unknown.note(matches)
            facts += self._unknown.feed(y)
        if self._onsets is not None:
            facts += self._onsets.feed(y)
        self._samples += len(y)
        return sorted(facts, key=_known_s)

    def _break_off(self, gap_s: float) -> list[Facts]:
        """End what sounds and begin anew after the gap."""
        facts: list[Facts] = []
        if self._onsets is not None:
            facts += self._onsets.finish(self.stream_s + gap_s)
        self._gaps_s += gap_s
        if self._matches is not None:
            facts += self._telling.told(self._matches.finish(self.stream_s))
        if self._unknown is not None:
            self._unknown.finish(self.stream_s)
        return sorted(facts, key=_known_s)

    def _similar(self, catalogue: CataloguePort | None) -> SimilarTracks | None:
        return catalogue.similar if catalogue is not None and self._sounds_like else None


def _known_s(facts: Facts) -> float:
    return facts.stream_s
