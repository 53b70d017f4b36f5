"""Whether the store can be written, what is said of that, and when it is tried again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from stream_match.errors import StoreError
from stream_match.publish.backoff import Backoff
from stream_match.publish.sparse import SparseLog
from stream_match.service.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long events wait for a store that does not answer before they go out from memory."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""Pauses between attempts to use a store that fails."""


class StoreHealth:
    """Follows a store's troubles; tells each cause at most once in five minutes.

    Parameters
    ----------
    path : Path
        The store, for sentences.
    world : World
        Clock and chance.
    progress : callable ()
        Called when events may go out because of trouble.

    Attributes
    ----------
    alone : bool
        Whether events go out although they are not written.
    retry_at : float
        Monotonic time before which the store is not tried again.
    trouble : str or None
        Why it is not written.
    """

    def __init__(self, path: Path, world: World, progress: Callable[[], None]) -> None:
        self.alone = False
        self.retry_at = 0.0
        self.trouble: str | None = None
        self._path = path
        self._world = world
        self._progress = progress
        self._told = False  # whether there is trouble that the log knows of
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S, chance=world.chance)
        self._complaints = SparseLog(log, clock=world.monotonic)

    def fail(self, error: StoreError) -> None:
        """Take note that the store could not be used."""
        self.retry_at = self._world.monotonic() + self._backoff.next_s()
        self._go_on_alone(error.kind, f"{error} Listening goes on from memory.")

    def works(self, *, all_written: bool) -> None:
        """Take note that it was written."""
        self.retry_at = 0.0
        if not all_written:
            return
        self._backoff.reset()
        if self._told:
            log.info("The store %s is written again.", self._path)
        self.alone = self._told = False
        self.trouble = None

    async def watched(self, work: Awaitable[T]) -> T:
        """Await work on the store; when it takes long, events go out without it meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
            if not done:
                said = f"has not answered for {PATIENCE_S:g} s: listening goes on from memory."
                self._go_on_alone("slow", f"The store {self._path} {said}")
            return await task
        finally:
            task.cancel()

    def _go_on_alone(self, kind: str, sentence: str) -> None:
        self._told |= self._complaints.tell(kind, sentence)
        self.alone, self.trouble = True, sentence
        self._progress()
