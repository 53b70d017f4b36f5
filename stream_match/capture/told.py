"""What is wrong with a file is told once, also where it is read several times."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_before: ContextVar[bool] = ContextVar("told_before", default=False)


@contextmanager
def told_before() -> Iterator[None]:
    """Keep silent, within this context, the loggers that `logger` made."""
    token = _before.set(True)
    try:
        yield
    finally:
        _before.reset(token)


def logger(name: str) -> logging.Logger:
    """Return the logger of a module that tells what is wrong with a file.

    Parameters
    ----------
    name : str
        That of the module.
    """
    made = logging.getLogger(name)
    made.addFilter(lambda _: not _before.get())
    return made
