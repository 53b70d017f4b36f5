"""Signals that end a command: it unwinds once, so that what it was writing is cleared away.

`end_in_order` turns a signal into `SystemExit`, raised in the main thread wherever it happens to be. What
must not be broken off half-way is done inside `held`; a part of it that may take long, inside `released`.
Without `end_in_order`, as in a program of a library's user, `held` and `released` do nothing.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Ending:
    """Which signal came, and how many `held` it has to wait for."""

    def __init__(self) -> None:
        self.came: int | None = None
        self.held = 0

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal; end at once, or as soon as nothing is held."""
        del frame
        self.came = number
        self.end_if_due()

    def end_if_due(self) -> None:
        """End if a signal came and nothing is held."""
        if self.came is not None and not self.held:
            raise SystemExit(128 + self.came)  # as shells have it


_ending = _Ending()


@contextmanager
def end_in_order() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise `SystemExit`; one that is ignored, as under nohup, stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and another program decides over it
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in ENDING}
    ours = [number for number in ENDING if before[number] is not signal.SIG_IGN]
    try:
        for number in ours:
            signal.signal(number, _ending.hear)
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        _ending.came = None


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the block has been left."""
    _ending.held += 1
    try:
        yield
    finally:
        _ending.held -= 1
        _ending.end_if_due()


@contextmanager
def released() -> Iterator[None]:
    """Inside `held`: let a signal end the block, even one that came before it."""
    held_before, _ending.held = _ending.held, 0
    try:
        _ending.end_if_due()
        yield
        _ending.end_if_due()  # where Python lost the exception, in a callback of a library
    finally:
        _ending.held = held_before


@contextmanager
def blocked() -> Iterator[None]:
    """Block the signals for this thread, and for ever in processes that it starts meanwhile.

    A terminal or systemd sends a signal to the whole group. Processes that work for us leave it to us.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
