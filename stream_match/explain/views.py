"""What a picture shows of a file and a track: chromagrams, agreement of codes, scores over time.

Times are those of the audio: a code or a step stands in the middle of what it spans.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.explain.watch import History, Watch
from stream_match.features.coarse_chroma import StepClock, decoded
from stream_match.identify import Finding
from stream_match.index.harmony import Harmony
from stream_match.index.lines import as_words
from stream_match.index.port import CataloguePort
from stream_match.match.recording.query import shifts_semitones

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MOST_ROWS = 1200
"""Reference places drawn at most; of those that share a row, the one that agrees best is seen."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of a file or of a track [seconds]."""

    begin_s: float
    end_s: float

    def wider(self, seconds: float) -> "Stretch":
        """Return the stretch with so much more at each end."""
        return Stretch(self.begin_s - seconds, self.end_s + seconds)

    def rows(self, first_s: float, step_s: float, n_rows: int) -> slice:
        """Return which of `n_rows` rows reach into the stretch; `first_s` is the middle of the first."""
        begin, end = ((s - first_s) / step_s + 0.5 for s in (self.begin_s, self.end_s))
        first, last = np.clip([math.floor(begin), math.ceil(end)], 0, n_rows)
        return slice(int(first), int(last))


@dataclass(frozen=True)
class Chromagram:
    """Coarse chroma of a stretch.

    Parameters
    ----------
    stretch : Stretch
        What its steps span.
    steps : np.ndarray [shape=(n_steps, 12), dtype=float32]
        Values in [0, 1]; C first.
    """

    stretch: Stretch
    steps: Float32

    @classmethod
    def cut(cls, steps: Float32, settings: FeatureSettings, stretch: Stretch) -> "Chromagram":
        """Cut a stretch out of the steps of a whole file or track."""
        clock = StepClock(settings, 0.0)
        rows = stretch.rows(clock.centre_s(0), clock.step_s, len(steps))
        begin_s = clock.centre_s(rows.start) - clock.step_s / 2
        cut = steps[rows]
        return cls(Stretch(begin_s, begin_s + len(cut) * clock.step_s), cut)


@dataclass(frozen=True)
class Agreement:
    """How alike every moment heard and every place of a track are.

    Parameters
    ----------
    heard, reference : Stretch
        What columns and rows span.
    values : np.ndarray [shape=(n_reference, n_heard), dtype=float32]
        1 where all is alike, about 0 where chance decides; 0 in silence.
    """

    heard: Stretch
    reference: Stretch
    values: Float32


@dataclass(frozen=True)
class Course:
    """Scores over time, one value per decision; nan where there was none.

    Parameters
    ----------
    stream_s : np.ndarray [shape=(n,), dtype=float64]
    score : np.ndarray [shape=(n,), dtype=float64]
        Of the track that is explained.
    runner_up : np.ndarray [shape=(n,), dtype=float64]
        Of the best track that is not the same music; not always the same track.
    rival : str or None
        Id of the track that was the runner-up with the highest score.
    votes : np.ndarray [shape=(n, 2), dtype=float64]
        Of FAISS and of the LSH tables for the track; empty in the version lane.
    """

    stream_s: Float64
    score: Float64
    runner_up: Float64
    rival: str | None
    votes: Float64


def course_of(lane: History, track: str | None, same: frozenset[str]) -> Course:
    """Return the scores of a track and of the best other one over time.

    Parameters
    ----------
    lane : History
    track : str or None
        Its id.
    same : frozenset of str
        Tracks that hold the same music.
    """
    own = {track, *same}
    others = [
        [(score, other) for other, score in scores.items() if other not in own] for scores in lane.scores
    ]
    votes = [votes.get(track or "", (0, 0)) for votes in lane.votes] if any(lane.votes) else []
    return Course(
        stream_s=np.array(lane.stream_s, np.float64),
        score=np.array([scores.get(track or "", np.nan) for scores in lane.scores], np.float64),
        runner_up=np.array([max(some)[0] if some else np.nan for some in others], np.float64),
        rival=max((one for some in others for one in some), default=(0.0, None))[1],
        votes=np.array(votes, np.float64).reshape(-1, 2),
    )


