"""A thread that does what waits for a disk, one thing at a time."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class DiskThread:
    """Does work in the order in which it is given, off the event loop.

    A disk may hang for ever. The thread is a daemon then, and holds up neither the loop nor the end of the
    program.

    Parameters
    ----------
    name : str
        Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], T]) -> T:
        """Do work and return its result; work is done to its end, even if nobody waits any more."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def carried() -> None:
            try:
                tell: tuple[Callable[[Any], None], Any] = (done.set_result, work())
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                tell = (done.set_exception, error)
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(_unless_cancelled, done, *tell)

        self._work.put(carried)
        return await done

    def end(self) -> None:
        """Let the thread end when it has done what it was given."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _unless_cancelled(done: "asyncio.Future[Any]", tell: Callable[[Any], None], what: object) -> None:
    if not done.cancelled():
        tell(what)
