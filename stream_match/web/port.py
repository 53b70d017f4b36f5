"""What the page asks of the listener that shows it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from stream_match.events import Event

T = TypeVar("T")

Answer = dict[str, Any]
"""What JSON can hold."""


@dataclass(frozen=True)
class ChromaPiece:
    """A stretch of what is heard just now, as a picture.

    Attributes
    ----------
    source : str
    time : float
        When the last frame was heard [seconds since 1970].
    frame_s : float
        From one frame to the next.
    frames : bytes
        Twelve for each frame, C first; 255 stands for 1.
    level_dbfs : float or None
        RMS level of the piece.
    """

    source: str
    time: float
    frame_s: float
    frames: bytes
    level_dbfs: float | None


class Control(Protocol):
    """What can be asked of a listener; an error of ours says why something cannot be done."""

    async def candidates(self, source: str) -> Answer:
        """Return what nearly matched of late."""

    async def name(
        self, source: str, name: str | None, *, cluster: str | None = None, track: str | None = None
    ) -> Answer:
        """Name a cluster or a track."""

    async def mark(
        self, source: str, name: str, *, last_seconds: float | None = None, clip: str | None = None
    ) -> Answer:
        """Make what was heard of late, or a clip, a reference of the index."""

    async def pause(self, source: str, *, paused: bool = True) -> Answer:
        """Cease to listen to a source, or begin again."""

    async def health(self) -> Answer:
        """Return how everything is."""


class Clips(Protocol):
    """Audio that was kept."""

    def find(self, name: str) -> Path | None:
        """Return the file of a clip; None if there is none of that name."""

    def of_sound(self, source: str, cluster_id: str) -> str | None:
        """Return the name of the clip of a kind of sound; None if there is none."""


class Subscribed(Protocol):
    """Gives events; `service.bus.Bus.subscribed` does."""

    def __call__(
        self, *, after: str | None = None, capacity: int = ...
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Give those after an id, or from now on."""


class Aside(Protocol):
    """Does what reads a disk elsewhere than on the event loop."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Do it, return its result."""


@dataclass(frozen=True)
class Listener:
    """What the page knows of its listener.

    Attributes
    ----------
    node
        Its name.
    now
        Seconds since 1970.
    events
        Gives events.
    chroma
        Gives pictures of what is heard while it is entered; nothing is computed otherwise.
    aside
        Does elsewhere what may hang.
    aside_files
        The same for clips and the report, whose disk may be another one than that of the history; `aside` by
        default.
    state
        Folder with the history; None if nothing is kept.
    report
        A page about the collection, to be linked.
    control, clips
        None if the listener has none.
    held_s
        How much of each source is held to be marked [seconds].
    """

    node: str
    now: Callable[[], float]
    events: Subscribed
    chroma: Callable[[], AbstractAsyncContextManager[AsyncIterator[ChromaPiece]]]
    aside: Aside
    aside_files: Aside | None = None
    state: Path | None = None
    report: Path | None = None
    control: Control | None = None
    clips: Clips | None = None
    held_s: float = 0.0
