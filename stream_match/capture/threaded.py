"""Run a blocking iterator in a thread of its own and await its items."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from stream_match.errors import SourceError

T = TypeVar("T")

AHEAD = 4
"""Items that the thread may be ahead of its reader: enough to decode while the reader works, few
enough that ten-second blocks of a file stay within a few megabytes."""

CLOSE_WAIT_S = 1.0
"""How long closing waits for the thread. One that sleeps in the network or in a driver ends by its own
timeout; it holds nothing that the next opening needs."""

MAX_HUNG = 4
"""Threads of one name that may hang at the same time. A driver can hold a thread for ever. With so many
held there is no new opening until one ends: over months they would fill the memory."""

_left: dict[str, list[threading.Thread]] = {}  # by name: threads whose readers have gone


async def from_thread(
    iterate: Callable[[threading.Event], Iterator[T]],
    *,
    name: str,
    ahead: int = AHEAD,
    max_hung: float = MAX_HUNG,
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
    max_hung : float, >= 1
        Threads of this name that may hang; infinity where the caller bounds them.

    Raises
    ------
    SourceError
        If `max_hung` threads of this name hang.

    Yields
    ------
    T
        The items in order. An error of the iterator is raised here after the items before it.
        What would end the program or the task (``SystemExit``, a cancellation) is raised as RuntimeError.
    """
    _refuse_if_hung(name, max_hung)
    worker = _Worker(iterate, asyncio.get_running_loop(), ahead)
    # A daemon: a thread that a driver holds must not keep the interpreter from ending.
    thread = threading.Thread(target=worker.run, name=name, daemon=True)
    thread.start()
    try:
        while (item := await worker.take()) is not None:
            yield item[0]
    finally:
        worker.leave()
        _left.setdefault(name, []).append(thread)
        with suppress(TimeoutError):
            await asyncio.wait_for(worker.ended.wait(), CLOSE_WAIT_S)
            thread.join(CLOSE_WAIT_S)  # it has said that it ends: a matter of microseconds
        _hung(name)


def _hung(name: str) -> int:
    """Count the threads of a name that still run though their readers have gone; forget the others."""
    alive = [thread for thread in _left.pop(name, []) if thread.is_alive()]
    if alive:
        _left[name] = alive
    return len(alive)


def _refuse_if_hung(name: str, most: float) -> None:
    if (hung := _hung(name)) >= most:
        raise SourceError(
            f"{hung} earlier openings of {name} hang and do not end: does its device, disk or server answer?",
            retry=True,
        )


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
        except Exception as error:  # noqa: BLE001 - carried over and raised where it is awaited
            return error
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a library ends its thread alone
            carried = RuntimeError(f"{type(error).__name__}: {error}")
            carried.__cause__ = error
            return carried
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
