"""Why nothing may be detected: what is wrong with the sound, and with what is looked for in it.

That a source runs and nothing of it is told is the commonest complaint about listeners. Each cause is a small
state machine that counts samples, never seconds of a clock. One sentence stands in the status events while
its cause lasts, and is gone when that is over.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.events import (
    Facts,
    GenreFacts,
    MatchFacts,
    OnsetClusterFacts,
    OnsetFacts,
    SoundsLikeFacts,
)

Cause = Literal["silent", "clipped", "offset", "faint", "empty", "nothing"]

SILENT_PEAK = 3e-5
"""Largest sample of digital silence: one step of 16 bits, which a muted input may still dither. A higher
value calls a very quiet room silent; a lower one calls dither sound."""

FAINT_DBFS = -60.0
"""RMS level of a second below which sound is very faint. Quiet passages of recordings are above it; the own
noise of a microphone may be below."""

FAINT_S = 600.0
"""How long every second has to be faint before it is told: longer than a pause, shorter than a night."""

SOUND_AGAIN_S = 5.0
"""How long a silent or faint source has to sound before its hint is withdrawn: a click is no sound."""

WINDOW_S = 60.0
"""Stretch over which clipping and offset are judged."""

FULL_SCALE = 0.99
"""Size of a sample from which on it may be clipped; a resampler rounds the corners."""

CLIPPED_SHARE = 0.01
"""Share of clipped samples in a window that is told. Loud masters of music stay below it; an input that is
driven too hard is above. The hint is withdrawn below half of it."""

OFFSET = 0.05
"""Mean of the samples in a window that is told, if it has most of the power, too: a direct current that no
sound makes."""


@dataclass(frozen=True)
class Expected:
    """What is looked for in a source, and after what time it is odd that there was nothing.

    Attributes
    ----------
    tracks : callable () -> int or None
        Returns how many tracks are looked for; None if none are, for want of an index or by a setting.
    sounds : bool
        Whether sounds are listened for.
    after_s : float [seconds]
        Audio in which nothing was detected before it is told.
    silence_s : float [seconds]
        Digital silence before it is told.
    """

    tracks: Callable[[], int | None] = lambda: None
    sounds: bool = True
    after_s: float = 12 * 3600.0
    silence_s: float = 300.0


class Lasting:
    """Holds once something was true for long enough, until it was false for long enough.

    Parameters
    ----------
    begin_s, end_s : float [seconds]
        Audio in which it must be true, or false, without a break.

    Attributes
    ----------
    holds : bool
    """

    def __init__(self, begin_s: float, end_s: float) -> None:
        self.holds = False
        self._needed = {False: _samples(begin_s), True: _samples(end_s)}
        self._against = 0  # samples in a row that speak against what holds

    def hear(self, samples: int, *, is_true: bool) -> None:
        """Take note of audio in which it was true or false."""
        self._against = 0 if is_true == self.holds else self._against + samples
        if self._against >= self._needed[self.holds]:
            self.holds, self._against = is_true, 0


class Hints:
    """Listens to one source, and says why nothing may be detected in it.

    Parameters
    ----------
    expected : Expected
        What is looked for; may be replaced.
    uri : str
        Of the source: what helps depends on its kind.
    """

    def __init__(self, expected: Expected, uri: str) -> None:
        self.expected = expected
        self._uri = uri
        self._since_match = self._since_sound = 0  # samples
        self._is_music = False  # whether music was heard that no match explains, since the last match
        self.forget()

    def forget(self) -> None:
        """Forget how it sounded: the source was lost. What was detected, and when, stays."""
        self._silent = Lasting(self.expected.silence_s, SOUND_AGAIN_S)
        self._faint = Lasting(FAINT_S, SOUND_AGAIN_S)
        self._clipped = Lasting(WINDOW_S, WINDOW_S)
        self._offset = Lasting(WINDOW_S, WINDOW_S)
        self._window = _Window()

    def hear(self, y: npt.NDArray[np.float32]) -> None:
        """Take note of samples.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            A second at most; full scale is 1. It is not kept.
        """
        if not y.size:
            return
        self._since_match += y.size
        self._since_sound += y.size
        size = np.abs(y)
        power = float(np.dot(y, y))
        if not math.isfinite(power):  # no level can be told of it
            return
        silent = float(size.max()) < SILENT_PEAK
        self._silent.hear(y.size, is_true=silent)
        faint = power < y.size * 10 ** (FAINT_DBFS / 10)
        self._faint.hear(y.size, is_true=faint and not silent)
        clipped = int(np.count_nonzero(size >= FULL_SCALE))
        self._window.hear(y.size, clipped, float(y.sum(dtype=np.float64)), power)
        if self._window.samples >= _samples(WINDOW_S):
            self._judge(self._window)
            self._window = _Window()

    def note(self, facts: Iterable[Facts]) -> None:
        """Take note of what was detected."""
        for fact in facts:
            if isinstance(fact, MatchFacts):
                self._since_match, self._is_music = 0, False
            elif isinstance(fact, OnsetFacts | OnsetClusterFacts):
                self._since_sound = 0
            elif isinstance(fact, SoundsLikeFacts | GenreFacts):
                self._is_music = True

    @property
    def cause(self) -> Cause | None:
        """What the hint is about, None if there is none; of several causes, the one that explains most."""
        if self._silent.holds:
            return "silent"
        if self._clipped.holds:
            return "clipped"
        if self._offset.holds:
            return "offset"
        if self._faint.holds:
            return "faint"
        if self.expected.tracks() == 0:
            return "empty"
        return "nothing" if self._is_overdue() else None

    @property
    def text(self) -> str | None:
        """The hint: what was noticed, why it may be, what to do; None if there is none."""
        cause = self.cause
        if cause == "silent":
            return (
                f"Digital silence for more than {_length(self.expected.silence_s)}: {_why_silent(self._uri)}"
            )
        return self._nothing() if cause == "nothing" else SENTENCES.get(cause or "")

    def _judge(self, window: "_Window") -> None:
        limit = CLIPPED_SHARE / 2 if self._clipped.holds else CLIPPED_SHARE
        self._clipped.hear(window.samples, is_true=window.clipped >= limit * window.samples)
        mean = window.sum / window.samples
        has_most_power = mean * mean > 0.5 * window.power / window.samples
        self._offset.hear(window.samples, is_true=has_most_power and abs(mean) >= OFFSET)

    def _is_overdue(self) -> bool:
        """Whether it is odd that nothing was detected: no track, or no sound where no index is searched."""
        if self.expected.tracks():
            return self._since_match >= _samples(self.expected.after_s)
        return self.expected.sounds and self._since_sound >= _samples(self.expected.after_s)

    def _nothing(self) -> str:
        # How long it is by now is not said: the sentence would be another one each time.
        after, tracks = f"For more than {_length(self.expected.after_s)}", self.expected.tracks()
        if not tracks:
            return f"{after} no sound began, and no index is searched: {ELSEWHERE}, or give an index."
        if self._is_music:
            return f"{after} no track was recognised: there is music that the index ({tracks} tracks) lacks."
        if self.expected.sounds and self._since_sound >= _samples(self.expected.after_s):
            return f"{after} neither a track nor a sound was detected: {ELSEWHERE}."
        return (
            f"{after} no track was recognised: it may be talk only, or music that the index "
            f"({tracks} tracks) lacks."
        )


ELSEWHERE = "check that this is the right input, and its level"

SENTENCES: dict[str, str] = {
    "clipped": "The sound is clipped, so little is recognised: turn down the input, or what feeds it.",
    "offset": "The samples have a constant offset (DC): check cable, sound card and sample format.",
    "faint": f"The sound is very faint, below {FAINT_DBFS:.0f} dBFS: turn up the input or check the cable.",
    "empty": "The index has no tracks, so none can be recognised: stream-match index add DIR PATH…",
}
"""What is said of a cause, where that is always the same."""


class _Window:
    """Sums over a stretch of sound."""

    def __init__(self) -> None:
        self.samples = self.clipped = 0
        self.sum = self.power = 0.0

    def hear(self, samples: int, clipped: int, total: float, power: float) -> None:
        self.samples += samples
        self.clipped += clipped
        self.sum += total
        self.power += power


def _why_silent(uri: str) -> str:
    kind = uri.partition(":")[0].lower()
    if kind == "mic":
        return (
            "the microphone may be muted or unplugged, or it is another device or channel "
            "(stream-match devices lists them)."
        )
    if kind == "pcm":
        return "the program that writes the samples writes zeros, or the sound is on another channel."
    if "://" in uri:
        return "the station may be off the air, or its sound is on another channel."
    return "nothing is recorded there, or the sound is on another channel."


def _length(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
