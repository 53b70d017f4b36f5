"""A web without a network: what a client asks for is answered from memory."""

import http.client
import io
import urllib.request
from collections.abc import Callable
from typing import Any

from stream_match.capture import connections


class _Socket(io.BytesIO):
    """What ``http.client`` takes for a socket."""

    def makefile(self, _mode: str) -> io.BytesIO:
        """Return itself, since nothing is written."""
        return self


def response(data: bytes) -> http.client.HTTPResponse:
    """Understand an answer as the client does; raise what it raises."""
    made: http.client.HTTPResponse = connections._Answer(_Socket(data))  # type: ignore[arg-type]
    made.begin()
    return made


class Connecting(urllib.request.AbstractHTTPHandler):
    """Answers instead of `connections.Connecting`, whatever the address is.

    Parameters
    ----------
    answer : callable (str) -> bytes
        Returns what the server of an address sends: status, headers and body.
    """

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        super().__init__()
        self._answer = answer

    def http_open(self, request: urllib.request.Request) -> Any:
        """Answer."""
        made: Any = response(self._answer(request.full_url))
        made.url, made.msg = request.full_url, made.reason
        return made

    https_open = http_open
