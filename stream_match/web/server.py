"""The server of the page, in the daemon's own loop: it leaves signals and the log to the daemon."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp
from uvicorn import Config, Server

from stream_match.errors import words_of
from stream_match.web.connection import PageConnection

log = logging.getLogger(__name__)

RETRY_S = 10.0
"""Pause before an address that is in use is tried again: a daemon that is being replaced frees it soon."""

GRACE_S = 1
"""How long answers may take at the end."""

LONGEST_HEAD_BYTES = 16 << 10


class PageServer:
    """Serves an application at an address, for as long as `run` runs.

    Parameters
    ----------
    host : str
        A name or an address of this computer.
    port : int
        0 for any free one.
    application : ASGIApp

    Attributes
    ----------
    address : str or None
        URL of the page, while it is served.
    """

    def __init__(self, host: str, port: int, application: ASGIApp) -> None:
        self.address: str | None = None
        self._host = host
        self._port = port
        self._application = application
        self._told: str | None = None
        self._server: _Server | None = None

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return 0 if self._server is None else len(self._server.server_state.connections)

    async def run(self) -> None:
        """Serve until cancelled. What is in the way is told once, and tried again: listening goes on."""
        while True:
            try:
                plug = await bound(self._host, self._port)
            except OSError as error:
                self._tell(error)
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._serve(plug)
            except Exception as error:  # noqa: BLE001 - listening goes on, and so shall the page
                log.error("the page broke (%s: %s)", type(error).__name__, words_of(error))  # noqa: TRY400 - one line
                await asyncio.sleep(RETRY_S)

    async def _serve(self, plug: socket.socket) -> None:
        self._port = plug.getsockname()[1]  # it stays the same if it has to be opened again
        self.address = f"http://{_shown(self._host)}:{self._port}/"
        log.info("the page is at %s", self.address)
        self._told = None
        self._server = server = _Server(serving(self._application))
        served = asyncio.ensure_future(server.serve([plug]))
        try:
            await asyncio.shield(served)
        except asyncio.CancelledError:
            server.should_exit = True
            await served
            raise
        finally:
            self.address = self._server = None
            server.abort()

    def _tell(self, error: OSError) -> None:
        why = words_of(error)
        if why != self._told:
            self._told = why
            log.warning(
                "The page cannot be shown at %s:%d: %s. Listening goes on, and it is tried again every "
                "%.0f s; give another --web HOST:PORT if it stays so.",
                _shown(self._host), self._port, why[:1].lower() + why[1:], RETRY_S,
            )  # fmt: skip


def serving(application: ASGIApp) -> Config:
    """Return how uvicorn serves an application."""
    return Config(
        application, http=PageConnection, ws="none", lifespan="off", loop="none", log_config=None,
        log_level=logging.CRITICAL + 1, access_log=False, server_header=False, proxy_headers=False,
        h11_max_incomplete_event_size=LONGEST_HEAD_BYTES, timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip


class _Server(Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the daemon."""
        yield

    def abort(self) -> None:
        """Break off what is left of connections."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


async def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address of this computer.

    Raises
    ------
    OSError
        If the name is not known, the address is not of this computer, or it is in use.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    plug = socket.socket(family, kind, protocol)
    try:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plug.bind(address)
        plug.listen()  # from here on visitors wait, though nobody answers yet
    except BaseException:
        plug.close()
        raise
    return plug


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
