"""A sink with its own MQTT broker, for demonstrations and tests: loopback only."""

import logging
import re
from types import TracebackType
from typing import Any, Self

from stream_match.errors import SinkError, UsageError, install_command
from stream_match.events import Event
from stream_match.publish.address import LOOPBACK, Address
from stream_match.publish.base import Delivery
from stream_match.publish.dialect import V311, Dialect
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.serving import Offer

_HIGHEST_PORT = 65_535
_LIBRARIES = ("amqtt", "transitions")


class EmbeddedSink:
    """Starts an MQTT broker inside this process and publishes to it.

    The broker serves programs on this computer, without passwords, while the sink is open.

    Parameters
    ----------
    port : int
        Where the broker listens; 0 for any free port.
    node : str
        Name of this listener in the topics.
    """

    def __init__(self, port: int = 0, *, node: str) -> None:
        self._port = port
        self._node = node
        self._broker: Any = None
        self._sink: MqttSink | None = None
        self._offer: Offer | None = None

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:
        """Make the sink of ``embedded:`` or ``embedded:?port=N``.

        Raises
        ------
        UsageError
            If the URI says anything else.
        """
        given = re.fullmatch(r"embedded:(?:\?port=([0-9]{1,5}))?", uri, flags=re.IGNORECASE)
        port = int(given[1] or 0) if given else _HIGHEST_PORT + 1
        if port > _HIGHEST_PORT:
            raise UsageError(f"The sink {uri!r} is unclear: write embedded: or embedded:?port=1883.")
        return cls(port, node=node)

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""
        return f"embedded:?port={self._port}" if self._port else "embedded:"

    @property
    def broker_uri(self) -> str:
        """The URI by which programs on this computer reach the broker; its port is known once it is open."""
        return f"mqtt://{LOOPBACK}:{self._port}"

    def serve(self, offer: Offer) -> None:
        """Answer requests, and tell what the offer says; to be said before the sink is opened."""
        self._offer = offer

    def tell_again(self) -> None:
        """Take note that what the offer says has changed."""
        if self._sink is not None:
            self._sink.tell_again()

    async def __aenter__(self) -> Self:
        """Start the broker and connect to it.

        Raises
        ------
        SinkError
            If amqtt is not installed, or the port is taken.
        """
        self._broker, self._port = await _start_broker(self._port)
        self._sink = MqttSink(Address(LOOPBACK, self._port), node=self._node, dialect=Dialect(V311))
        if self._offer is not None:
            self._sink.serve(self._offer)
        await self._sink.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what waits, then stop the broker."""
        assert self._sink is not None
        try:
            await self._sink.__aexit__(kind, error, trace)
        finally:
            await self._broker.shutdown()

    def delivery(self) -> Delivery:
        """Return how the delivery goes."""
        return Delivery() if self._sink is None else self._sink.delivery()

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once."""
        assert self._sink is not None
        await self._sink.publish(event)


async def _start_broker(port: int) -> tuple[Any, int]:
    try:
        from stream_match.publish.loopback import BrokerError, LoopbackBroker
    except ImportError:
        raise SinkError(
            f"The sink embedded: needs amqtt, which is not installed: {install_command('embedded')}."
        ) from None
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    broker = LoopbackBroker(port)
    try:
        await broker.start()
    except BrokerError:
        raise SinkError(
            f"The embedded broker cannot listen on port {port}: another program does; "
            "give another port, or leave it out for a free one."
        ) from None
    return broker, broker.port
