"""From an address to something that can be decoded: a stream, a file, HLS, RTSP, or further addresses."""

import io
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from stream_match.capture import icy
from stream_match.capture.address import ascii_url, same_server, split_credentials, with_credentials
from stream_match.capture.feed import Feed, SeekableFeed, WebFile
from stream_match.capture.hls import Segments
from stream_match.capture.icy import IcyStream
from stream_match.capture.media import BUFFER_BYTES, open_bytes, open_playlist, open_rtsp
from stream_match.capture.parts import cut_riff
from stream_match.capture.playlist import HEAD_BYTES, MAX_BYTES, Kind, entries, is_hls, kind_of, plain_hls
from stream_match.capture.tags import tags_of
from stream_match.capture.web import Access, Body, Web

LIVE_BUFFER_BYTES = 4096
"""Read ahead of the decoder where audio comes as it is heard: a quarter of a second at 128 kbit/s."""

# No reconnecting inside FFmpeg: it would hide the gap.
HLS_OPTIONS = {
    "live_start_index": "-2",  # join near the live edge; the newest segment alone is short for probing
    "analyzeduration": "1500000",  # µs; FFmpeg's 5 s would wait for segments that are not there yet
}
RTSP_OPTIONS = {
    "analyzeduration": "1500000",
    "rtsp_transport": "tcp",
    "allowed_media_types": "audio",  # a camera's video would cost a client slot and bandwidth
}


@dataclass(frozen=True)
class How:
    """What all openings of a source have in common.

    Parameters
    ----------
    shown : str
        The source as messages name it, without secrets.
    timeouts_s : tuple of float, > 0 [seconds]
        Longest silence of FFmpeg's own connections while opening, and later.
    access : Access
        What RTSP is told; HTTP goes through a `Web`, which knows it.
    charset : str or None
        Of texts that are not UTF-8.
    """

    shown: str
    timeouts_s: tuple[float, float]
    access: Access
    charset: str | None


@dataclass(frozen=True)
class Opened:
    """Something that can be decoded.

    Parameters
    ----------
    container : av.container.InputContainer
    live : bool
        False for what has a duration or a size: it ends once.
    news : callable (int or None) -> mapping of str to str
        What the stream says of itself at a byte of it.
    fault : callable () -> Exception or None
        What went wrong with the connection, which for FFmpeg is just the end.
    lacking : str
        What of a file is not there by its header; empty if nothing is known to be missing.
    """

    container: Any
    live: bool
    news: Callable[[int | None], Mapping[str, str]]
    fault: Callable[[], Exception | None]
    lacking: str = ""

    @property
    def promised_s(self) -> float:
        """How long it should be [seconds]; infinite if that is not known."""
        duration = self.container.duration
        return math.inf if duration is None else float(duration) / 1_000_000


def open_address(address: str, home: str, web: Web, how: How, stack: ExitStack) -> Opened | list[str]:
    """Open an address.

    Parameters
    ----------
    address : str
        Of ``http``, ``https``, ``rtsp`` or ``rtsps``.
    home : str
        The source's own address; its server may have user and password.
    web : Web
        Client for HTTP.
    how : How
    stack : ExitStack
        Takes what has to be closed.

    Returns
    -------
    Opened or list of str
        A list of addresses if it is a playlist.

    Raises
    ------
    Exception
        Whatever the network, the server or FFmpeg come up with; `reasons.reason_of` tells them.
    """
    if address.lower().startswith("rtsp"):
        return _rtsp(address, home, how, stack)
    body = stack.enter_context(closing(web.open(address, icy.REQUEST)))
    interval = icy.interval_of(body.headers.get("icy-metaint"))
    kind = None if interval else _kind(body)
    if kind is None:
        return _audio(body, interval, web, how, stack)
    data = body.peek(MAX_BYTES)
    if is_hls(data):
        return _hls(data, body.url, web, how, stack)
    return entries(data, kind, body.url)


def _kind(body: Body) -> Kind | None:
    return kind_of(body.peek(HEAD_BYTES), body.headers.get("Content-Type", ""), body.url)


def _audio(body: Body, interval: int | None, web: Web, how: How, stack: ExitStack) -> Opened:
    titles = None if interval is None else IcyStream(body, interval, how.charset)
    lacking = "" if body.size is None else cut_riff(body.peek(HEAD_BYTES), body.size)
    file = stack.enter_context(closing(WebFile(web, body)))
    feed = SeekableFeed(file) if titles is None else Feed(titles)
    live = titles is not None or body.size is None
    buffer_bytes = LIVE_BUFFER_BYTES if live else BUFFER_BYTES
    with _fault_first(lambda: feed.fault):
        container = stack.enter_context(open_bytes(feed, shown=how.shown, buffer_bytes=buffer_bytes))
    about = tags_of(container, how.charset) | icy.about_station(body.headers.get, how.charset)
    ends = titles is None and (container.duration is not None or body.size is not None)
    return Opened(container, not ends, _News(about, titles), lambda: feed.fault, lacking)


def _hls(data: bytes, address: str, web: Web, how: How, stack: ExitStack) -> Opened:
    text = io.BytesIO(plain_hls(data))
    text.name = address  # what relative addresses in it start from
    segments = Segments(web, how.shown)
    with _fault_first(lambda: segments.fault):
        container = stack.enter_context(
            open_playlist(
                text, segments.open, shown=how.shown, timeouts_s=how.timeouts_s, options=HLS_OPTIONS
            )
        )
    live = container.duration is None
    # A part that a live stream lost an hour ago is not why it ends.
    fault = (lambda: segments.fault_now) if live else (lambda: segments.fault)
    return Opened(container, live, _News(tags_of(container, how.charset), None), fault)


def _rtsp(address: str, home: str, how: How, stack: ExitStack) -> Opened:
    bare, own = split_credentials(ascii_url(address))
    credentials = own or (how.access.credentials if same_server(home, bare) else None)
    whole = bare if credentials is None else with_credentials(bare, credentials)
    options = RTSP_OPTIONS | {"user_agent": how.access.user_agent}
    container = stack.enter_context(
        open_rtsp(whole, shown=how.shown, timeouts_s=how.timeouts_s, options=options)
    )
    return Opened(
        container, container.duration is None, _News(tags_of(container, how.charset), None), lambda: None
    )


@contextmanager
def _fault_first(fault: Callable[[], Exception | None]) -> Iterator[None]:
    """Tell what the connection lacks rather than what FFmpeg makes of it."""
    try:
        yield
    except Exception:
        if (cause := fault()) is not None:
            raise cause from None
        raise


class _News:
    """Say what is known of a stream at its first packet, and its news from then on."""

    def __init__(self, about: Mapping[str, str], titles: IcyStream | None) -> None:
        self._about = dict(about)
        self._titles = titles

    def __call__(self, position: int | None) -> Mapping[str, str]:
        about, self._about = self._about, {}
        return about | self._titles.news(position) if self._titles is not None else about
