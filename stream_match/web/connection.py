"""One connection to the page, which can neither stand still nor crowd out the others."""

import asyncio
import itertools
import socket
from collections.abc import Callable
from contextlib import suppress

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

MOST_CONNECTIONS = 128
"""A visitor has up to six. Of more, the oldest makes room: who comes anew is always served."""

ASK_WITHIN_S = 10.0
"""A connection that has not asked for anything by then is closed."""

STUCK_S = 15.0
"""An answer of which nothing is read for so long is broken off."""

SEND_BYTES = 64 << 10
"""What the system keeps of an answer that is not read."""

_numbers = itertools.count()


class PageConnection(H11Protocol):
    """A connection as uvicorn serves it, with an end.

    Parameters
    ----------
    config, server_state, app_state, _loop
        From uvicorn.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._timer: asyncio.TimerHandle | None = None
        self._number = next(_numbers)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the oldest connection makes room if there are too many."""
        super().connection_made(transport)
        self._end_after(ASK_WITHIN_S, self._end_unless_asked)
        with suppress(OSError, AttributeError):  # gone already
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        if len(self.connections) > MOST_CONNECTIONS:
            others = (one for one in self.connections if isinstance(one, PageConnection))
            min(others, key=lambda one: one._number).abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end_never()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a reader, but not for ever."""
        super().pause_writing()
        self._end_after(STUCK_S, self.abort)

    def resume_writing(self) -> None:
        """Go on: it is read again."""
        super().resume_writing()
        self._end_never()

    def abort(self) -> None:
        """End at once, whatever is under way."""
        self.connections.discard(self)  # it leaves one step later, and makes room now
        self.transport.abort()

    def _end_unless_asked(self) -> None:
        asked: object | None = self.cycle  # its annotation forgets that there may be none yet
        if asked is None:
            self.abort()

    def _end_after(self, seconds: float, end: Callable[[], None]) -> None:
        self._end_never()
        self._timer = self.loop.call_later(seconds, end)

    def _end_never(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
