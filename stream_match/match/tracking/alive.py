"""Whether a match still sounds: one sequential test, a CUSUM of the correlation that it lacks."""

from dataclasses import dataclass

from stream_match.match import tuning


def least_correlation(level: float) -> float:
    """Return the correlation below which a match lacks some, given that while it sounds, 0 to 1."""
    above_chance = max(level - tuning.OVER_CORRELATION, tuning.OVER_CORRELATION / 2)
    return tuning.OVER_CORRELATION + tuning.ALIVE_SHARE * above_chance


@dataclass(frozen=True)
class Presence:
    """What a match lacks so far: a CUSUM (Page 1954, Continuous inspection schemes)."""

    heard_s: float  # stream time up to which nothing was missing
    missing: float = 0.0  # sum since then of correlation times seconds

    @property
    def lost(self) -> bool:
        """Whether the match is over."""
        return self.missing > tuning.MISSING_AT_END

    def ended_s(self, span_s: float) -> float:
        """Return when the match ended, should it be over; correlations are those of audio of `span_s`."""
        return self.heard_s - (tuning.SILENT_AT_END * span_s if self.missing else 0.0)

    def after_sound(self, now_s: float, seconds: float, correlation: float, least: float) -> "Presence":
        """Return what is missing after so many more seconds of sound, up to `now_s`, that correlate so."""
        missing = max(0.0, self.missing + (least - correlation) * seconds)
        return Presence(self.heard_s if missing else now_s, missing)

    def after_silence(self, seconds: float) -> "Presence":
        """Return what is missing after a silence that the reference does not have."""
        return Presence(self.heard_s, self.missing + tuning.MISSING_AT_END * seconds / tuning.MAX_PAUSE_S)
