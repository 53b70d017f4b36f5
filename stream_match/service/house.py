"""What a listener offers to a house beyond its events: answers, its settings, and itself as devices."""

import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from stream_match.config import HomeAssistantSettings, ListenSettings
from stream_match.errors import StoreError
from stream_match.publish.base import Sink
from stream_match.publish.discovery import Device, components, device_message, device_topic
from stream_match.publish.serving import Offer, ServingSink
from stream_match.publish.topics import Message, node_status
from stream_match.service.control import Control, Controlled, Powers
from stream_match.service.name_book import NameBook
from stream_match.service.requests import answer
from stream_match.service.shared import Shared
from stream_match.service.world import World
from stream_match.store.announcements import Announcement, AnnouncementShelf

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Room:
    """A source as it is offered.

    Attributes
    ----------
    steering
        The source as the control room has it.
    title
        What a person calls it.
    """

    steering: Controlled
    title: str | None


@dataclass
class House:
    """Offers the sources of a listener.

    Attributes
    ----------
    node
        Name of the listener.
    rooms
        All sources.
    sounds
        Whether sounds are listened for.
    control
        Answers requests.
    names
        Of clusters and tracks.
    home_assistant
        Whether it is told of the sources.
    """

    node: str
    rooms: Sequence[Room]
    sounds: bool
    control: Control
    names: NameBook
    home_assistant: HomeAssistantSettings
    _earlier: set[Announcement] = field(default_factory=set)
    _told: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def offer(self) -> Offer:
        """Return what a sink is to offer."""
        return Offer(
            answer=partial(answer, self.control),
            instance=secrets.token_hex(8),
            retained=self.retained,
            birth=f"{self.home_assistant.prefix}/status" if self.home_assistant.discovery else None,
            announced=self.announced,
        )

    async def remember(self, shelf: AnnouncementShelf | None, world: World) -> None:
        """Recall what an earlier process has announced, and remember what this one does."""
        if shelf is None:
            return
        now = self._announcements() if self.home_assistant.discovery else set()
        try:
            self._earlier = await world.aside(shelf.read)
            if now - self._earlier:
                await world.aside(lambda: shelf.add(now))
        except StoreError as error:
            log.warning("what Home Assistant was told of before is not known: %s", error)

    def retained(self, base: str) -> list[Message]:
        """Return what is to stand on a broker, given the base of the topics there."""
        return [*self._settings(base), *(self._devices(base) if self.home_assistant.discovery else ())]

    def announced(self, base: str) -> Mapping[str, str]:
        """Return where sources may have been announced, with the topic of their node's status."""
        return {
            device_topic(prefix, base, node, source): node_status(base, node, "").topic
            for prefix, node, source in self._announcements() | self._earlier
        }

    def _announcements(self) -> set[Announcement]:
        return {(self.home_assistant.prefix, self.node, room.steering.name) for room in self.rooms}

    def _settings(self, base: str) -> list[Message]:
        return [
            Message(f"{base}/{self.node}/{room.steering.name}/settings", _settings_of(room), retain=True)
            for room in self.rooms
        ]

    def _devices(self, base: str) -> list[Message]:
        return [self._device(base, room) for room in self.rooms]

    def _device(self, base: str, room: Room) -> Message:
        source = room.steering.name
        told = self._told[base, source]
        device = Device(
            node=self.node,
            source=source,
            title=room.title,
            version=program_version(),
            matches=room.steering.max_false_alarms_per_hour is not None,
            sounds=self.sounds,
            named=self.names.of_source(source),
            gone=sorted(told),
        )
        told.update(components(base, device))
        return device_message(self.home_assistant.prefix, base, device)


async def serve(
    sinks: Iterable[Sink],
    rooms: Sequence[Room],
    settings: ListenSettings,
    shared: Shared,
    powers: Powers,
) -> Control:
    """Let sinks that can offer what a listener has; return its control room.

    Parameters
    ----------
    sinks : iterable of Sink
        Not open yet.
    rooms : sequence of Room
    settings : ListenSettings
    shared : Shared
    powers : Powers
    """
    if powers.reload is None and shared.catalogue is not None:
        powers = replace(powers, reload=shared.catalogue.looked)
    control = Control([room.steering for room in rooms], shared.names, powers)
    house = House(
        node=shared.node,
        rooms=rooms,
        sounds=settings.onsets.enabled,
        control=control,
        names=shared.names,
        home_assistant=settings.home_assistant,
    )
    await house.remember(None if shared.store is None else AnnouncementShelf(shared.store), shared.world)
    offer, serving = house.offer(), [sink for sink in sinks if isinstance(sink, ServingSink)]
    for sink in serving:
        sink.serve(offer)

    def tell_again() -> None:
        for sink in serving:
            sink.tell_again()

    control.changed = shared.names.changed = tell_again
    return control


def program_version() -> str:
    """Return the version of this program."""
    try:
        return version("stream-match")
    except PackageNotFoundError:  # a checkout that is run as it stands
        return "0"


def _settings_of(room: Room) -> str:
    return json.dumps({"max_false_alarms_per_hour": room.steering.max_false_alarms_per_hour})
