"""Events from a broker, as typed objects."""

import asyncio
import json
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

from stream_match.errors import UsageError
from stream_match.events import Event, from_json, known_schemas
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.mqtt import ConnectionLostError, connect
from stream_match.publish.sparse import SparseLog

# A repetition comes at most one outage after the original: twice an outbox of 10,000 events.
SEEN_IDS = 20_000

_KNOWN_SCHEMAS = known_schemas()
_LEVEL = re.compile(r"\+|[a-z0-9_-]{1,64}")

log = logging.getLogger(__name__)


class Reader:
    """Makes events of messages: skips what is foreign, broken, or known already.

    Parameters
    ----------
    filters : tuple of str
        The topic filters that were subscribed to. Messages on other topics are skipped, because
        amqtt sends retained messages to clients that did not ask for them.
    seen_ids : int
        How many event ids are remembered, to recognise repetitions.
    """

    def __init__(self, filters: tuple[str, ...], *, seen_ids: int = SEEN_IDS) -> None:
        self._filters = filters
        self._seen_ids = seen_ids
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._complaints = SparseLog(log)
        self.malformed = 0

    def read(self, topic: str, payload: bytes) -> Event | None:
        """Return the event of a message, or None if there is nothing new in it."""
        if not payload or not any(topics.matches(topic, wanted) for wanted in self._filters):
            return None
        try:
            event = from_json(payload)
        except ValueError:
            self._skip(topic, payload)
            return None
        return event if self._is_new(event.event_id) else None

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        if len(self._seen) > self._seen_ids:
            self._seen.popitem(last=False)
        return True

    def _skip(self, topic: str, payload: bytes) -> None:
        if _is_unknown(payload):
            return
        self.malformed += 1
        self._complaints.tell(
            "malformed", f"A message on {topic} is no event and was skipped; {self.malformed} were so far."
        )


async def subscribe(
    uri: str = "mqtt://localhost",
    *,
    node: str = "+",
    source: str = "+",
    patient: bool = False,
    backoff: Backoff | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events that listeners publish to a broker, each once, for ever.

    The latest status of every source comes first, because brokers retain it. When the connection
    breaks it is made again; what is published meanwhile is missed.

    Parameters
    ----------
    uri : str
        ``mqtt://[user:pass@]host[:port][/base]`` or ``mqtts://…``.
    node, source : str
        Names to listen for; ``+`` is any.
    patient : bool
        Wait for a broker that is not there at the start, instead of raising.
    backoff : Backoff, optional
        Waiting times between attempts to connect.

    Yields
    ------
    Event
        A match, a sound, a change of a cluster, or a status. Events of types or versions unknown here are
        left out.

    Raises
    ------
    UsageError
        If an argument cannot be understood.
    SinkError
        If there is no connection at the start and `patient` is false.

    Examples
    --------
    >>> async def titles() -> None:
    ...     async for event in subscribe("mqtt://localhost"):
    ...         if event.type == "match" and event.phase == "started":
    ...             print(event.track.title)
    """
    address = Address.parse(uri)
    filters = topics.event_filters(address.base, _level("node", node), _level("source", source))
    reader, complaints, backoff = Reader(filters), SparseLog(log), backoff or Backoff()
    while True:
        try:
            async with connect(address) as connection:
                await connection.subscribe(*filters)
                patient = True
                backoff.reset()
                async with aclosing(connection.messages()) as messages:
                    async for topic, payload in messages:
                        event = reader.read(topic, payload)
                        if event is not None:
                            yield event
        except ConnectionLostError as error:
            if not patient:
                raise
            complaints.tell(error.kind, f"{error} It is tried again.")
        await asyncio.sleep(backoff.next_s())


def _level(argument: str, name: str) -> str:
    if not _LEVEL.fullmatch(name):
        raise UsageError(f"The {argument} {name!r} is no name: use a-z, 0-9, _ and -, or + for any.")
    return name


def _is_unknown(payload: bytes) -> bool:
    """Say whether a payload is an event of a later version or another type, rather than broken."""
    try:
        content = json.loads(payload)
    except ValueError:
        return False
    schema = content.get("schema") if isinstance(content, dict) else None
    return isinstance(schema, str) and schema not in _KNOWN_SCHEMAS
