"""Icecast and Shoutcast over HTTP: audio with the names of what is played in between."""

import base64
import http.client
import re
import urllib.request
from collections import deque
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

HEADERS = ("icy-name", "icy-genre", "icy-description")
_FIELD = re.compile(r"(\w+)='(.*?)';", re.DOTALL)


class Response(Protocol):
    """What is needed of an HTTP response."""

    def read(self, n: int, /) -> bytes:
        """Read `n` bytes, fewer only at the end."""

    def read1(self, n: int, /) -> bytes:
        """Read up to `n` bytes, as soon as there are any."""

    def close(self) -> None:
        """Give up the connection."""


class IcyStream:
    """The audio of a response as a readable file, its metadata set aside with their places.

    PyAV reads a stream's metadata once, when it opens it; the titles that follow are found here.

    Parameters
    ----------
    response : Response
        Just behind its headers.
    interval : int, > 0 [bytes]
        Audio between two pieces of metadata (the header ``icy-metaint``).
    about : dict of str to str
        What the headers say of the station.
    """

    def __init__(self, response: Response, interval: int, about: dict[str, str]) -> None:
        self.about = about
        self._response = response
        self._interval = interval
        self._left = interval
        self._position = 0
        self._titles: deque[tuple[int, dict[str, str]]] = deque()

    def read(self, n: int) -> bytes:
        """Read audio, as it comes.

        Parameters
        ----------
        n : int, > 0
            Bytes at most.

        Returns
        -------
        bytes
            Nothing at the end.
        """
        if not self._left:
            self._read_metadata()
        data = self._response.read1(min(n, self._left))
        self._left -= len(data)
        self._position += len(data)
        return data

    def news(self, position: int | None) -> dict[str, str]:
        """Return what the stream said of itself up to a byte of its audio, once.

        Parameters
        ----------
        position : int or None [bytes]
            Where the audio in hand begins; None if that is not known.

        Returns
        -------
        dict of str to str
            Such as ``{"StreamTitle": "…"}``; mostly empty.
        """
        found: dict[str, str] = {}
        while self._titles and (position is None or position < 0 or self._titles[0][0] <= position):
            found.update(self._titles.popleft()[1])
        return found

    def close(self) -> None:
        """Give up the connection."""
        self._response.close()

    def _read_metadata(self) -> None:
        self._left = self._interval
        length = self._response.read(1)
        if length and length[0]:
            fields = parse_metadata(self._response.read(16 * length[0]))
            if fields:
                self._titles.append((self._position, fields))


def parse_metadata(data: bytes) -> dict[str, str]:
    """Take one piece of metadata apart.

    Parameters
    ----------
    data : bytes
        ``StreamTitle='…';StreamUrl='…';`` in UTF-8 or Latin-1, padded with zeros.

    Returns
    -------
    dict of str to str
        The fields that are not empty, and ``StreamTitle`` in any case when it was sent.
    """
    data = data.rstrip(b"\0")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return {key: value for key, value in _FIELD.findall(text) if value or key == "StreamTitle"}


def open_icy(uri: str, timeout_s: float) -> IcyStream | None:
    """Ask an address for audio with metadata in it.

    Parameters
    ----------
    uri : str
        ``http://`` or ``https://``, with or without user and password.
    timeout_s : float, > 0 [seconds]
        Longest wait for the connection, and for each piece of data.

    Returns
    -------
    IcyStream or None
        None if the server has no such metadata (or talks the oldest Shoutcast): leave it to FFmpeg.

    Raises
    ------
    OSError
        If the server cannot be reached or refuses; ``urllib.error.HTTPError`` with its status.
    """
    try:
        response = urllib.request.urlopen(_request(uri), timeout=timeout_s)  # noqa: S310 - http(s) only
    except http.client.HTTPException:  # "ICY 200 OK" in place of HTTP
        return None
    interval = response.headers.get("icy-metaint", "")
    if not interval.isdigit() or int(interval) == 0:
        response.close()
        return None
    about = {name: response.headers[name] for name in HEADERS if response.headers.get(name)}
    return IcyStream(response, int(interval), about)


def _request(uri: str) -> urllib.request.Request:
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
    request = urllib.request.Request(bare, headers={"Icy-MetaData": "1", "User-Agent": "stream-match"})  # noqa: S310 - http(s) only
    if at:
        token = base64.b64encode(unquote(user).encode()).decode("ascii")
        # Not sent on to where a redirection leads.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request
