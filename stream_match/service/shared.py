"""What the sources of one service share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from stream_match.events import Event
from stream_match.service.catalogue import CurrentCatalogue
from stream_match.service.kept_audio import KeptAudio
from stream_match.service.name_book import NameBook
from stream_match.service.report import Report
from stream_match.service.stamp import EventIds
from stream_match.service.world import EnginePort, World
from stream_match.store.event_store import Store


@dataclass(frozen=True)
class Shared:
    """What all sources of a service have in common.

    Attributes
    ----------
    node
        Name of this listener.
    pace
        Whether recordings come as they are heard.
    make_engine
        Makes an engine without history; called off the event loop, once per opening and once more
        whenever one has broken.
    publish
        Takes events.
    ids
        Makes ids of events and matches.
    stop
        Set when everything has to end.
    reconnect_max_s
        Longest pause between two attempts, in the first hour of an outage.
    store
        Where sources keep what they have learnt; None for nowhere.
    catalogue
        What engines are made with, and take up when it changes; None if it never does.
    kept
        What is kept of their audio; nothing by default.
    names
        What people call clusters and tracks.
    max_false_alarms_per_hour
        What engines are made to put up with; None if they look for no tracks.
    """

    node: str
    pace: Literal["real", "fast"]
    make_engine: Callable[[], EnginePort]
    publish: Callable[[Event], Awaitable[None]]
    ids: EventIds
    stop: asyncio.Event
    world: World
    reconnect_max_s: float
    report: Report = field(default_factory=Report)
    store: Store | None = None
    catalogue: CurrentCatalogue[Any] | None = None
    kept: KeptAudio = field(default_factory=KeptAudio)
    names: NameBook = field(default_factory=NameBook)
    max_false_alarms_per_hour: float | None = None

    @property
    def newest(self) -> Any:
        """The newest catalogue; None if there is none that may change."""
        return None if self.catalogue is None else self.catalogue.newest