def code_agreement(
    catalogue: CataloguePort, watch: Watch, track: int, found: Finding | None, heard: Stretch, place: Stretch
) -> Agreement:
    """Compare the codes heard with those of a track, bit by bit, as verification does.

    Parameters
    ----------
    catalogue : CataloguePort
    watch : Watch
        Has seen at least one decision.
    track : int
    found : Finding or None
        Its semitones say at which shift the codes are taken, its line at which frames.
    heard, place : Stretch
        Of the file and of the track.
    """
    settings = catalogue.settings.listening()
    middle_s, stride = settings.span_s / 2, settings.code_stride_frames
    first = _phase(found, settings)
    words, audible = watch.words[_shift(found), first::stride], watch.audible[first::stride]
    begin_s = _first_middle_s(settings) + first * settings.frame_s
    # The middle of what the first codes span lies before the file.
    shown = Stretch(begin_s, heard.end_s) if heard.begin_s <= 0 else heard
    columns = shown.rows(begin_s, settings.code_s, len(words))
    track_words, track_audible = as_words(catalogue.codes(track)), catalogue.audible(track)
    rows = place.rows(middle_s, settings.code_s, len(track_words))
    differing = np.zeros((len(track_words[rows]), len(words[columns])), np.uint16)
    for theirs, ours in zip(track_words[rows].T, words[columns].T, strict=True):
        differing += np.bitwise_count(theirs[:, np.newaxis] ^ ours)
    values = np.float32(1) - differing * np.float32(2 / settings.n_bits)
    values *= track_audible[rows, np.newaxis] & audible[columns]
    return _placed(values, settings.code_s, begin_s, columns, middle_s, rows)


def chroma_agreement(
    harmony: Harmony, steps: Float32, track: int, key: int, heard: Stretch, place: Stretch
) -> Agreement:
    """Compare the harmony heard with that of a track: cosine of their coarse chroma about the means.

    Parameters
    ----------
    harmony : Harmony
    steps : np.ndarray [shape=(n_steps, 12), dtype=float32]
        Of the whole file.
    track : int
    key : int
        Semitones that the file is higher.
    heard, place : Stretch
        Of the file and of the track.
    """
    clock = StepClock(harmony.settings, 0.0)
    theirs = np.roll(decoded(harmony.track_chroma(track)), key, axis=1)
    columns = heard.rows(clock.centre_s(0), clock.step_s, len(steps))
    rows = place.rows(clock.centre_s(0), clock.step_s, len(theirs))
    values = _directions(theirs)[rows] @ _directions(steps)[columns].T
    return _placed(values, clock.step_s, clock.centre_s(0), columns, clock.centre_s(0), rows)


def _placed(
    values: Float32, step_s: float, columns_s: float, columns: slice, rows_s: float, rows: slice
) -> Agreement:
    """Return values with what they span; `columns_s` and `rows_s` are the middles of columns and rows 0."""
    n_rows, n_columns = values.shape
    heard_s, place_s = columns_s + (columns.start - 0.5) * step_s, rows_s + (rows.start - 0.5) * step_s
    return Agreement(
        Stretch(heard_s, heard_s + n_columns * step_s),
        Stretch(place_s, place_s + n_rows * step_s),
        _thinned(values),
    )


def _thinned(values: Float32) -> Float32:
    """Return at most `MOST_ROWS` rows, each the maximum of some; means would wash thin lines out."""
    each = -(-len(values) // MOST_ROWS)
    if each <= 1:
        return values
    thinned: Float32 = np.maximum.reduceat(values, np.arange(0, len(values), each), axis=0)
    return thinned


def _shift(found: Finding | None) -> int:
    """Return the number of the shift at which a match was found: turntables are told more exactly."""
    semitones = 0.0 if found is None else found.semitones
    return int(np.argmin(np.abs(np.array(shifts_semitones()) - semitones)))


def _phase(found: Finding | None, settings: FeatureSettings) -> int:
    """Return the first frame that meets a position of the reference along the line found."""
    if found is None:
        return 0
    frames = np.arange(settings.code_stride_frames)
    heard_s = _first_middle_s(settings) + frames * settings.frame_s
    place_s = found.reference_s + (heard_s - found.query_s) * found.speed - settings.span_s / 2
    return int(np.argmin(np.abs(place_s / settings.code_s - np.rint(place_s / settings.code_s))))


def _first_middle_s(settings: FeatureSettings) -> float:
    """Return when the middle sounded of what the first code spans: before the file began."""
    return settings.first_span_s - settings.span_s / 2


def _directions(steps: Float32) -> Float32:
    """Return where each audible step lies from their mean, as unit vectors; silence stays zero."""
    audible = steps.any(axis=1)
    away = np.zeros_like(steps)
    if audible.any():
        away[audible] = steps[audible] - steps[audible].mean(axis=0)
    directions: Float32 = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 0.15)
    return directions
