"""What a service manager is told: ready, status, alive, reloading, stopping (the protocol of sd_notify)."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from stream_match.service.health import Health
from stream_match.service.intake import cancelled, unless
from stream_match.service.world import World
from stream_match.text import printable

log = logging.getLogger(__name__)

STATUS_EVERY_S = 10.0
"""Longest time between two looks at the health for the status line."""

MAX_STATUS = 500
"""Longest status line [characters]; a datagram has to hold it."""


class Notifier:
    """Sends datagrams to the socket that systemd names in the environment.

    Nothing is sent where there is no such socket, and what cannot be sent is left out: a listener does not
    depend on who watches it.

    Parameters
    ----------
    address : str, optional
        Path of the socket; a leading ``@`` stands for the abstract namespace. None for no service manager.
    watchdog_s : float, optional
        Time within which a sign of life is expected [seconds]; None for no watchdog.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s if address else None
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    @classmethod
    def of_process(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Make the one that the environment asks for.

        Parameters
        ----------
        environ : mapping
            ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` as systemd sets them. What cannot be
            understood counts as absent.
        """
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            return cls()
        period, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        is_for_us = pid in ("", str(os.getpid()))
        counts = period.isascii() and period.isdigit() and int(period) > 0
        return cls(address, int(period) / 1e6 if counts and is_for_us else None)

    @property
    def is_heard(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def say(self, *states: str) -> None:
        """Send assignments, such as ``READY=1``.

        Parameters
        ----------
        states : str
            One line each.
        """
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto("\n".join(states).encode(), self._address)
        except OSError as error:
            log.debug("The service manager could not be told: %s", error)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that settings are read anew, and when that is done."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.say("READY=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@asynccontextmanager
async def notifying(
    read: Callable[[], Health], stop: asyncio.Event, world: World, notifier: Notifier
) -> AsyncIterator[None]:
    """Tell a service manager that we are ready, and how we are, until all ends.

    The watchdog is fed as long as `Health.alive`: while what arrives is analysed, and what is away is sought.

    Parameters
    ----------
    read : callable () -> Health
    stop : asyncio.Event
        Set when everything has to end.
    world : World
        Sleep.
    notifier : Notifier
        Closed at the end.
    """
    if not notifier.is_heard:
        yield
        return
    notifier.say("READY=1", _status(read()))
    telling = asyncio.create_task(_tell(read, stop, world, notifier), name="tell the service manager")
    try:
        yield
    finally:
        await cancelled(telling)
        notifier.say("STOPPING=1", "STATUS=delivering what waits")
        notifier.close()


async def _tell(read: Callable[[], Health], stop: asyncio.Event, world: World, notifier: Notifier) -> None:
    period_s = min(STATUS_EVERY_S, (notifier.watchdog_s or STATUS_EVERY_S) / 2)
    was_alive = True
    while not stop.is_set():
        await unless(stop, period_s, world)
        health = read()
        if was_alive and not health.alive:
            log.error("The watchdog is not fed any more: %s.", "; ".join(health.troubles))
        was_alive = health.alive
        notifier.say(*(["WATCHDOG=1"] if health.alive and notifier.watchdog_s else []), _status(health))
    notifier.say("STOPPING=1", "STATUS=ending matches, delivering what waits")


def _status(health: Health) -> str:
    running = sum(source.state == "running" for source in health.sources)
    said = f"{running} of {len(health.sources)} sources running"
    if health.troubles:
        said += "; " + "; ".join(health.troubles)
    # One line, whatever a server has sent: the next line would be another assignment.
    return f"STATUS={' '.join(printable(said).split())[:MAX_STATUS]}"
