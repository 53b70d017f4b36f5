"""Work that may wait for a disk for ever: what hangs at one disk holds up no work at another."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from stream_match.errors import StoreError, StreamMatchError
from stream_match.service.world import Offload, World
from stream_match.store.event_store import Store

T = TypeVar("T")

MOST_LEFT = 4
"""Calls for one purpose that may still hang though nobody waits for them any more. Each keeps a thread and
what it has read. With so many there is no new call until one ends: over months they would fill the memory."""


class Beside:
    """Does what may hang, for one purpose.

    Parameters
    ----------
    aside : coroutine function (callable)
        Does what may hang.
    what : str
        What is asked there, for sentences.
    refusal : callable (str) -> StreamMatchError
        Makes the error of a call that is refused, of its sentence.
    """

    def __init__(self, aside: Offload, what: str, refusal: Callable[[str], StreamMatchError]) -> None:
        self._aside = aside
        self._what = what
        self._refusal = refusal
        self._left: list[threading.Event] = []  # of each call that was left: set when it has ended

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Do it, return its result.

        Raises
        ------
        StreamMatchError
            If `MOST_LEFT` calls hang that nobody waits for any more.
        """
        self._left = [ended for ended in self._left if not ended.is_set()]
        if len(self._left) >= MOST_LEFT:
            raise self._refusal(
                f"{len(self._left)} earlier calls to {self._what} hang and do not end: does its disk, or "
                "server, answer?"
            )
        ended = threading.Event()

        def noted() -> T:
            try:
                return work()
            finally:
                ended.set()

        try:
            return await self._aside(noted)
        except asyncio.CancelledError:
            if not ended.is_set():
                self._left.append(ended)
            raise


def beside(world: World, what: str, refusal: Callable[[str], StreamMatchError] = StreamMatchError) -> World:
    """Return a world whose `aside` is for one purpose: what hangs for another one does not count.

    Parameters
    ----------
    world : World
    what : str
        What is asked there, for sentences.
    refusal : callable (str) -> StreamMatchError, optional
        Makes the error of a call that is refused.
    """
    return replace(world, aside=Beside(world.aside, what, refusal))


def beside_store(world: World, store: Store | None) -> World:
    """Return a world whose `aside` asks the store; a call that is refused raises StoreError."""
    if store is None:
        return world
    return beside(world, f"the store {store.path}", lambda said: StoreError("slow", said))
