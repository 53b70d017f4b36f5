"""How far a source has been heard, when that was, and what was lost of it."""

from typing import Literal

from stream_match.capture.base import SAMPLE_RATE_HZ, Block, Source
from stream_match.service.intake import is_recording
from stream_match.service.report import Account
from stream_match.service.stamp import HeardClock
from stream_match.service.world import World


class Reckoning:
    """Stream time, the moments at which it was heard, and losses.

    All durations are monotonic. The wall clock is asked only when a moment is named, so that a clock that is
    set loses no audio, and later events have its new time.

    Parameters
    ----------
    source : Source
        What is heard.
    pace : str
        ``"fast"``: a recording has the times that it would have, had it been played.
    world : World
        Clocks.
    account : Account
        Takes the losses too.

    Attributes
    ----------
    stream_s : float [seconds]
        Audio since the source first began, gaps of known length included.
    opened_s : float [seconds]
        Stream time at the last opening.
    dropped_s : float [seconds]
        Audio lost by overrun: in our queue, or in the buffer of a device.
    outage_s : float [seconds]
        Audio lost while the source or the matcher was away.
    """

    def __init__(self, source: Source, pace: Literal["real", "fast"], world: World, account: Account) -> None:
        self.stream_s = 0.0
        self.opened_s = 0.0
        self.dropped_s = 0.0
        self.outage_s = 0.0
        self._source = source
        self._pace = pace
        self._world = world
        self._account = account
        self._clock = HeardClock(world.monotonic())
        self._heard_until: float | None = None  # monotonic
        self._fresh = True  # the next audio begins a new reckoning of time
        self._heard_live = False
        self._excused = False  # what is missing before the next audio is no outage

    def open(self) -> None:
        """Take note that the source is opened anew."""
        self.opened_s = self.stream_s
        self._fresh = True

    def take(self, piece: Block, waiting_s: float) -> None:
        """Take note of a piece, behind which `waiting_s` wait in the queue."""
        self.stream_s += piece.gap_s + piece.y.size / SAMPLE_RATE_HZ
        self.dropped_s += piece.overrun_s
        self._account.dropped_s += piece.overrun_s
        self._account.overruns += piece.overrun_s > 0
        if piece.y.size:
            self._heard_live |= self._source.live
            if not self._read_fast:
                self._keep_time(piece, self._world.monotonic() - waiting_s)
                self._account.waited_s = max(self._account.waited_s, waiting_s)
            self._fresh = self._excused = False
            self._heard_until = self._clock.at(self.stream_s)

    def excuse(self) -> None:
        """Count nothing as lost until audio is heard again: nobody wanted to listen."""
        self._excused = True

    def lose(self, seconds: float) -> None:
        """Count audio that nobody heard because the source or the matcher was away."""
        self.outage_s += max(0.0, seconds)
        self._account.outage_s += max(0.0, seconds)

    def end_away(self) -> None:
        """Count a last outage, from which the source does not come back."""
        if self.live and self._heard_until is not None:
            self.lose(self._world.monotonic() - self._heard_until)

    def moment(self, stream_s: float) -> float:
        """Return the time of day at which a place in the stream was heard [seconds since 1970]."""
        return self._world.time_of_day(self._clock.at(stream_s))

    @property
    def live(self) -> bool:
        """Whether an end is an interruption: it is live, or has been heard live.

        A station may answer with a file now and then: an announcement that it is off the air.
        """
        return self._source.live or self._heard_live

    @property
    def last_audio(self) -> float | None:
        """The time of day at which audio was last heard [seconds since 1970]; None if none was."""
        return None if self._heard_until is None else self._world.time_of_day(self._heard_until)

    @property
    def now(self) -> float:
        """The time of day at which a status is told [seconds since 1970]."""
        return self.moment(self.stream_s) if self._read_fast else self._world.now()

    @property
    def _read_fast(self) -> bool:
        return self._pace == "fast" and is_recording(self._source)

    def _keep_time(self, piece: Block, arrived: float) -> None:
        """Reckon when the end of a piece was heard; `arrived` is monotonic."""
        if self._fresh and self.live and self._heard_until is not None and not self._excused:
            # What the queue dropped after the opening is counted as an overrun already.
            self.lose(arrived - piece.y.size / SAMPLE_RATE_HZ - piece.gap_s - self._heard_until)
        # A gap of known length moves stream time on, and the reckoning of time stays true.
        if self._fresh or (piece.discontinuity and not piece.gap_s):
            self._clock.begin(arrived, self.stream_s)
        self._clock.hear(arrived, self.stream_s)
