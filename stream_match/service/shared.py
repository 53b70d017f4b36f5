"""What the sources of one service share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from stream_match.config import HintSettings
from stream_match.events import Event
from stream_match.service.chroma_feed import ChromaFeed
from stream_match.service.kept_audio import KeptAudio
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
    heard
        Told how far a source was heard: its name, when that was [seconds since 1970], its stream time.
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
    kept
        What is kept of their audio; nothing by default.
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
    heard: Callable[[str, float, float], None] = lambda *_: None
    chroma: ChromaFeed = field(default_factory=ChromaFeed)
    hints: HintSettings = field(default_factory=HintSettings)
    kept: KeptAudio = field(default_factory=KeptAudio)
    names: NameBook = field(default_factory=NameBook)
