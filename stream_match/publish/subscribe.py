"""Events from a broker, as typed objects.

A task of its own takes what comes in, so that a slow consumer never holds up the connection. What waits for
the consumer is bounded as an outbox is: sounds are dropped first, the ends of matches never. Only a burst of
more messages than the client holds (`mqtt.INBOX`), faster than they can be read here, loses anything.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

from stream_match.errors import UsageError
from stream_match.events import Event, MatchEvent
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.dialect import Dialect
from stream_match.publish.mqtt import Connection, Received, connect
from stream_match.publish.outbox import Outbox
from stream_match.publish.policy import RefusedError, cause
from stream_match.publish.presence import Presence
from stream_match.publish.reader import Reader
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of

_LEVEL = re.compile(r"\+|[a-z0-9_-]{1,64}")
_TICK_S = 0.25  # between looks at which nodes have been offline for long enough
_LIVES = ("match", "status")  # types for which it matters whether the node is there

log = logging.getLogger(__name__)


async def subscribe(
    uri: str = "mqtt://localhost",
    *,
    node: str = "+",
    source: str = "+",
    types: Collection[str] = topics.KINDS,
    patient: bool = False,
    backoff: Backoff | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events that listeners publish to a broker, each once, for ever.

    The latest status of every source comes first, because brokers retain it. When the connection
    breaks it is made again; what is published meanwhile is missed. A listener that was killed cannot
    tell the end of its matches and sources: when its node has been offline for two seconds, they are
    yielded in its place, with the last time and place known. Their ids are those of the last events with
    ``-ended`` or ``-stopped`` behind, and no other end of the same match follows. If the node was
    alive all the time, its next events open the match again.

    Parameters
    ----------
    uri : str
        ``mqtt://[user:pass@]host[:port][/base]`` or ``mqtts://…``.
    node, source : str
        Names to listen for; ``+`` is any.
    types : collection of str
        Of ``match``, ``onset``, ``onset_cluster``, ``cluster``, ``sounds_like``, ``genre``, ``status``; all
        by default.
    patient : bool
        Wait for a broker that is not there at the start, instead of raising.
    backoff : Backoff, optional
        Waiting times between attempts to connect.

    Yields
    ------
    Event
        A match, a sound, a change of a cluster, or a status. Events of types or versions unknown here are
        left out, and so is every message that is no event.

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
    hearing = _Hearing(address.base, _level("node", node), _level("source", source), _types(types))
    task = asyncio.create_task(
        _hear(address, hearing, backoff or Backoff(), patient=patient), name=f"subscribe to {address.uri}"
    )
    task.add_done_callback(lambda _: hearing.wake.set())
    try:
        while True:
            while (event := hearing.inbox.head()) is None:
                hearing.wake.clear()
                if task.done():
                    task.result()
                await hearing.wake.wait()
            hearing.inbox.pop()
            yield event
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _hear(address: Address, hearing: "_Hearing", backoff: Backoff, *, patient: bool) -> None:
    complaints, dialect = SparseLog(log), Dialect()
    while True:
        try:
            async with connect(address, dialect=dialect) as connection:
                hearing.begin(await connection.subscribe(*hearing.filters))
                patient = True
                backoff.reset()
                await first_of(_take(connection, hearing), _tell_ends(hearing))
        except Exception as error:
            if not patient:
                raise
            log.debug("Hearing broke", exc_info=True)
            kind, said = cause(error)
            complaints.tell(kind, f"{said} It is tried again.")
        await asyncio.sleep(backoff.next_s())


async def _take(connection: Connection, hearing: "_Hearing") -> None:
    async with aclosing(connection.messages()) as messages:
        async for received in messages:
            hearing.take(received)


async def _tell_ends(hearing: "_Hearing") -> None:
    while True:
        await asyncio.sleep(_TICK_S)
        hearing.tell_ends()


class _Hearing:
    """What is subscribed to, what has come of it, and what waits for the consumer."""

    def __init__(self, base: str, node: str, source: str, types: frozenset[str]) -> None:
        self._types = types
        lives = not types.isdisjoint(_LIVES)
        kinds = types.union(_LIVES) if lives else types
        events = topics.event_filters(base, node, source, kinds)
        self._playing = f"{base}/{node}/{source}/now_playing"
        self._node = topics.node_status(base, node, "").topic
        self.filters = (*events, self._playing, self._node) if lives else events
        self._reader = Reader((*events, self._playing))
        self._presence = Presence()
        self._complaints = SparseLog(log)
        self.inbox = Outbox()
        self.wake = asyncio.Event()

    def take(self, received: Received) -> None:
        """Take in a message; whatever it is, it does no harm."""
        if topics.matches(received.topic, self._node):
            name = received.topic.split("/")[-2]
            self._reader.forget(self._presence.node_said(name, received.payload, time.monotonic()))
        elif topics.matches(received.topic, self._playing):
            self._recall(received)
        elif (event := self._reader.read(received.topic, received.payload)) is not None:
            self._tell(self._presence.hear(event, retained=received.retained))

    def begin(self, refusals: list[RefusedError]) -> None:
        """Begin with a new connection, which refused some filters; raise if it refused all."""
        self._presence.look_away()
        if len(refusals) == len(self.filters):
            raise refusals[0]
        for refusal in refusals:
            self._complaints.tell(str(refusal), str(refusal))

    def tell_ends(self) -> None:
        """Tell the ends that are due."""
        self._tell(self._presence.due(time.monotonic()))

    def _recall(self, received: Received) -> None:
        # As it changes, its events come on their own topic, too.
        if received.retained and received.payload != topics.NOTHING_PLAYING.encode():
            event = self._reader.parse(received.topic, received.payload)
            if isinstance(event, MatchEvent):
                self._presence.recall(event)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if event.type in self._types and self.inbox.put(event) is not None:
                self._complaints.tell(
                    "slow", f"Events come faster than they are read; dropped so far: {self.inbox.dropped}."
                )
        self.wake.set()


def _types(types: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(types) - set(topics.KINDS))
    if unknown or not types:
        given = f"The type {unknown[0]!r} is not known" if unknown else "No type is given"
        raise UsageError(f"{given}: expected some of {', '.join(topics.KINDS)}.")
    return frozenset(types)


def _level(argument: str, name: str) -> str:
    if not _LEVEL.fullmatch(name):
        raise UsageError(f"The {argument} {name!r} is no name: use a-z, 0-9, _ and -, or + for any.")
    return name
