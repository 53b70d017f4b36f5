"""A web without a network: what a client asks for is answered from memory."""

import http.client
import io
import urllib.request
from collections.abc import Callable
from typing import Any

from stream_match.capture import web


class _Socket(io.BytesIO):
    """What ``http.client`` takes for a socket."""

    def makefile(self, _mode: str) -> io.BytesIO:
        """Return itself, since nothing is written."""
        return self


def response(data: bytes) -> http.client.HTTPResponse:
    """Understand an answer as the client does; raise what it raises."""
    made = web._Answer(_Socket(data))  # type: ignore[arg-type]
    made.begin()
    return made


def opener(client: web.Web, answer: Callable[[str], bytes]) -> urllib.request.OpenerDirector:
    """Return what opens addresses for a client, with the handlers that it has but for the connections."""
    director = urllib.request.OpenerDirector()
    for handler in (
        _Connecting(answer),
        web._Redirecting(client),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        director.add_handler(handler)
    return director


class _Connecting(urllib.request.AbstractHTTPHandler):
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
