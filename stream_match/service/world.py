"""What the service takes from outside: clocks, chance, threads; replaceable, so that tests need not wait."""

import asyncio
import math
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from stream_match.capture import open_source
from stream_match.capture.base import Source
from stream_match.capture.threaded import from_thread
from stream_match.config import SourceSettings
from stream_match.events import Facts
from stream_match.publish import open_sink
from stream_match.publish.base import Sink

T = TypeVar("T")


class EnginePort(Protocol):
    """What the service asks of an engine; `stream_match.engine.Engine` is one."""

    def feed(
        self, y: npt.NDArray[np.float32], *, gap_s: float = 0.0, discontinuity: bool = False
    ) -> list[Facts]:
        """Take audio, return what there is to say."""

    def flush(self) -> list[Facts]:
        """End the stream: every match that has started gets its end."""

    def take_up(self, catalogue: Any, /) -> list[Facts]:
        """Go on with another catalogue; return the ends of matches with tracks that it does not have.

        Called between two feeds, and only where the service was given a catalogue. It may be the one that
        the engine was made with.
        """


class OpenSink(Protocol):
    """Makes a sink of a URI."""

    def __call__(self, uri: str, *, node: str) -> Sink:
        """Make the sink; entering it opens it."""


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


_engine_threads = ThreadPoolExecutor(cores(), thread_name_prefix="engine")
"""One for each core: more of them would only take the interpreter's lock from each other."""


async def in_thread(work: Callable[[], T]) -> T:
    """Do CPU work off the event loop; nothing that waits for a disk, or engines would wait with it."""
    return await asyncio.get_running_loop().run_in_executor(_engine_threads, work)


WAITING = 32
"""Engines that wait for a server at one time, besides those that work."""

_waiting_threads = ThreadPoolExecutor(cores() + WAITING, thread_name_prefix="engine")


async def in_many_threads(work: Callable[[], T]) -> T:
    """Do CPU work that now and then waits for a server, in enough threads that others go on meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(_waiting_threads, work)


async def in_own_thread(work: Callable[[], T]) -> T:
    """Do what may hang for ever in a thread of its own, which is left behind if nobody waits any more.

    Whoever ceases to wait bounds what is left behind: see `beside`.
    """

    def once(_: threading.Event) -> Iterator[T]:
        yield work()

    async with aclosing(from_thread(once, name="aside", max_hung=math.inf)) as results:
        return await anext(results)


class Offload(Protocol):
    """Does work off the event loop."""

    def __call__(self, work: Callable[[], T], /) -> Coroutine[Any, Any, T]:
        """Do it, return its result."""


@dataclass(frozen=True)
class World:
    """Clocks, chance, threads and the makers of sources and sinks.

    Parameters
    ----------
    now : callable () -> float
        Seconds since 1970 (UTC).
    monotonic : callable () -> float
        Seconds that never go back.
    sleep : coroutine function (float [seconds])
        Waits.
    chance : callable () -> float
        Numbers from 0 to 1, for waiting times.
    random_bits : callable (int) -> int
        So many random bits, for ids.
    offload : coroutine function (callable)
        Does CPU work elsewhere than on the event loop.
    aside : coroutine function (callable)
        Does what may hang elsewhere than where engines work, and than on the event loop.
    open_source, open_sink : callable
        Make sources and sinks of what the settings say.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    random_bits: Callable[[int], int] = random.SystemRandom().getrandbits
    offload: Offload = in_thread
    aside: Offload = in_own_thread
    open_source: Callable[[SourceSettings], Source] = open_source
    open_sink: OpenSink = field(default=open_sink)

    def time_of_day(self, at: float) -> float:
        """Return the time of day of a monotonic time, by the wall clock as it is set now.

        Parameters
        ----------
        at : float
            Monotonic seconds.

        Returns
        -------
        float
            Seconds since 1970 (UTC).
        """
        return self.now() - (self.monotonic() - at)
