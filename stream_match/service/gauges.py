"""What is read off one source while it is listened to."""

from stream_match.capture.base import Source
from stream_match.capture.queue import BlockQueue
from stream_match.service.health import LastMatch, SourceHealth
from stream_match.service.liveness import Liveness
from stream_match.service.reckoning import Reckoning
from stream_match.service.report import Account
from stream_match.service.session import Session
from stream_match.service.stamp import utc
from stream_match.service.status import Teller
from stream_match.service.watchdog import is_watched
from stream_match.service.world import World


class Gauges:
    """Reads the health of a source off those who look after it.

    Parameters
    ----------
    source : Source
    title : str or None
        What a person calls it.
    account : Account
        Its sums.
    reckoning : Reckoning
        Its times and losses.
    teller : Teller
        Its state.
    world : World
        Clocks.

    Attributes
    ----------
    liveness : Liveness
        Is given signs by the supervision.
    queue : BlockQueue or None
        Of the opening of now.
    session : Session or None
        The last one.
    """

    def __init__(
        self,
        source: Source,
        title: str | None,
        account: Account,
        reckoning: Reckoning,
        teller: Teller,
        world: World,
    ) -> None:
        self.liveness = Liveness(world.monotonic)
        self.queue: BlockQueue | None = None
        self.session: Session | None = None
        self._source = source
        self._title = title
        self._account = account
        self._reckoning = reckoning
        self._teller = teller
        self._world = world

    def read(self) -> SourceHealth:
        """Return how the source is now."""
        teller, reckoning, account = self._teller, self._reckoning, self._account
        queue_s = 0.0 if self.queue is None else self.queue.buffered_s
        last_audio = reckoning.last_audio
        return SourceHealth(
            source=self._source.name,
            source_name=self._title,
            uri=self._source.uri,
            live=reckoning.live,
            state=teller.state,
            reason=teller.reason,
            attempt=teller.attempt,
            since=utc(self._world.time_of_day(teller.since)),
            hint=teller.hint,
            stuck=self.liveness.trouble(
                teller.state, audio_waits=queue_s > 0, is_watched=is_watched(self._source)
            ),
            last_audio_at=None if last_audio is None else utc(last_audio),
            level_dbfs=teller.level_dbfs,
            audio_s=account.audio_s,
            engine_s=account.engine_s,
            real_time_factor=account.real_time_factor,
            queue_s=queue_s,
            waited_s=account.waited_s,
            dropped_s=account.dropped_s,
            overruns=account.overruns,
            outage_s=account.outage_s,
            reconnects=account.reconnects,
            onsets_suppressed=teller.onsets_suppressed,
            matches=account.matches,
            sounds=account.sounds,
            last_match=None if teller.last_match is None else LastMatch.of(teller.last_match),
            best_candidate_score=None if self.session is None else self.session.best_candidate_score,
        )
