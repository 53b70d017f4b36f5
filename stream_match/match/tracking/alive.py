"""Whether a match still sounds: one sequential test, a CUSUM of the correlation that it lacks."""

from dataclasses import dataclass

from stream_match.match import tuning


def least_correlation(level: float) -> float:
    """Return the correlation below which a match lacks some: between one that sounds and one that is over.

    Parameters
    ----------
    level : float, 0 to 1
        Correlation of the match while it sounds.
    """
    above_chance = max(level - tuning.OVER_CORRELATION, tuning.OVER_CORRELATION / 2)
    return tuning.OVER_CORRELATION + tuning.ALIVE_SHARE * above_chance


@dataclass(frozen=True)
class Presence:
    """What a match lacks so far.

    Parameters
    ----------
    heard_s : float
        Stream time up to which nothing was missing: where the match ended, should it be over.
    missing : float, >= 0 [correlation times seconds]
        Sum of what was missing since then.

    References
    ----------
    Page, E. S. (1954), Continuous inspection schemes.
    """

    heard_s: float
    missing: float = 0.0

    @property
    def lost(self) -> bool:
        """Whether the match is over."""
        return self.missing > tuning.MISSING_AT_END

    def ended_s(self, span_s: float) -> float:
        """Return when the match ended, should it be over.

        Parameters
        ----------
        span_s : float
            Length of the audio whose correlation is given at a time.
        """
        return self.heard_s - (tuning.SILENT_AT_END * span_s if self.missing else 0.0)

    def after_sound(self, now_s: float, seconds: float, correlation: float, least: float) -> "Presence":
        """Return what is missing after some more audio.

        Parameters
        ----------
        now_s : float
            Stream time.
        seconds : float
            Length of the audio that sounded, up to then.
        correlation : float
            With the reference over this audio.
        least : float
            From `least_correlation`.
        """
        missing = max(0.0, self.missing + (least - correlation) * seconds)
        return Presence(self.heard_s if missing else now_s, missing)

    def after_silence(self, seconds: float) -> "Presence":
        """Return what is missing after a silence that the reference does not have."""
        return Presence(self.heard_s, self.missing + tuning.MISSING_AT_END * seconds / tuning.MAX_PAUSE_S)
