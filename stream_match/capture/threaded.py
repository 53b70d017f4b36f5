"""Run a blocking iterator in a thread of its own and await its items."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

AHEAD = 4
"""Items that the thread may be ahead of its reader: enough to decode while the reader works, few
enough that ten-second blocks of a file stay within a few megabytes."""

CLOSE_WAIT_S = 1.0
"""How long closing waits for the thread. One that sleeps in the network or in a driver ends by its own
timeout; it holds nothing that the next opening needs."""


async def from_thread(
    iterate: Callable[[threading.Event], Iterator[T]], *, name: str, ahead: int = AHEAD
) -> AsyncGenerator[T, None]:
    """Yield the items of a blocking iterator without blocking the event loop.

    Parameters
    ----------
    iterate : callable (threading.Event) -> iterator
        Makes the iterator, in the thread. The event is set when the reader has gone: an iterator
        that waits for long should look at it.
    name : str
        Name of the thread.
    ahead : int, >= 1
        Items that the thread may make before the reader takes them; then it waits.

    Yields
    ------
    T
        The items in order. An error of the iterator is raised here after the items before it.
    """
    worker = _Worker(iterate, asyncio.get_running_loop(), ahead)
    # A daemon: a thread that a driver holds must not keep the interpreter from ending.
    thread = threading.Thread(target=worker.run, name=name, daemon=True)
    thread.start()
    try:
        while (item := await worker.take()) is not None:
            yield item[0]
    finally:
        worker.leave()
        with suppress(TimeoutError):
            await asyncio.wait_for(worker.ended.wait(), CLOSE_WAIT_S)
            thread.join(CLOSE_WAIT_S)  # it has said that it ends: a matter of microseconds


class _Worker(Generic[T]):
    """What thread and reader share; `run` belongs to the thread, the rest to the event loop."""

    def __init__(
        self, iterate: Callable[[threading.Event], Iterator[T]], loop: asyncio.AbstractEventLoop, ahead: int
    ) -> None:
        self.ended = asyncio.Event()
        self._iterate = iterate
        self._loop = loop
        self._stop = threading.Event()
        self._slots = threading.Semaphore(ahead)
        # An item in a tuple, an error, or None for the end. The semaphore bounds it.
        self._inbox: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()

    async def take(self) -> tuple[T] | None:
        got = await self._inbox.get()
        if isinstance(got, BaseException):
            raise got
        self._slots.release()
        return got

    def leave(self) -> None:
        self._stop.set()
        self._slots.release()

    def run(self) -> None:
        # The loop may be closed by now, and then nobody listens.
        with suppress(RuntimeError):
            last = self._work()
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, last)
            self._loop.call_soon_threadsafe(self.ended.set)

    def _work(self) -> BaseException | None:
        try:
            self._pump()
        except BaseException as error:  # noqa: BLE001 - carried over and raised where it is awaited
            return error
        return None

    def _pump(self) -> None:
        items = self._iterate(self._stop)
        try:
            while True:
                self._slots.acquire()
                if self._stop.is_set():
                    return
                for item in items:
                    self._loop.call_soon_threadsafe(self._inbox.put_nowait, (item,))
                    break
                else:
                    return
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
