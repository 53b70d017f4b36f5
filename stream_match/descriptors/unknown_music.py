"""The lane of unknown music: what it resembles and which genre it may be, at most once a minute.

Music is unknown while no match is told. What is described is the last half minute of it, whole and audible;
it begins anew with a match, a gap or a pause.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.genre_model import GenreModel
from stream_match.descriptors.segments import rms_dbfs
from stream_match.descriptors.sets import set_named
from stream_match.descriptors.similar_tracks import SimilarTracks, levelled_row
from stream_match.events import GenreFacts, MatchFacts, SoundsLikeFacts

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

HEARD_S = 30
"""Length of what is described: five segments of a Rhythm Pattern, and what a clip of GTZAN has."""

EVERY_S = 60
"""Least time from one event of a type to the next."""

ASK_AGAIN_S = 15
"""When nothing could be told, for what was heard resembles nothing, it is looked at again after so long."""

AUDIBLE_DBFS = -60.0
"""A second whose RMS level is lower is silent."""

PAUSE_S = 3
"""So many silent seconds in a row end a piece of music."""

NEIGHBOURS = 5
"""Tracks told at most."""

UNSURE = "unsure"
"""Told in place of a genre."""

UnknownFacts = SoundsLikeFacts | GenreFacts


class UnknownMusicLane:
    """Says what unknown music is like.

    However the audio is cut into blocks, the facts are the same.

    Parameters
    ----------
    sample_rate_hz : int
    similar : SimilarTracks or None
        What it may resemble.
    genres : GenreModel or None
        Names its genre.
    """

    def __init__(self, sample_rate_hz: int, similar: SimilarTracks | None, genres: GenreModel | None) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._similar = similar
        self._genres = genres
        self._look_s: dict[type[UnknownFacts], float] = {SoundsLikeFacts: 0.0, GenreFacts: 0.0}
        self._begin(0.0)

    def _begin(self, begin_s: float) -> None:
        """Forget what was heard; the next sample is heard at this stream time."""
        self._begin_s = begin_s
        self._samples = 0
        self._unheard = np.empty(0, np.float32)
        self._matches: deque[MatchFacts] = deque()
        self._running: set[str] = set()
        self._forget_music()

    def _forget_music(self) -> None:
        self._seconds: deque[Float32] = deque(maxlen=HEARD_S)
        self._silent_s = 0
        self._likely: Float64 | None = None

    def take_up(self, similar: SimilarTracks | None) -> None:
        """Go on with other tracks."""
        self._similar = similar

    def note(self, matches: Iterable[MatchFacts]) -> None:
        """Take note of all that is told of matches up to the end of the next `feed`, in its order."""
        self._matches.extend(matches)

    def feed(self, y: Float32) -> list[UnknownFacts]:
        """Take finite mono samples [shape=(n,), dtype=float32] and return what they tell."""
        self._unheard = np.concatenate([self._unheard, y])
        whole = len(self._unheard) // self._sample_rate_hz
        seconds = self._unheard[: whole * self._sample_rate_hz].reshape(whole, self._sample_rate_hz)
        self._unheard = self._unheard[whole * self._sample_rate_hz :].copy()
        return [fact for second in seconds for fact in self._hear(second.copy())]

    def finish(self, next_begin_s: float) -> None:
        """End the stretch of unbroken audio; all matches have ended, the next stretch begins at this time."""
        self._begin(next_begin_s)

    def _hear(self, second: Float32) -> Sequence[UnknownFacts]:
        self._samples += len(second)
        now_s = self._begin_s + self._samples / self._sample_rate_hz
        if self._is_known(now_s):
            self._forget_music()
            return ()
        self._silent_s = self._silent_s + 1 if rms_dbfs(second) < AUDIBLE_DBFS else 0
        if self._silent_s >= PAUSE_S:
            self._forget_music()
            return ()
        self._seconds.append(second)
        due = [kind for kind, look_s in self._look_s.items() if now_s >= look_s]
        if len(self._seconds) < HEARD_S or not due:
            return ()
        facts = [fact for kind in due for fact in self._told(kind, now_s)]
        told = [type(fact) for fact in facts]
        self._look_s |= {kind: now_s + (EVERY_S if kind in told else ASK_AGAIN_S) for kind in due}
        return facts

    def _is_known(self, now_s: float) -> bool:
        """Say whether some match was told that sounds, in the last second or now."""
        known = bool(self._running)
        while self._matches and self._matches[0].stream_s <= now_s:
            match = self._matches.popleft()
            known = True
            if match.phase == "ended":
                self._running.discard(match.match_id)
            else:
                self._running.add(match.match_id)
        return known

    def _told(self, kind: type[UnknownFacts], now_s: float) -> Sequence[UnknownFacts]:
        y, begun_s = np.concatenate(self._seconds), now_s - HEARD_S
        if kind is GenreFacts:
            return () if self._genres is None else (self._genre(self._genres, y, begun_s, now_s),)
        if self._similar is None:
            return ()
        tracks = self._similar.nearest(levelled_row(y, self._sample_rate_hz), NEIGHBOURS)
        return (SoundsLikeFacts(stream_s=now_s, heard_s=begun_s, tracks=tracks),) if tracks else ()

    def _genre(self, model: GenreModel, y: Float32, begun_s: float, now_s: float) -> GenreFacts:
        """Guess the genre: half by what is heard now, half by what was heard before, if it goes on."""
        rows = _windows(y, model, self._sample_rate_hz)
        likely = model.probabilities(rows).mean(axis=0)
        self._likely = likely if self._likely is None else (self._likely + likely) / 2
        told = model.decide(self._likely, float(model.unfamiliar(rows).mean()))
        return GenreFacts(
            stream_s=now_s,
            heard_s=begun_s,
            genre=told.genre or UNSURE,
            probability=told.probability,
            runner_up=told.runner_up if told.genre else told.likeliest,
        )


def _windows(y: Float32, model: GenreModel, sample_rate_hz: int) -> Float64:
    """Return the rows of as many windows as fit, of all of it if the model describes whole tracks."""
    seconds = min(model.window_seconds or HEARD_S, HEARD_S)
    length = round(seconds * sample_rate_hz)
    return np.array(
        [
            np.concatenate([set_named(name).describe([y[first : first + length]]) for name in model.sets])
            for first in range(0, len(y) - length + 1, length)
        ]
    )
