"""The sink that publishes to an MQTT broker.

Every event is published and acknowledged before it leaves the outbox, so it arrives at least once and in
order, whatever happens to the broker meanwhile. A broker that is absent is asked again after growing waiting
times. What the broker refuses, or what breaks the connection again and again, is dealt with by `policy`.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Hashable
from typing import Self

from stream_match.events import ENDED_STATES, Event, MatchEvent, StatusEvent
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.delivery import FLUSH_S, OutboxSink
from stream_match.publish.dialect import Dialect
from stream_match.publish.mqtt import Connection, check_certificates, connect
from stream_match.publish.outbox import CAPACITY
from stream_match.publish.policy import AwayError, BusyError, RefusedError, cause
from stream_match.publish.reasons import BLAMELESS
from stream_match.publish.serving import Desk, Offer
from stream_match.publish.suspicion import Suspicion
from stream_match.publish.tasks import first_of

STEADY_S = 30.0
"""A connection that has lasted so long is sought again soon when it breaks."""

QUOTA_FIRST_S = 1.0
QUOTA_CAP_S = 60.0
"""Waiting times while a quota is exceeded: asking costs one message, and what waits gets older."""

INBOX = 100
"""Messages that wait to be looked at: a flood of requests must not fill the memory."""

log = logging.getLogger(__name__)


class MqttSink(OutboxSink):
    """Publishes events, and keeps the retained topics of a node true.

    Parameters
    ----------
    address : Address
        The broker.
    node : str
        Name of this listener in the topics.
    backoff : Backoff, optional
        Waiting times between attempts to connect.
    capacity : int
        How many events may wait while the broker is away.
    flush_s : float [seconds]
        How long leaving may take.
    dialect : Dialect, optional
        The version of MQTT to try first.
    """

    def __init__(
        self,
        address: Address,
        *,
        node: str,
        backoff: Backoff | None = None,
        capacity: int = CAPACITY,
        flush_s: float = FLUSH_S,
        dialect: Dialect | None = None,
    ) -> None:
        super().__init__(address.uri, backoff=backoff, capacity=capacity, flush_s=flush_s)
        self._address = address
        self._node = node
        self._dialect = dialect or Dialect()
        self._retained = topics.Retained(address.base)
        self._connection: Connection
        self._may_subscribe = True
        self._subscribed: set[str] = set()
        self._stopping = False  # whether the last word was said, or is being said
        self._met = False  # whether there was a connection, which left states on the broker
        self._quota = Backoff(QUOTA_FIRST_S, QUOTA_CAP_S)
        self._suspicion = Suspicion()
        self._in_flight: tuple[Hashable, topics.Message] | None = None
        # The largest of the messages of QoS 0 since the last acknowledgement: they get none of their own.
        self._unanswered: topics.Message | None = None
        # Its own per sink, so that two listeners of one name do not throw each other out for ever,
        # but kept over reconnects, so that the broker ends the broken session before it opens the new one.
        self._client_id = f"stream_match-{node}-{secrets.token_hex(4)}"
        self._desk: Desk | None = None
        self._serving: asyncio.Task[None] | None = None

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:
        """Make the sink of ``mqtt://…`` or ``mqtts://…``; see `Address.parse`."""
        return cls(Address.parse(uri), node=node)

    def serve(self, offer: Offer) -> None:
        """Answer requests, and tell what the offer says; to be said before the sink is opened."""
        self._desk = Desk(offer, self._address.base, self._node, self._wake.set)

    def tell_again(self) -> None:
        """Take note that what the offer says has changed."""
        if self._desk is not None:
            self._desk.is_stale = True
            self._wake.set()

    @property
    def far_side(self) -> str | None:
        """The broker and the base of the topics."""
        return self._uri

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once."""
        await super().publish(event)
        self._retained.hear(event)

    def _on_given_up(self, event: Event) -> None:
        self._suspicion.forget(event.event_id)
        self._note_passed(event)

    async def _open(self) -> None:
        check_certificates(self._address)  # told now, not in the background
        if self._desk is not None:
            self._serving = asyncio.create_task(self._desk.run(), name=f"answer on {self._uri}")

    async def _close(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})

    def _why_away(self) -> str | None:
        return (None if self._desk is None else self._desk.taken) or super()._why_away()

    def _owes(self) -> bool:
        return super()._owes() or self._met

    async def _deliver(self) -> None:
        clock = asyncio.get_running_loop().time
        self._in_flight, self._unanswered, self._stopping, begun = None, None, False, clock()
        will = self._node_status(topics.OFFLINE)
        try:
            async with connect(
                self._address, client_id=self._client_id, will=will, dialect=self._dialect, inbox=INBOX
            ) as self._connection:
                self._met = True
                if self._desk is not None:
                    self._desk.begin()
                await self._subscribe()
                await first_of(self._tell_all(), self._guard())
        except AwayError as lost:
            if clock() - begun >= STEADY_S:
                self._backoff.reset()
            self._blame_what_was_sent_last(lost)
            raise

    async def _tell_all(self) -> None:
        if self._desk is not None and not await self._desk.claim(self._say, self._leaving):
            return
        await self._tell_node(topics.ONLINE)
        self._retained.forget()
        if self._desk is not None:
            await self._serve(self._desk)
        await self._tell_states()
        log.info("Connected to %s; events waiting: %d.", self._uri, self.waiting)
        await self._drain()
        self._retained.silence()
        await self._tell_states()
        self._stopping = True
        await self._tell_node(topics.STOPPED)

    async def _send(self, event: Event) -> None:
        self._retained.meet(event)
        message = topics.event_message(self._address.base, event)
        ended = isinstance(event, MatchEvent) and event.phase == "ended"
        await self._publish(message, event.event_id, always=ended)
        self._note_passed(event)
        self._retained.delivered(message)

    def _note_passed(self, event: Event) -> None:
        self._retained.passed(event)
        ended = isinstance(event, StatusEvent) and event.state in ENDED_STATES
        if ended and self._desk is not None and event.node == self._node:
            self._desk.note_end(event.source)

    async def _after_attempt(self) -> None:
        if self._desk is not None:
            await self._serve(self._desk)
        await self._tell_states()

    async def _when_idle(self) -> None:
        await self._after_attempt()

    async def _serve(self, desk: Desk) -> None:
        """Send answers, and take up what is to stand retained."""
        while (message := desk.outgoing()) is not None:
            await self._say(message)
        if desk.is_stale:
            desk.is_stale = False
            await self._subscribe_to(set(desk.filters) - self._subscribed)
            for message in desk.retained():
                self._retained.want(message)
                self._retained.tell_again(message.topic)

    async def _say(self, message: topics.Message) -> None:
        """Send what is not worth a second try."""
        try:
            await self._patiently(lambda: self._attempt(message, message.topic))
        except RefusedError as error:
            self._complaints.tell(f"word {error.kind}", str(error))

    async def _tell_states(self) -> None:
        """Tell what the retained topics should say; what is refused is told again when it changes."""
        while due := self._retained.due():
            message = due[0]
            try:
                await self._publish(message, message.topic)
            except RefusedError as error:
                self._give_up_state(message, error)
            else:
                self._retained.delivered(message)

    async def _tell_node(self, payload: str) -> None:
        try:
            await self._patiently(lambda: self._connection.publish(self._node_status(payload)))
        except RefusedError as error:  # events may be allowed all the same
            self._complaints.tell(f"node {error.kind}", str(error))

    async def _publish(self, message: topics.Message, key: Hashable, *, always: bool = False) -> None:
        """Publish, and note what is under way, should the connection break over it.

        What is to be tried `always` is not given up for a mere guess.
        """
        if not always and self._suspicion.forbids(message):
            raise RefusedError(
                "too-large?", f"Messages of that size for {message.topic} broke the connection.", final=True
            )
        await self._patiently(lambda: self._attempt(message, key))
        self._note_delivery(key, message)

    async def _attempt(self, message: topics.Message, key: Hashable) -> None:
        self._in_flight = key, message
        try:
            await self._connection.publish(message)
        except (BusyError, RefusedError):
            self._in_flight = None
            raise
        self._in_flight = None

    async def _patiently(self, publish: Callable[[], Awaitable[None]]) -> None:
        """Publish; while a quota is exceeded, wait and try again on the same connection."""
        while True:
            try:
                await publish()
            except BusyError as busy:
                said = f"{busy} Events waiting: {self.waiting}; it is tried again."
                self._complaints.tell(busy.kind, said)
                await self._pause(self._quota.next_s())
            else:
                self._quota.reset()
                return

    def _note_delivery(self, key: Hashable, message: topics.Message) -> None:
        if message.qos:
            self._suspicion.passed(key, message)
            if self._unanswered is not None:
                self._suspicion.passed(self._unanswered.topic, self._unanswered)
                self._unanswered = None
        elif self._unanswered is None or _size(message) > _size(self._unanswered):
            self._unanswered = message

    def _blame_what_was_sent_last(self, lost: AwayError) -> None:
        if lost.kind in BLAMELESS:
            return
        if self._unanswered is not None:  # it was sent before what is under way
            self._blame(self._unanswered.topic, self._unanswered, lost)
        elif self._in_flight is not None:
            self._blame(*self._in_flight, lost)
        else:
            self._suspicion.broke_by_itself(lost)

    def _blame(self, key: Hashable, message: topics.Message, lost: AwayError) -> None:
        error = self._suspicion.broke_over(key, message, lost, speaks_v5=self._connection.speaks_v5)
        event = self._outbox.head()
        if error is None:
            return
        if event is not None and event.event_id == key:
            self._give_up_head(event, error)
        elif message.retain:
            self._give_up_state(message, error)

    def _give_up_state(self, message: topics.Message, error: Exception) -> None:
        self._retained.given_up(message)
        kind, said = cause(error)
        self._complaints.tell(f"state {kind}", f"The retained {message.topic} is not up to date. {said}")

    async def _subscribe(self) -> None:
        """Ask for our own status; a broker that refuses that, or hangs up over it, is only published to."""
        if not self._may_subscribe:
            return
        topic = self._node_status(topics.ONLINE).topic
        self._subscribed = set()
        try:
            await self._subscribe_to({topic, *(() if self._desk is None else self._desk.filters)})
        except AwayError as lost:
            if lost.kind not in BLAMELESS and self._failures.enough(topic, lost):
                self._may_subscribe = False
                self._complaints.tell(
                    "subscribe", f"{lost} It does so when we subscribe: we do not any more."
                )
            raise
        self._failures.passed(topic)

    async def _subscribe_to(self, wanted: set[str]) -> None:
        if not self._may_subscribe or not wanted:
            return
        for refusal in await self._connection.subscribe(*sorted(wanted)):
            self._complaints.tell(str(refusal), str(refusal))
        self._subscribed |= wanted

    async def _guard(self) -> None:
        """Notice a broken connection; say `online` again if the last will of an earlier run comes late."""
        online = self._node_status(topics.ONLINE)
        async for received in self._connection.messages():
            late = received.topic == online.topic and received.payload == topics.OFFLINE.encode()
            if self._desk is not None:
                self._desk.take(received)
            if late and self._is_here:
                await self._tell_node(topics.ONLINE)

    @property
    def _is_here(self) -> bool:
        """Whether the node is to be called online."""
        return not self._stopping and (self._desk is None or self._desk.owns)

    def _node_status(self, payload: str) -> topics.Message:
        return topics.node_status(self._address.base, self._node, payload)


def _size(message: topics.Message) -> int:
    return len(message.payload.encode())
