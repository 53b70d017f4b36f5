"""Who writes clips: one task, one clip at a time, whatever the disk does.

**Policy.** What is live never waits for a clip. `QUEUED_S` of audio may wait for the disk; what comes then is
lost, counted and told. Files that are read fast wait at `ROOM_S`, unless the disk does not answer. A clip
that cannot be written is lost, too, with one sentence per cause in the log, and the next one is tried. Work
is done in a thread of its own, because a disk may hang for ever.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.clips import Clip, ClipFolder
from stream_match.clips.encoding import check_format, encoded
from stream_match.clips.folder import DAY_S, Pruned
from stream_match.config import ClipSettings
from stream_match.errors import StoreError
from stream_match.publish.sparse import SparseLog
from stream_match.publish.tasks import first_of
from stream_match.service.intake import cancelled
from stream_match.service.reasons import reason_of
from stream_match.service.steady_time import SteadyTime
from stream_match.service.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")

QUEUED_S = 600.0
"""Audio that may wait to be written [seconds]: 26 MB. Encoding is quick; only a disk that does not answer
fills the queue. One clip may always wait, however long it is."""

ROOM_S = 60.0
"""Audio that may wait before files that are read fast have to wait, too [seconds]."""

ROOM_PATIENCE_S = 5.0
"""A disk that does not answer for so long holds up nobody any more [seconds]."""

PRUNE_EVERY_S = 600.0
"""Pause between two looks at what is too old [seconds]. What is too much is deleted at once."""

SLOW_S = 60.0
"""Work on the disk that takes longer is told in the log."""

STOP_PATIENCE_S, END_PATIENCE_S = 1.5, 30.0
"""How long the end of the program waits for clips that are not written yet [seconds]: after a signal, and
when all sources have ended by themselves."""

_SLACK_S = DAY_S
"""Events of a recording that is read fast have times ahead of the clock, by less than this."""


class ClipKeeper:
    """Writes clips, and deletes those that are not to be kept any longer.

    Parameters
    ----------
    folder : ClipFolder
    settings : ClipSettings
    world : World
        Clock, and a thread that may hang.
    events_since : callable () -> float or None
        Returns the time before which events were deleted [seconds since 1970]; None if none were.
        Called off the event loop.

    Raises
    ------
    UsageError
        If the format cannot be written here.
    """

    def __init__(
        self,
        folder: ClipFolder,
        settings: ClipSettings,
        world: World,
        events_since: Callable[[], float | None] = lambda: None,
    ) -> None:
        check_format(settings.format)
        self.folder = folder
        self._settings = settings
        self._world = world
        self._events_since = events_since
        self._waiting: deque[Clip] = deque()
        self._waiting_s = 0.0
        self._bytes = 0  # of all clips
        self._lost = 0
        self._failing = False
        self._slow = False  # whether the disk has not answered for ROOM_PATIENCE_S
        self._prune_at = world.monotonic()
        self._time = SteadyTime(world)
        self._doubtful = 0  # clips that only a clock that is not believed calls too old
        self._ending = False
        self._due = asyncio.Event()
        self._done = asyncio.Event()
        self._complaints = SparseLog(log, clock=world.monotonic)

    def keep(self, clip: Clip) -> None:
        """Take a clip that is to be written; returns at once."""
        length_s = _length_s(clip)
        if self._waiting and self._waiting_s + length_s > QUEUED_S:
            self._lose("queue", "they come faster than the disk takes them")
            return
        self._waiting.append(clip)
        self._waiting_s += length_s
        self._due.set()

    async def room(self) -> None:
        """Wait while many clips wait, but not for a disk that does not answer.

        For recordings alone, which come as fast as they are read: what is live never waits.
        """
        while self._waiting_s > ROOM_S and not self._slow:
            self._done.clear()
            await self._done.wait()

    async def run(self) -> None:
        """Write and delete until `end` is called and nothing waits."""
        await self._try("clear", self.folder.clear)
        while not (self._ending and not self._waiting):
            if self._world.monotonic() >= self._prune_at:
                await self._prune()
            elif self._waiting:
                await self._write(self._waiting[0])
                self._waiting_s -= _length_s(self._waiting.popleft())
                self._done.set()
            else:
                await self._until_due()

    async def end(self, task: "asyncio.Task[None]", *, patience_s: float) -> None:
        """Let `run` write what waits, for a while."""
        self._ending = True
        self._due.set()
        await asyncio.wait({task}, timeout=patience_s)
        await cancelled(task)
        if self._waiting:
            log.warning("%d clips were not written to %s.", len(self._waiting), self.folder.path)

    async def _until_due(self) -> None:
        self._due.clear()
        await first_of(self._due.wait(), self._slept(self._prune_at - self._world.monotonic()))

    async def _slept(self, seconds: float) -> None:
        await self._world.sleep(seconds)

    async def _write(self, clip: Clip) -> None:
        def work() -> int:
            comment = f"{clip.name.partition('/')[0]}, from {clip.begins_s:.3f} s of the stream"
            data = encoded(
                clip.y, self._settings.format, title=clip.title, artist=clip.artist, comment=comment
            )
            self.folder.write(clip.name, data)
            return len(data)

        written = await self._try("written", work)
        if written is None:
            return
        if self._failing:
            self._failing = False
            log.info("Clips are written to %s again.", self.folder.path)
        self._bytes += written
        if self._bytes > self._max_bytes:
            self._prune_at = self._world.monotonic()

    async def _prune(self) -> None:
        self._prune_at = self._world.monotonic() + PRUNE_EVERY_S

        def work() -> Pruned:
            now = self._time.now(None if self._time.is_begun else self.folder.newest_time())
            since = None
            with suppress(StoreError):  # which is told elsewhere
                since = self._events_since()
            return self.folder.prune(
                now,
                clock=self._world.now(),
                keep_days=self._settings.keep_days,
                max_bytes=self._max_bytes,
                events_since=None if since is None else since - _SLACK_S,
            )

        pruned = await self._try("pruned", work)
        if pruned is None:
            return
        self._bytes = pruned.bytes
        was, self._doubtful = self._doubtful, pruned.doubtful
        if pruned.doubtful and not was:
            log.info(
                "Clips in %s that are too old by a clock that has leapt, or after a long time without clips: "
                "%d. They are deleted little by little.", self.folder.path, pruned.doubtful,
            )  # fmt: skip
        if pruned.old or pruned.orphans or pruned.excess:
            log.info(
                "Clips deleted in %s: too old: %d, of events that are gone: %d, beyond max_megabytes: %d.",
                self.folder.path, pruned.old, pruned.orphans, pruned.excess,
            )  # fmt: skip

    async def _try(self, what: str, work: Callable[[], T]) -> T | None:
        """Do what waits for the disk; say what goes wrong, and return None then."""
        working = asyncio.ensure_future(self._world.aside(work))
        try:
            done, _ = await asyncio.wait({working}, timeout=ROOM_PATIENCE_S)
            if not done:
                self._slow = True
                self._done.set()
                done, _ = await asyncio.wait({working}, timeout=SLOW_S - ROOM_PATIENCE_S)
            if not done:
                self._tell("slow", f"its disk has not answered for {SLOW_S:.0f} s")
            result = await working
        except Exception as error:  # whatever the disk says, listening goes on
            log.debug("Clips cannot be %s", what, exc_info=True)
            kind = str(getattr(error, "errno", None) or type(error).__name__)
            why = getattr(error, "strerror", None) or reason_of(error)
            if what == "written":
                self._lose(kind, why)
            else:
                self._tell(kind, why)
            return None
        else:
            self._slow = False
            return result
        finally:
            await cancelled(working)

    def _lose(self, kind: str, why: str) -> None:
        self._lost += 1
        self._failing = True
        self._tell(kind, f"{why}; clips lost so far: {self._lost}")

    def _tell(self, kind: str, why: str) -> None:
        self._complaints.tell(kind, f"The clips in {self.folder.path} are not kept as they should: {why}.")

    @property
    def _max_bytes(self) -> int:
        return round(self._settings.max_megabytes * 1_000_000)


def _length_s(clip: Clip) -> float:
    return clip.y.size / SAMPLE_RATE_HZ
