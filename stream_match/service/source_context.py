"""What belongs to one source, whichever opening and engine it is at."""

import asyncio
import math

from stream_match.capture.base import Source
from stream_match.clips import SourceAudio
from stream_match.publish.tasks import first_of
from stream_match.service.beside import beside_store
from stream_match.service.gauges import Gauges
from stream_match.service.hearing import Hearing
from stream_match.service.hints import Expected, Hints
from stream_match.service.intake import unless
from stream_match.service.pause import Pause
from stream_match.service.reckoning import Reckoning
from stream_match.service.retry import Retry
from stream_match.service.shared import Shared
from stream_match.service.stamp import Stamper
from stream_match.service.status import Teller
from stream_match.service.steering import Steering
from stream_match.store.pauses import PauseShelf


class SourceContext:
    """What one source has over all its openings and engines: its state, times, sums and switches.

    Parameters
    ----------
    source : Source
        What is listened to.
    source_name : str or None
        What a person calls it.
    hearing : Hearing
        What it is heard with, to begin with.
    shared : Shared
        What it has in common with the others.
    audio : SourceAudio
        Keeps what is to be kept of its audio.

    Attributes
    ----------
    source, shared, audio
        As given.
    hearing : Hearing
        What it is heard with from the next piece of audio on.
    hearing_changed : asyncio.Event
        Set when it is to be heard with something else.
    stop : asyncio.Event
        Set when it has to end.
    stop_reason : str or None
        Why, if there is more to say than that somebody wants it.
    account : Account
        Its sums.
    reckoning : Reckoning
        Its times and losses.
    teller : Teller
        Tells its state and its events.
    gauges : Gauges
        For its health.
    retry : Retry
        The waits between attempts.
    pause : Pause
        Its switch.
    steering : Steering
        For who wants to pause it, or ask it something.
    """

    def __init__(
        self,
        source: Source,
        source_name: str | None,
        hearing: Hearing,
        shared: Shared,
        audio: SourceAudio,
    ) -> None:
        world = shared.world
        self.source = source
        self.hearing = hearing
        self.shared = shared
        self.audio = audio
        self.hearing_changed = asyncio.Event()
        self.stop = asyncio.Event()
        self.stop_reason: str | None = None
        self.account = shared.report.account(source.name)
        self.reckoning = Reckoning(source, shared.pace, world, self.account)
        stamper = Stamper(shared.node, source.name, source_name, shared.ids, shared.names.hear, audio.note)
        self._hints = Hints(self._expected(), source.uri)
        self.teller = Teller(
            stamper,
            self.reckoning,
            self._hints,
            shared.publish,
            world.monotonic,
            lambda: self.hearing.degraded,
        )
        self.gauges = Gauges(source, source_name, self.account, self.reckoning, self.teller, world)
        always_max_s = getattr(source, "reconnect_max_s", math.inf)  # a device may be asked often
        self.retry = Retry(source.name, shared.reconnect_max_s, world, always_max_s=always_max_s)
        shelf = None if shared.store is None else PauseShelf(shared.store)
        self.pause = Pause(source.name, shelf, beside_store(world, shared.store))
        self.steering = Steering(
            source.name, self.pause, lambda: self.teller.state, hearing.settings.max_false_alarms_per_hour
        )

    @property
    def is_stopping(self) -> bool:
        """Whether it, or the service, has to end."""
        return self.stop.is_set() or self.shared.stop.is_set()

    def is_to_be_closed(self) -> bool:
        """Whether a pause closes the source: what is not live would begin anew, and is let pass instead."""
        unknown = "://" in self.source.uri and not self.reckoning.stream_s
        return self.pause.on and (self.reckoning.live or unknown)

    def hear_with(self, hearing: Hearing) -> None:
        """Go on with other engines."""
        self.hearing = hearing
        self._hints.expected = self._expected()
        self.steering.made_with(hearing.settings.max_false_alarms_per_hour)
        self.hearing_changed.set()

    async def wait_for_return(self, reason: str, ago_s: float = 0.0) -> None:
        """Tell that nobody hears the source, and wait until it is worth another attempt, or to be paused.

        Parameters
        ----------
        reason : str
            Why.
        ago_s : float, >= 0 [seconds]
            How long ago it was lost.
        """
        wait_s = self.retry.lost(reason, ago_s=ago_s)
        self.account.reconnects += 1
        self.gauges.liveness.sign(wait_s=wait_s)
        await self.teller.become("reconnecting", reason=reason, attempt=self.retry.attempt)
        await first_of(unless(self.stop, wait_s, self.shared.world), self.pause.until(on=True))

    def _expected(self) -> Expected:
        """Return what is looked for now, for hints."""
        hearing, hints = self.hearing, self.shared.hints
        return Expected(
            tracks=lambda: None if hearing.catalogue is None else hearing.catalogue.tracks,
            sounds=hearing.settings.onsets.enabled,
            after_s=hints.after_hours * 3600,
            silence_s=hints.silence_minutes * 60,
        )
