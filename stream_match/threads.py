"""One thread for the matrix products of this package, whatever the program around it does.

The products are small: more threads only wait for each other, at many times the cost on a busy machine. The
command line says so to BLAS before it is loaded. In a program of a library's user, BLAS is limited around our
own calls. It has the number of threads that the program chose as soon as none of these is running.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


_lock = threading.Lock()
_inside = 0
_limits: list[tuple["ThreadpoolController", Any]] = []
"""What limits the process while any of our threads is inside: the first sets it, the last lifts it."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread inside the block, whichever of our threads are inside another one."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside
    with _lock:
        blas = _blas(len(sys.modules))
        if not _limits or _limits[-1][0] is not blas:  # a library loaded since has no limit yet
            _take_control()
            _limits.append((blas, blas.limit(limits=1)))
        _inside += 1


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside:
            _take_control()
            while _limits:
                _limits.pop()[1].restore_original_limits()
            _take_control()  # and give it away


def _take_control() -> None:
    """Let this thread set the limit: threadpoolctl 3.8 ignores all threads but the one that set it first."""
    import threadpoolctl

    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    if openblas is not None and hasattr(openblas, "clear_controlling_thread"):
        openblas.clear_controlling_thread(force=True)


@lru_cache(maxsize=1)
def _blas(modules: int) -> "ThreadpoolController":
    """Find the libraries, which takes milliseconds; again when modules were loaded, which may bring more."""
    del modules
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
