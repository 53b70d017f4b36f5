"""HTTP as sources need it: one client for streams, files, playlists and the segments of HLS.

FFmpeg has a client of its own, but sends headers and passwords to wherever a playlist or a redirection leads.
This one keeps them for the server that they are meant for, follows to ``http`` and ``https`` only, and gives
up on servers that answer drop by drop.
"""

import http.client
import io
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from stream_match.capture.address import ascii_url, same_server, split_credentials
from stream_match.capture.authentication import Login

USER_AGENT = "stream-match"
FAULTS = (OSError, http.client.HTTPException, ValueError)
"""What a server can make us raise; ValueError is for headers and addresses that are none."""


@dataclass(frozen=True)
class Access:
    """How a source presents itself to its server.

    Parameters
    ----------
    user_agent : str
        Sent to every server.
    headers : mapping of str to str
        Sent to the source's own server only.
    credentials : (str, str) or None
        User and password, for the source's own server only.
    """

    user_agent: str = USER_AGENT
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: tuple[str, str] | None = field(default=None, repr=False)


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

    def add(self, sock: socket.socket) -> None:
        """Take note of a connection, as soon as it is made."""
        own = sock.dup()  # TLS takes the socket itself away
        with self._lock:
            if not self._ended:
                self._sockets.append(own)
                if len(self._sockets) > MAX_OPEN:
                    self._sockets.pop(0).close()
                return
        _shut(own)
        own.close()

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
            _shut(sock)
            sock.close()

    def _be_late(self) -> None:
        self.late = True
        self.end()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # the server has closed it
        sock.shutdown(socket.SHUT_RDWR)


class Web:
    """Opens addresses for one source.

    Parameters
    ----------
    home : str
        The source's own address: its server gets what `access` keeps for it.
    access : Access
    silence_s : float, > 0 [seconds]
        Longest wait for a connection, and for each piece of data.
    connections : Connections
        Takes every connection that is made.
    """

    def __init__(self, home: str, access: Access, silence_s: float, connections: Connections) -> None:
        self._access = access
        self._silence_s = silence_s
        self._home, _ = split_credentials(ascii_url(home))
        self._logins: dict[str, Login] = {}
        if access.credentials is not None:
            self._logins[self._home] = Login(*access.credentials)
        self._opener = _opener(self, connections)

    def open(self, address: str, headers: Mapping[str, str] | None = None) -> "Body":
        """Ask for an address.

        Parameters
        ----------
        address : str
            ``http://`` or ``https://``; user and password in it are for its server.
        headers : mapping of str to str, optional
            Sent to whichever server answers.

        Returns
        -------
        Body
            Just behind the headers of the answer.

        Raises
        ------
        OSError, http.client.HTTPException or ValueError
            If the server cannot be reached, is no web server, or refuses: `FAULTS`.
            ``urllib.error.HTTPError`` has the status.
        """
        url, credentials = split_credentials(ascii_url(address))
        if credentials is not None:
            self._logins.setdefault(url, Login(*credentials))
        try:
            return self._asked(url, headers or {})
        except urllib.error.HTTPError as error:
            if error.code != http.client.UNAUTHORIZED or not self._challenged(error):
                raise
        return self._asked(url, headers or {})

    def request(self, url: str, headers: Mapping[str, str]) -> urllib.request.Request:
        """Make a request with what its server may see."""
        url, _ = split_credentials(ascii_url(url))
        if urlsplit(url).scheme not in ("http", "https"):
            msg = "leads to an address that is not of the web"
            raise urllib.error.URLError(msg)
        request = urllib.request.Request(url, headers={"User-Agent": self._access.user_agent, **headers})  # noqa: S310 - http(s) only
        # None of these is sent on to where a redirection leads; `request` is called again for that.
        if same_server(self._home, url):
            for name, value in self._access.headers.items():
                request.add_unredirected_header(name, value)
        login = self._login(url)
        answer = login.answer("GET", request.selector) if login is not None else None
        if answer is not None:
            request.add_unredirected_header("Authorization", answer)
        return request

    def _asked(self, url: str, headers: Mapping[str, str]) -> "Body":
        try:
            return Body(self._opener.open(self.request(url, headers), timeout=self._silence_s))
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            raise

    def _challenged(self, error: urllib.error.HTTPError) -> bool:
        login = self._login(error.url or "")
        return login is not None and login.challenged(error.headers.get_all("WWW-Authenticate", []))

    def _login(self, url: str) -> Login | None:
        return next((login for home, login in self._logins.items() if same_server(home, url)), None)


class Body:
    """What a server sends: read as it comes, with its beginning looked at before.

    Parameters
    ----------
    response : http.client.HTTPResponse
        Just behind its headers.
    """

    def __init__(self, response: Any) -> None:
        self.url: str = response.url
        self.headers: http.client.HTTPMessage = response.headers
        self.partial = response.status == http.client.PARTIAL_CONTENT
        self.size: int | None = response.length
        self._response = response
        self._left = self.size
        self._ahead = b""

    def peek(self, n: int) -> bytes:
        """Return the next `n` bytes, fewer only if there are no more; they stay to be read.

        Raises
        ------
        OSError, http.client.HTTPException or ValueError
            As `Web.open`.
        """
        parts, there = [self._ahead], len(self._ahead)
        while there < n and (data := self._received(n - there)):
            parts.append(data)
            there += len(data)
        self._ahead = b"".join(parts)
        return self._ahead[:n]

    def read(self, n: int) -> bytes:
        """Return up to `n` bytes, as soon as there are any; none at the end.

        Raises
        ------
        OSError, http.client.HTTPException or ValueError
            As `Web.open`; also if it ends before the size that was promised.
        """
        if not self._ahead:
            return self._received(n)
        data, self._ahead = self._ahead[:n], self._ahead[n:]
        return data

    def close(self) -> None:
        """Give up the connection."""
        self._response.close()

    def _received(self, n: int) -> bytes:
        data: bytes = self._response.read1(n if self._left is None else min(n, self._left))
        if self._left is not None:
            if not data and n and self._left:
                msg = "the connection was closed early"
                raise ConnectionResetError(msg)
            self._left -= len(data)
        return data


class _Answer(http.client.HTTPResponse):
    """An answer whose status line may be that of the oldest Shoutcast: ``ICY 200 OK``."""

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
        self.connections.add(self.sock)


class _Secure(http.client.HTTPSConnection, _Plain):
    """The socket is known before the handshake, which may take for ever too."""


class _Connecting(urllib.request.AbstractHTTPHandler):
    """Opens ``http`` and ``https`` through connections that are known."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._made(_Plain), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._made(_Secure), request, context=ssl.create_default_context())

    def _made(self, kind: type[_Plain]) -> Any:
        def make(host: str, **how: Any) -> _Plain:
            connection = kind(host, **how)
            connection.connections = self._connections
            return connection

        return make


class _Redirecting(urllib.request.HTTPRedirectHandler):
    """Follows with a request that is made anew for the server that it leads to."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        fp.close()
        if super().redirect_request(req, fp, code, msg, headers, newurl) is None:
            return None
        return self._web.request(newurl, {k: v for k, v in req.headers.items() if not k.startswith("Proxy")})


def _opener(web: Web, connections: Connections) -> urllib.request.OpenerDirector:
    """Make an opener that knows no scheme but http and https: no file, no FTP, no data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Connecting(connections),
        _Redirecting(web),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener
