"""Connections of HTTP that can be cut at any time, and understand the oldest Shoutcast."""

import http.client
import io
import re
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

MAX_OPEN = 8
"""Connections that are kept in mind; HLS makes one for every segment, one after the other."""


class Connections:
    """The connections of one opening, which end all together.

    Parameters
    ----------
    deadline_s : float, > 0 [seconds]
        After so long they are cut, unless `ready` has been called. A server that sends a byte every few
        seconds is never silent, and never ready.
    """

    def __init__(self, deadline_s: float) -> None:
        self.late = False
        self.heard = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._ended = False
        self._timer = threading.Timer(deadline_s, self._be_late)
        self._timer.daemon = True
        self._timer.start()

    def add(self, sock: socket.socket) -> socket.socket:
        """Take note of a connection, as soon as it is made; return what `drop` takes."""
        own = sock.dup()  # TLS takes the socket itself away
        with self._lock:
            if not self._ended:
                self._sockets.append(own)
                if len(self._sockets) > MAX_OPEN:
                    self._sockets.pop(0).close()
                return own
        _cut(own)
        return own

    def drop(self, own: socket.socket) -> None:
        """Cut a connection that is not needed any more: the server need not hold it."""
        with self._lock:
            if own not in self._sockets:
                return
            self._sockets.remove(own)
        _cut(own)

    def ready(self) -> None:
        """Lift the deadline: there is audio."""
        if not self.heard:
            self.heard = True
            self._timer.cancel()

    def end(self) -> None:
        """Cut what is connected; reading it ends."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            sockets, self._sockets = self._sockets, []
        for sock in sockets:
            _cut(sock)

    def _be_late(self) -> None:
        self.late = True
        self.end()


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):  # the server has closed it
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class _Answer(http.client.HTTPResponse):
    """An answer whose status line may be that of the oldest Shoutcast: ``ICY 200 OK``."""

    closed_too: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        if self.closed_too is not None:
            self.closed_too()

    def _read_status(self) -> tuple[str, int, str]:
        sent = self.fp
        line = sent.readline(1 << 16)
        self.fp = io.BufferedReader(io.BytesIO(re.sub(rb"^ICY\b", b"HTTP/1.0", line)))
        try:
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc] # typeshed leaves it out
        except BaseException:
            sent.close()
            raise
        self.fp = sent
        return status


class _Plain(http.client.HTTPConnection):
    response_class = _Answer
    connections: Connections

    def connect(self) -> None:
        super().connect()
        self._own = self.connections.add(self.sock)

    def getresponse(self) -> http.client.HTTPResponse:
        answer = super().getresponse()
        assert isinstance(answer, _Answer)
        answer.closed_too = partial(self.connections.drop, self._own)
        return answer


class _Secure(http.client.HTTPSConnection, _Plain):
    """The socket is known before the handshake, which may take for ever too."""


class Connecting(urllib.request.AbstractHTTPHandler):
    """Opens ``http`` and ``https`` through connections that are known, for ``urllib``.

    Parameters
    ----------
    connections : Connections
        Takes every connection as soon as it is made.
    """

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections
        self._context: ssl.SSLContext | None = None

    def http_open(self, request: urllib.request.Request) -> Any:
        """Ask over a plain connection."""
        return self.do_open(self._made(_Plain), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        """Ask over TLS."""
        if self._context is None:  # loading the certificates takes a while
            self._context = ssl.create_default_context()
        return self.do_open(self._made(_Secure), request, context=self._context)

    def _made(self, kind: type[_Plain]) -> Any:
        def make(host: str, **how: Any) -> _Plain:
            connection = kind(host, **how)
            connection.connections = self._connections
            return connection

        return make
