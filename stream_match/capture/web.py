"""HTTP as sources need it: one client for streams, files, playlists and the segments of HLS.

FFmpeg has a client of its own, but sends headers and passwords to wherever a playlist or a redirection leads.
This one keeps them for the server that they are meant for, follows to ``http`` and ``https`` only, and gives
up on servers that answer drop by drop.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from stream_match.capture.address import ascii_url, same_server, split_credentials
from stream_match.capture.authentication import Login
from stream_match.capture.connections import Connecting, Connections

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
        if credentials is not None and self._login(url) is None:  # one for a server, not for each segment
            self._logins[url] = Login(*credentials)
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


class _Redirecting(urllib.request.HTTPRedirectHandler):
    """Follows with a request that is made anew for the server that it leads to."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except Exception:
            fp.close()  # it holds the connection
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if super().redirect_request(req, fp, code, msg, headers, newurl) is None:
            return None
        return self._web.request(newurl, {k: v for k, v in req.headers.items() if not k.startswith("Proxy")})


def _opener(web: Web, connections: Connections) -> urllib.request.OpenerDirector:
    """Make an opener that knows no scheme but http and https: no file, no FTP, no data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        Connecting(connections),
        _Redirecting(web),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener
