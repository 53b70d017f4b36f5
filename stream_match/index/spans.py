"""Lengths of time in reference positions, however far apart an index has its codes.

All lengths and thresholds of the recording lane were measured with codes 186 ms apart. Successive codes share
most of what they have heard, so that what chance gives depends on seconds, not on the number of codes.
"""

from dataclasses import dataclass

from stream_match.config import FeatureSettings
from stream_match.errors import ParameterError

STANDARD_CODE_S = FeatureSettings().code_s
"""Seconds between two codes, with the default settings."""

FARTHEST_CODES_S = 0.75
"""With fewer codes, the shortest line that is looked at would not have one."""


@dataclass(frozen=True)
class Spans:
    """Turns lengths of time into positions.

    Parameters
    ----------
    code_s : float
        Seconds from one position to the next.
    """

    code_s: float = STANDARD_CODE_S

    @classmethod
    def of(cls, settings: FeatureSettings) -> "Spans":
        """Return those of an index.

        Raises
        ------
        ParameterError
            If its codes are too far apart to be looked at.
        """
        if settings.code_s > FARTHEST_CODES_S:
            raise ParameterError(
                f"code_stride_frames and hop_samples put codes {settings.code_s:.2f} s apart, "
                f"expected {FARTHEST_CODES_S} s at most"
            )
        return cls(settings.code_s)

    @property
    def scale(self) -> float:
        """Positions for each one of the default settings."""
        return STANDARD_CODE_S / self.code_s

    def positions(self, seconds: float) -> int:
        """Return how many positions a length of time has, 1 at least."""
        return max(1, round(seconds / self.code_s))

    def evidence(self, positions: int) -> float:
        """Return how many positions of the default settings say as much as some of these."""
        return positions / self.scale


STANDARD = Spans()
"""Those of the default settings."""


@dataclass(frozen=True)
class CodeClock:
    """Turns positions into seconds."""

    spans: Spans
    span_s: float  # of audio that a code has heard
    first_span_s: float  # that the code at position 0 of the stream has heard
    begin_s: float  # stream time at which that began

    @classmethod
    def of(cls, settings: FeatureSettings, begin_s: float = 0.0) -> "CodeClock":
        """Return that of an index, for audio that begins at a stream time."""
        return cls(Spans.of(settings), settings.span_s, settings.listening().first_span_s, begin_s)

    def stream_s(self, position: float) -> float:
        """Return the stream time up to which the code at a position has heard."""
        return self.begin_s + self.first_span_s + position * self.spans.code_s

    def reference_s(self, position: float) -> float:
        """Return the time in a track up to which the code at a position has heard."""
        return position * self.spans.code_s + self.span_s


STANDARD_CLOCK = CodeClock.of(FeatureSettings())
"""That of a stream from its beginning, with the default settings."""


def doublings(shortest_s: float, longest_s: float) -> tuple[float, ...]:
    """Return lengths that double from the shortest, and the longest."""
    lengths = [shortest_s]
    while 2 * lengths[-1] < longest_s:
        lengths.append(2 * lengths[-1])
    return (*lengths, longest_s)
