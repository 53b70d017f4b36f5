"""Which MQTT topics say what: names, QoS, and what is retained."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from stream_match.events import SOUNDS, Event, MatchEvent, StatusEvent, to_json

BASE = "stream_match"

ONLINE, STOPPED, OFFLINE = "online", "stopped", "offline"
KINDS = ("match", "onset", "onset_cluster", "cluster", "sounds_like", "genre", "status")
"""Types of events; each has a topic of its own."""

_NAME = re.compile(r"[a-z0-9_-]{1,64}")

NOTHING_PLAYING = '{"track": null}'


def is_name(text: str) -> bool:
    """Say whether a text may name a node or a source in topics."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Message:
    """What goes to the broker in one publish."""

    topic: str
    payload: str
    retain: bool
    qos: int = 1


def packet_bytes(message: Message, *, v5: bool) -> int:
    """Return how many bytes the PUBLISH packet of a message has.

    Parameters
    ----------
    message : Message
        Sent without properties.
    v5 : bool
        Whether it is one of MQTT 5, else of 3.1.1.
    """
    topic, payload = len(message.topic.encode()), len(message.payload.encode())
    rest = 2 + topic + (2 if message.qos else 0) + (1 if v5 else 0) + payload
    length_bytes = max(1, -(-rest.bit_length() // 7))  # the length itself is written in groups of seven bits
    return 1 + length_bytes + rest


def node_status(base: str, node: str, payload: str) -> Message:
    """Return the message that says whether a node is `ONLINE`, `STOPPED` (cleanly) or `OFFLINE`."""
    return Message(f"{base}/{node}/status", payload, retain=True)


def fleet_status(base: str, node: str, payload: str) -> Message:
    """Return the message that says what a node of a fleet has.

    No filter of events or of the states of nodes matches its topic, whatever the node is called.
    """
    return Message(f"{base}/fleet/{node}/sources", payload, retain=True)


def event_message(base: str, event: Event) -> Message:
    """Return the message that carries an event.

    A status is retained, nothing else is. Sounds are sent at most once: there are many, and a late one helps
    nobody.
    """
    topic = f"{base}/{event.node}/{event.source}/{event.type}"
    return Message(
        topic,
        to_json(event),
        retain=isinstance(event, StatusEvent),
        qos=0 if isinstance(event, SOUNDS) else 1,
    )


def retained_topics(base: str, node: str, source: str) -> tuple[str, ...]:
    """Return the topics under which messages of a source stand; last the status, which tells of it."""
    return tuple(f"{base}/{node}/{source}/{what}" for what in ("settings", "now_playing", "status"))


def event_filters(base: str, node: str, source: str, kinds: Collection[str] = KINDS) -> tuple[str, ...]:
    """Return the topic filters under which events come; `node` and `source` may be ``+``."""
    return tuple(f"{base}/{node}/{source}/{kind}" for kind in KINDS if kind in kinds)


def matches(topic: str, topic_filter: str) -> bool:
    """Say whether a topic falls under a filter; of the wildcards, ``+`` alone is understood."""
    names, wanted = topic.split("/"), topic_filter.split("/")
    return len(names) == len(wanted) and all(
        want in ("+", name) for name, want in zip(names, wanted, strict=True)
    )


@dataclass
class NowPlaying:
    """The matches of one source that have started and not ended.

    Two may overlap, as when one track is faded into the next. The one that started last is the
    one shown: were it the one heard of last, the two would alternate with every update.
    """

    running: dict[str, MatchEvent] = field(default_factory=dict)

    def hear(self, event: MatchEvent) -> None:
        """Take note of a match event."""
        if event.phase == "ended":
            self.running.pop(event.match_id, None)
        else:
            self.running[event.match_id] = event

    @property
    def payload(self) -> str:
        """The latest event of the match that is playing; `NOTHING_PLAYING` if there is none fit for JSON."""
        if not self.running:
            return NOTHING_PLAYING
        try:
            return to_json(next(reversed(self.running.values())))
        except ValueError:  # told when the event itself is to be sent
            return NOTHING_PLAYING


class Retained:
    """What the retained topics of the sources should say, and what the broker was told.

    `due` returns the difference; after a reconnect (`forget`) that is everything, because the
    broker may have lost it. ``now_playing`` tells what is true now, even while older events still
    wait in the outbox. A status is wanted as soon as it was delivered as an event, or dropped;
    so the readers of the topic get states in order.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._playing: dict[str, NowPlaying] = {}
        self._wanted: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._newest: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Take note of an event as it comes in.

        The first one of a source clears what an earlier, killed process may have left as playing.
        """
        topic, playing = self._meet(event)
        if isinstance(event, MatchEvent):
            playing.hear(event)
        self._wanted[topic] = playing.payload

    def meet(self, event: Event) -> None:
        """Take note of an event that an earlier process has left to be delivered.

        Its source may be listened to no more: nothing plays there unless this process says so.
        """
        topic, playing = self._meet(event)
        self._wanted.setdefault(topic, playing.payload)

    def delivered(self, message: Message) -> None:
        """Take note that the broker has a message."""
        if message.retain:
            self._told[message.topic] = message.payload

    def _meet(self, event: Event) -> tuple[str, NowPlaying]:
        topic = f"{self._base}/{event.node}/{event.source}/now_playing"
        return topic, self._playing.setdefault(topic, NowPlaying())

    def passed(self, event: Event) -> None:
        """Take note that an event has left the outbox, delivered or dropped.

        A dropped state is thus told as the retained one. It may be younger than the head of the
        outbox, which is never dropped: so ids are compared, which are sortable by time.
        """
        if isinstance(event, StatusEvent):
            try:
                message = event_message(self._base, event)
            except ValueError:  # no JSON: it was set aside for that
                return
            if event.event_id >= self._newest.get(message.topic, ""):
                self._newest[message.topic] = event.event_id
                self._wanted[message.topic] = message.payload

    def given_up(self, message: Message) -> None:
        """Take note that the broker does not take a message; a track that does not play must not stay."""
        if message.topic in self._playing and message.payload != NOTHING_PLAYING:
            self._wanted[message.topic] = NOTHING_PLAYING
        else:
            self._told[message.topic] = message.payload

    def want(self, message: Message) -> None:
        """Let a message stand that no event speaks of; an empty one lets nothing stand."""
        if not message.payload:
            self._playing.pop(message.topic, None)
            self._wanted.pop(message.topic, None)  # emptied in the order in which they are given
        self._wanted[message.topic] = message.payload

    def tell_again(self, topic: str) -> None:
        """Assume that the broker, or who reads there, does not know what a topic says."""
        self._told.pop(topic, None)

    def silence(self) -> None:
        """Want nothing to be playing any more."""
        for topic in self._playing:
            self._wanted[topic] = NOTHING_PLAYING

    def forget(self) -> None:
        """Assume that the broker knows nothing."""
        self._told.clear()

    def due(self) -> list[Message]:
        """Return what the broker has to be told, to be confirmed with `delivered`."""
        return [
            Message(topic, payload, retain=True)
            for topic, payload in self._wanted.items()
            if self._told.get(topic) != payload
        ]
