"""A check: what was looked at, what was found, and what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from stream_match.service.reasons import reason_of
from stream_match.service.world import in_own_thread

T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """What a check came to.

    Attributes
    ----------
    check : str
        What was looked at, such as ``broker mqtt://host:1883/base: tls``.
    ok : bool
        Whether listening works with it.
    said : str
        What was found; without secrets.
    do : str or None
        What to do; also of something that works, but should be better.
    """

    check: str
    ok: bool
    said: str
    do: str | None = None


class Finding(Exception):  # noqa: N818 - what was found is no error of the program
    """What is wrong, and what to do; ends a check.

    Parameters
    ----------
    said, do : str
        As in `Check`.
    """

    def __init__(self, said: str, do: str) -> None:
        super().__init__(said)
        self.said = said
        self.do = do


async def checked(
    name: str, look: Callable[[], Awaitable[str | tuple[str, str]]], *, limit_s: float
) -> Check:
    """Make one check.

    Parameters
    ----------
    name : str
        What is looked at.
    look : coroutine function
        Returns what was found, and perhaps what to do all the same; raises `Finding`, or anything else.
    limit_s : float [seconds]
        What does not answer within it is in trouble.
    """
    try:
        async with asyncio.timeout(limit_s):
            found = await look()
    except TimeoutError:
        return Check(name, ok=False, said=f"There was no answer within {limit_s:g} s.", do=SLOW)
    except Finding as finding:
        return Check(name, ok=False, said=finding.said, do=finding.do)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are made
        return Check(name, ok=False, said=reason_of(error), do=ODD)
    said, do = (found, None) if isinstance(found, str) else found
    return Check(name, ok=True, said=said, do=do)


SLOW = "Try again; if it stays so, look at what is asked there: a network, a disk or a device that hangs."
ODD = "The sentence says what is wrong; correct that and run doctor again."


async def aside(work: Callable[[], T]) -> T:
    """Do what may hang in a thread that is left behind when its time is over."""
    return await in_own_thread(work)
