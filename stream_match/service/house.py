"""What a listener offers to a house beyond its events: answers, its settings, and itself as devices."""

import asyncio
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from stream_match.config import HomeAssistantSettings, ListenSettings
from stream_match.errors import StoreError
from stream_match.publish.base import Sink
from stream_match.publish.discovery import Device, components, device_message, device_topic
from stream_match.publish.serving import Offer, ServingSink
from stream_match.publish.topics import Message, node_status, retained_topics
from stream_match.service.beside import beside_store
from stream_match.service.control import Control, Controlled, Powers
from stream_match.service.health import program_version
from stream_match.service.name_book import NameBook
from stream_match.service.reload import Reload
from stream_match.service.requests import answer
from stream_match.service.shared import Shared
from stream_match.service.sharing import Sharing
from stream_match.service.sources import Listened, Sources
from stream_match.service.world import World
from stream_match.store.announcements import Announcement, AnnouncementShelf

log = logging.getLogger(__name__)

NO_BROKER = "Home Assistant is told of nothing: discovery goes over an MQTT broker, and no sink is one; add mqtt://HOST"


PATIENCE_S = 5.0
"""How long a start or a reload waits for the store [seconds], to read and write what was announced."""


@dataclass(frozen=True)
class Room:
    """A source as it is offered.

    Attributes
    ----------
    steering
        The source as the control room has it.
    title
        What a person calls it.
    sounds
        Whether sounds are listened for.
    """

    steering: Controlled
    title: str | None
    sounds: bool


def _nothing(_: str) -> Sequence[Message]:
    return ()


@dataclass
class House:
    """Offers the sources of a listener.

    Attributes
    ----------
    node
        Name of the listener.
    rooms
        Returns all sources that are listened to now.
    control
        Answers requests.
    names
        Of clusters and tracks.
    home_assistant
        Whether it is told of the sources.
    more
        Returns what else is to stand retained, given the base of the topics.
    """

    node: str
    rooms: Callable[[], Sequence[Room]]
    control: Control
    names: NameBook
    home_assistant: HomeAssistantSettings
    more: Callable[[str], Sequence[Message]] = _nothing
    _earlier: set[Announcement] = field(default_factory=set)
    _told: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _offered: set[str] = field(default_factory=set)

    def offer(self) -> Offer:
        """Return what a sink is to offer."""
        return Offer(
            answer=partial(answer, self.control),
            instance=secrets.token_hex(8),
            retained=self.retained,
            birth=f"{self.home_assistant.prefix}/status" if self.home_assistant.discovery else None,
            announced=self.announced,
            found=self.found,
        )

    async def remember(self, shelf: AnnouncementShelf | None, world: World) -> None:
        """Recall what an earlier process has announced, and remember what this one does."""
        if shelf is None:
            return
        now = self._announcements() if self.home_assistant.discovery else set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._earlier |= await world.aside(shelf.read)
                if now - self._earlier:
                    await world.aside(lambda: shelf.add(now))
        except StoreError as error:
            log.warning("what Home Assistant was told of before is not known: %s", error)
        except TimeoutError:
            log.warning(
                "what Home Assistant was told of before is not known: the store has not answered for %g s",
                PATIENCE_S,
            )

    def retained(self, base: str) -> list[Message]:
        """Return what is to stand on a broker, given the base of the topics there."""
        rooms = self.rooms()
        names = {room.steering.name for room in rooms}
        gone, self._offered = sorted(self._offered - names), self._offered | names
        return [
            *self._emptied(base, gone),
            *(self._settings(base, room) for room in rooms),
            *(self._device(base, room) for room in rooms if self.home_assistant.discovery),
            *self.more(base),
        ]

    def found(self, source: str) -> bool:
        """Take note that something of a source stands on a broker; say whether nobody listens to it now."""
        if any(room.steering.name == source for room in self.rooms()):
            return False
        self._offered.add(source)
        return True

    def announced(self, base: str) -> Mapping[str, str]:
        """Return where sources may have been announced, with the topic of their node's status."""
        return {
            device_topic(prefix, base, node, source): node_status(base, node, "").topic
            for prefix, node, source in self._announcements() | self._earlier | self._former()
        }

    def _announcements(self) -> set[Announcement]:
        return {(self.home_assistant.prefix, self.node, room.steering.name) for room in self.rooms()}

    def _former(self) -> set[Announcement]:
        return {(self.home_assistant.prefix, self.node, source) for source in self._offered}

    def _emptied(self, base: str, sources: Sequence[str]) -> list[Message]:
        """Return what takes away what was told of sources that are not listened to any more."""
        topics = [topic for source in sources for topic in retained_topics(base, self.node, source)]
        if self.home_assistant.discovery:  # else it is looked whether there is one
            prefix = self.home_assistant.prefix
            topics = [*(device_topic(prefix, base, self.node, source) for source in sources), *topics]
        return [Message(topic, "", retain=True) for topic in topics]

    def _settings(self, base: str, room: Room) -> Message:
        return Message(self._settings_topic(base, room.steering.name), _settings_of(room), retain=True)

    def _settings_topic(self, base: str, source: str) -> str:
        return f"{base}/{self.node}/{source}/settings"

    def _device(self, base: str, room: Room) -> Message:
        source = room.steering.name
        told = self._told[base, source]
        device = Device(
            node=self.node,
            source=source,
            title=room.title,
            version=program_version(),
            matches=room.steering.max_false_alarms_per_hour is not None,
            sounds=room.sounds,
            named=self.names.of_source(source),
            gone=sorted(told),
        )
        told.update(components(base, device))
        return device_message(self.home_assistant.prefix, base, device)


async def serve(
    sinks: Iterable[Sink],
    sources: Sources,
    reload: Reload,
    settings: ListenSettings,
    shared: Shared,
    powers: Powers,
    *,
    sharing: Sharing | None = None,
) -> Control:
    """Let sinks that can offer what a listener has; return its control room.

    Parameters
    ----------
    sinks : iterable of Sink
        Not open yet.
    sources : Sources
    reload : Reload
        What the request of that name does.
    settings : ListenSettings
    shared : Shared
    powers : Powers
    sharing : Sharing, optional
        What is shared with other listeners.
    """
    control = Control(
        lambda: [one.steering for one in sources.supervisors],
        shared.names,
        replace(powers, reload=powers.reload or reload),
    )
    house = House(
        node=shared.node,
        rooms=lambda: [_room(one) for one in sources.listened],
        control=control,
        names=shared.names,
        home_assistant=settings.home_assistant,
        more=_nothing if sharing is None else sharing.retained,
    )
    shelf = None if shared.store is None else AnnouncementShelf(shared.store)
    world = beside_store(shared.world, shared.store)
    await house.remember(shelf, world)
    offer, serving = house.offer(), [sink for sink in sinks if isinstance(sink, ServingSink)]
    for sink in serving:
        sink.serve(offer)
    if settings.home_assistant.discovery and not serving:
        log.warning("%s", NO_BROKER)

    def tell_again() -> None:
        for sink in serving:
            sink.tell_again()

    async def other_sources() -> None:
        await house.remember(shelf, world)
        tell_again()

    control.changed = shared.names.changed = tell_again
    reload.changed = other_sources
    if sharing is not None:
        sharing.changed = other_sources
    return control


def _room(one: Listened) -> Room:
    return Room(one.supervisor.steering, one.wanted.settings.title, one.wanted.heard.onsets.enabled)


def _settings_of(room: Room) -> str:
    return json.dumps({"max_false_alarms_per_hour": room.steering.max_false_alarms_per_hour})
