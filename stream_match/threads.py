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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


_limiting = threading.Lock()
"""Held by the one of our threads that has set the limit, which is the process's. It alone lifts it."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread inside the block, unless another of our threads has seen to that already."""
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _blas(len(sys.modules)).limit(limits=1):
            yield
    finally:
        _limiting.release()


@lru_cache(maxsize=1)
def _blas(modules: int) -> "ThreadpoolController":
    """Find the libraries, which takes milliseconds; again when modules were loaded, which may bring more."""
    del modules
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
