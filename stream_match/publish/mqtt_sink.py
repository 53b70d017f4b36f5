"""The sink that publishes to an MQTT broker.

Policy: every event is published and acknowledged before it leaves the outbox, so it arrives at
least once and in order, whatever happens to the broker meanwhile. A broker that is absent is
asked again after waiting times from one second to five minutes.
"""

import logging
import secrets
from typing import Self

from stream_match.events import Event
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.delivery import FLUSH_S, OutboxSink
from stream_match.publish.mqtt import Connection, ConnectionLostError, check_certificates, connect, first_of
from stream_match.publish.outbox import CAPACITY

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
    """

    def __init__(
        self,
        address: Address,
        *,
        node: str,
        backoff: Backoff | None = None,
        capacity: int = CAPACITY,
        flush_s: float = FLUSH_S,
    ) -> None:
        super().__init__(address.uri, capacity=capacity, flush_s=flush_s)
        self._address = address
        self._node = node
        self._backoff = backoff or Backoff()
        self._retained = topics.Retained(address.base)
        # Its own per sink, so that two listeners of one name do not throw each other out for ever,
        # but kept over reconnects, so that the broker ends the broken session before it opens the new one.
        self._client_id = f"stream_match-{node}-{secrets.token_hex(4)}"

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:
        """Make the sink of ``mqtt://…`` or ``mqtts://…``; see `Address.parse`."""
        return cls(Address.parse(uri), node=node)

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once."""
        self._retained.hear(event)
        await super().publish(event)

    def _on_drop(self, event: Event) -> None:
        self._retained.passed(event)

    async def _open(self) -> None:
        check_certificates(self._address)  # told now, not in the background

    async def _run(self) -> None:
        will = self._node_status(topics.OFFLINE)
        while True:
            try:
                async with connect(self._address, client_id=self._client_id, will=will) as connection:
                    await first_of(self._deliver(connection), self._guard(connection))
            except ConnectionLostError as error:
                told = f"{error} Events waiting: {self.waiting}; it is tried again."
                self._complaints.tell(error.kind, told)
            else:
                return
            if self._leaving.is_set() and not self.waiting:
                return
            await self._pause(self._backoff.next_s())

    async def _deliver(self, connection: Connection) -> None:
        await connection.publish(self._node_status(topics.ONLINE))
        self._retained.forget()
        await self._tell_states(connection)
        self._backoff.reset()
        log.info("Connected to %s; events waiting: %d.", self._uri, self.waiting)
        while (event := await self._next()) is not None:
            message = topics.event_message(self._address.base, event)
            await connection.publish(message)
            self._outbox.pop()
            self._retained.passed(event)
            self._retained.delivered(message)
            await self._tell_states(connection)
        self._retained.silence()
        await self._tell_states(connection)
        await connection.publish(self._node_status(topics.STOPPED))

    async def _tell_states(self, connection: Connection) -> None:
        for message in self._retained.due():
            await connection.publish(message)
            self._retained.delivered(message)

    async def _guard(self, connection: Connection) -> None:
        """Notice a broken connection; say `online` again if the last will of an earlier run comes late."""
        online = self._node_status(topics.ONLINE)
        await connection.subscribe(online.topic)
        async for topic, payload in connection.messages():
            if topic == online.topic and payload.decode(errors="replace") == topics.OFFLINE:
                await connection.publish(online)

    def _node_status(self, payload: str) -> topics.Message:
        return topics.node_status(self._address.base, self._node, payload)
