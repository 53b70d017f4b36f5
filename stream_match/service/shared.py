"""What the sources of one service share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from stream_match.config import HintSettings
from stream_match.events import Event
from stream_match.service.chroma_feed import ChromaFeed
from stream_match.service.name_book import NameBook
from stream_match.service.report import Report
from stream_match.service.stamp import EventIds
from stream_match.service.world import World
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
    chroma
        Shows what is heard to those who look.
    hints
        When it is odd that nothing was detected.
    names
        What people call clusters and tracks.
    """

    node: str
    pace: Literal["real", "fast"]
    publish: Callable[[Event], Awaitable[None]]
    ids: EventIds
    stop: asyncio.Event
    world: World
    reconnect_max_s: float
    report: Report = field(default_factory=Report)
    store: Store | None = None
    chroma: ChromaFeed = field(default_factory=ChromaFeed)
    hints: HintSettings = field(default_factory=HintSettings)
    names: NameBook = field(default_factory=NameBook)
