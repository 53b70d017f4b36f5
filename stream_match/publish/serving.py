"""What a listener offers on a broker beyond its events: answers to requests, and what is to stand retained.

**Requests** (`BASE/NODE/request/X`) are taken in one after the other. A retained one is ignored: it would be
done again at every start. Of a flood, `MOST_WAITING` wait, and the others are dropped, counted and told.

**One node, one listener.** Whoever connects asks on `BASE/NODE/instance` whether another listener has that
name. The one that is there answers, and stays; the other one publishes nothing, says so in its log, and waits
until the name is free.

**Sources of before.** A status stands retained for each source that this node ever had. Of those that are not
listened to any more, everything is deleted. Topics of other nodes are left alone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from stream_match.publish import topics
from stream_match.publish.discovery import is_of_node
from stream_match.publish.instance import ECHO_S, RIVAL_S, instance_topic, instance_word, object_of
from stream_match.publish.mqtt import Received
from stream_match.publish.policy import AwayError
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of

log = logging.getLogger(__name__)

MOST_WAITING = 20
"""Requests that wait for their turn; people and homes send one at a time."""

RETURN_S = 5.0
"""How long one that had the name before has to come back after the broker was away."""

ASK_AGAIN_S = 60.0
"""Pause between two questions while another listener has the name; its own last word is heard at once."""


def _nothing(_: str) -> Sequence[topics.Message]:
    return ()


@dataclass(frozen=True)
class Offer:
    """What a listener offers, whatever the broker.

    Attributes
    ----------
    answer
        Answers a request, given its name and payload; never raises.
    instance
        Tells this process from others of the same node.
    retained
        Returns what is to stand retained, given the base of the topics.
    birth
        Where Home Assistant says that it has begun; None if it is told nothing.
    announced
        Returns the topics under which Home Assistant may have been told of sources, given the base, and
        the topic of their node's status.
    found
        Told of a source of this node of which something stands on a broker; returns whether it is one of
        before. `retained` empties its topics from then on.
    """

    answer: Callable[[str, bytes], Awaitable[str]]
    instance: str
    retained: Callable[[str], Sequence[topics.Message]] = _nothing
    birth: str | None = None
    announced: Callable[[str], Mapping[str, str]] = field(default=lambda _: {})
    found: Callable[[str], bool] = field(default=lambda _: False)


@runtime_checkable
class ServingSink(Protocol):
    """A sink over which a listener is asked, and tells more than events; `mqtt_sink.MqttSink` is one."""

    def serve(self, offer: Offer) -> None:
        """Answer requests, and tell what the offer says; to be said before the sink is opened."""

    def tell_again(self) -> None:
        """Take note that what the offer says has changed."""


class Desk:
    """Serves one broker.

    Parameters
    ----------
    offer : Offer
    base, node : str
        First parts of the topics.
    wake : callable ()
        Called when there is something to send.

    Attributes
    ----------
    is_stale : bool
        Whether what should stand retained is to be told anew.
    owns : bool
        Whether this process has the name of the node, on this connection.
    """

    def __init__(self, offer: Offer, base: str, node: str, wake: Callable[[], object]) -> None:
        self.is_stale = True
        self._offer = offer
        self._base = base
        self._node = node
        self._wake = wake
        self._status = topics.node_status(base, node, "").topic
        self._instance = instance_topic(base, node)
        self._requests = f"{base}/{node}/request/+"
        self._states = f"{base}/{node}/+/status"
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._dropped = 0
        self._asked = asyncio.Event()
        self._outgoing: deque[topics.Message] = deque(maxlen=4 * MOST_WAITING)
        self.owns = False
        self._owned = False  # ever
        self._rival: str | None = None  # who was there when we last asked
        self._seems_taken = False
        self.taken: str | None = None  # what is said while another listener has the name
        self._patience_s = RIVAL_S
        self._heard = asyncio.Event()  # something about the name
        self._complaints = SparseLog(log)

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to."""
        wanted = {message.topic for message in self.retained()}
        birth = () if self._offer.birth is None else (self._offer.birth,)
        looked_at = sorted(set(self._offer.announced(self._base)) - wanted)
        return (self._instance, self._requests, self._states, *birth, *looked_at)

    def retained(self) -> Sequence[topics.Message]:
        """Return what should stand retained now."""
        return self._offer.retained(self._base)

    def begin(self) -> None:
        """Begin with a new connection."""
        # Who has waited behind another one lets it come back first.
        self._patience_s = RIVAL_S if self._rival is None else RETURN_S
        self.owns = self._seems_taken = False
        self.is_stale = True

    async def run(self) -> None:
        """Answer requests, one after the other, until cancelled."""
        while True:
            self._asked.clear()
            while self._waiting:
                name, payload = self._waiting.popleft()
                said = await self._offer.answer(name, payload)
                self._send(topics.Message(f"{self._base}/{self._node}/response/{name}", said, retain=False))
            await self._asked.wait()

    def take(self, received: Received) -> None:
        """Take in a message; whatever it is, it does no harm.

        Raises
        ------
        AwayError
            If another listener turns out to have had the name before.
        """
        if received.topic == self._instance:
            self._hear_instance(received)
        elif received.topic == self._status:
            self._hear_status(received)
        elif topics.matches(received.topic, self._requests):
            self._take_request(received)
        elif topics.matches(received.topic, self._states):
            self._look_at_state(received)
        elif received.topic == self._offer.birth:
            if received.payload == topics.ONLINE.encode() and not received.retained:
                self.is_stale = True
                self._wake()
        elif received.topic in self._offer.announced(self._base):
            self._look_at(received)

    def outgoing(self) -> topics.Message | None:
        """Return what is to be sent next, once: an answer, a word about the name, the end of a device."""
        return self._outgoing.popleft() if self._outgoing else None

    async def claim(
        self, publish: Callable[[topics.Message], Awaitable[None]], leaving: asyncio.Event
    ) -> bool:
        """Wait until this process has the name of the node; return False if it ends before that.

        Parameters
        ----------
        publish : coroutine function (Message)
            Sends; what comes in meanwhile is given to `take`.
        leaving : asyncio.Event
            Set when the sink is left.
        """
        try:
            while True:
                await self._ask(publish)
                if self._rival is None:
                    self.owns = self._owned = True
                    return True
                if leaving.is_set():
                    return False
                self.taken = self._taken
                self._complaints.tell("taken", self._taken)
                self._seems_taken = True
                await first_of(asyncio.sleep(ASK_AGAIN_S), self._until_free(), leaving.wait())
        finally:
            self.taken = None

    async def _ask(self, publish: Callable[[topics.Message], Awaitable[None]]) -> None:
        """Ask who else has the name, and wait for an answer where one may come."""
        self._rival = None
        self._echoed = False
        await publish(self._word({"asks": True, "owned": self._owned}))
        await self._until(lambda: self._echoed or self._rival is not None, ECHO_S)
        if self._seems_taken or self._patience_s > RIVAL_S:
            await self._until(lambda: self._rival is not None, self._patience_s)
        self._patience_s = RIVAL_S

    async def _until(self, happened: Callable[[], bool], seconds: float) -> None:
        async def wait() -> None:
            while not happened():
                self._heard.clear()
                await self._heard.wait()

        await first_of(wait(), asyncio.sleep(seconds))

    async def _until_free(self) -> None:
        while self._seems_taken:
            self._heard.clear()
            await self._heard.wait()

    @property
    def _taken(self) -> str:
        return (
            f"Another listener is called {self._node!r} on this broker: this one publishes nothing there "
            "until it ends. Give one of them another name (node = …)."
        )

    def _hear_status(self, received: Received) -> None:
        """Note what stands of the node: `online` that was retained is an earlier word, or another's."""
        if not self.owns:
            self._seems_taken = received.payload == topics.ONLINE.encode()
            self._heard.set()

    def _hear_instance(self, received: Received) -> None:
        said = object_of(received.payload)
        other = said.get("instance")
        if received.retained or not isinstance(other, str):
            return
        if other == self._offer.instance:
            self._echoed = True
        elif said.get("answers") == self._offer.instance:
            self._rival = other
            if self.owns:  # the answer came late: two have begun at the same time
                self.owns = self._owned = False
                raise AwayError("taken", self._taken)
        elif said.get("asks") is True:
            self._hear_question(other, owned=said.get("owned") is True)
        self._heard.set()

    def _hear_question(self, other: str, *, owned: bool) -> None:
        """Answer who asks for a name that is ours. Of two that ask at once, one yields."""
        mine = (self._owned, self._offer.instance)
        if self.owns or mine > (owned, other):
            self._send(self._word({"answers": other}))
        else:
            self._rival = other

    def _word(self, said: dict[str, object]) -> topics.Message:
        return instance_word(self._base, self._node, self._offer.instance, said)

    def _take_request(self, received: Received) -> None:
        name = received.topic.rpartition("/")[2]
        if received.retained:
            if received.payload:
                self._complaints.tell(
                    "retained",
                    f"The request {name} is retained on the broker and is ignored: it would be done again at "
                    "every start. Delete it (an empty payload), and send requests without the retain flag.",
                )
        elif not self.owns:
            return  # the one that has the name answers
        elif len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            self._complaints.tell(
                "flood", f"Requests come faster than they are answered; dropped so far: {self._dropped}."
            )
        else:
            self._waiting.append((name, received.payload))
            self._asked.set()

    def note_end(self, source: str) -> None:
        """Take note that the last state of a source stands on the broker now."""
        if self._offer.found(source):
            self.is_stale = True
            self._wake()

    def _look_at_state(self, received: Received) -> None:
        """Note of which source a state was left standing, if it is one of ours."""
        source = received.topic.split("/")[-2]
        said = object_of(received.payload) if received.retained else {}
        if (said.get("type"), said.get("node"), said.get("source")) == ("status", self._node, source):
            self.note_end(source)

    def _look_at(self, received: Received) -> None:
        """Delete what was announced of this node and is not to stand any more."""
        wanted = {message.topic for message in self.retained()}
        if received.topic in wanted or not received.payload:
            return
        if is_of_node(object_of(received.payload), self._offer.announced(self._base)[received.topic]):
            self._send(topics.Message(received.topic, "", retain=True))

    def _send(self, message: topics.Message) -> None:
        self._outgoing.append(message)
        self._wake()
