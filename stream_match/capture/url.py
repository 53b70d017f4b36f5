"""Audio over the network: progressive files, Icecast with its titles, HLS, RTSP."""

import http.client
import math
import socket
import ssl
import threading
import urllib.error
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.decode import Decoder
from stream_match.capture.icy import IcyStream, open_icy
from stream_match.capture.media import import_av, open_address, open_bytes
from stream_match.capture.threaded import from_thread
from stream_match.capture.uri import redact
from stream_match.errors import SourceError, UsageError

OPEN_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 20.0
"""A half-open connection never says that it is dead, only silence does. HLS is silent for up to a segment
(10 s) with nothing wrong."""

BLOCK_S = 0.25
END_SLACK_S = 1.0  # durations of compressed files are estimates
PLAYLISTS = ("hls", "dash")
ICY_BUFFER_BYTES = 4096  # read ahead of the decoder: a quarter of a second at 128 kbit/s

# No reconnecting inside FFmpeg: it would hide the gap.
OPTIONS = {
    "live_start_index": "-2",  # HLS: join near the live edge; the newest segment alone is short for probing
    "analyzeduration": "1500000",  # µs; FFmpeg's 5 s would wait for segments that are not there yet
    "rtsp_transport": "tcp",
    "allowed_media_types": "audio",  # RTSP: a camera's video would cost a client slot and bandwidth
}


class UrlSource:
    """A web address as a source.

    Whether it is live shows when it has been opened: what has a duration or a size is a file, which waits
    for its reader and ends once. Until then, and for everything else, `live` is True.

    Parameters
    ----------
    uri : str
        ``http://``, ``https://``, ``rtsp://`` or ``rtsps://``, with or without ``user:password@``.
    name : str
        Name of the source.
    open_timeout_s, read_timeout_s : float, > 0 [seconds]
        Longest silence while opening, and later.

    Raises
    ------
    UsageError
        If there is no host in `uri`, or its port is not a number.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        if not _has_host(uri):
            raise UsageError(
                f"the URL {redact(uri)!r} has no valid host and port; expected scheme://host[:port]/path"
            )
        self.name = name
        self.uri = redact(uri)
        self._address = uri
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._live = True

    @property
    def live(self) -> bool:
        """True unless the last opening found a file that ends."""
        return self._live

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Connect and yield the audio, read and decoded in a thread.

        Returns
        -------
        async generator of Block
            Blocks of a quarter of a second and more; metadata where a title begins.

        Raises
        ------
        SourceError
            If it cannot be opened, is silent for too long, or breaks off; and when a live stream
            ends. Trying again may help.
        """
        return from_thread(self._read, name=f"url-{self.name}")

    def _read(self, stop: threading.Event) -> Iterator[Block]:
        av = import_av(self.uri)
        try:
            with ExitStack() as opened:
                yield from self._decoded(opened, av, stop)
        except (av.error.FFmpegError, OSError, http.client.HTTPException) as error:
            # "from None": the errors of FFmpeg carry the address with its password.
            raise SourceError(f"{self.uri} {self._reason(error, av)}", retry=True) from None
        if self.live and not stop.is_set():
            raise SourceError(f"{self.uri} has ended the stream", retry=True)

    def _decoded(self, opened: ExitStack, av: Any, stop: threading.Event) -> Iterator[Block]:
        icy = open_icy(self._address, self._timeouts[1]) if self._address.lower().startswith("http") else None
        if icy is not None:
            opened.enter_context(closing(icy))
        container = opened.enter_context(self._container(icy))
        self._live = icy is not None or not _ends(container)
        about = _about(container, icy)
        heard = 0
        try:
            for block in Decoder(container, self.uri, BLOCK_S, _News(about, icy)).blocks():
                heard += block.y.size
                yield block
                if stop.is_set():
                    return
        except (av.error.FFmpegError, OSError):
            # Where the server gives no length, FFmpeg takes every end for a fault.
            promised_s = math.inf if container.duration is None else container.duration / 1_000_000
            if self._live or heard / SAMPLE_RATE_HZ < promised_s - END_SLACK_S:
                raise

    def _container(self, icy: IcyStream | None) -> Any:
        if icy is not None:
            return open_bytes(icy, shown=self.uri, buffer_bytes=ICY_BUFFER_BYTES)
        return open_address(self._address, shown=self.uri, timeouts_s=self._timeouts, options=OPTIONS)

    def _reason(self, error: Exception, av: Any) -> str:
        """Finish the sentence that begins with the address."""
        if isinstance(error, urllib.error.HTTPError):
            with error:  # it holds the connection
                return f"answers with status {error.code} ({error.reason})"
        if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
            error = error.reason
        if isinstance(error, av.error.ExitError | TimeoutError):
            return f"has sent nothing for {self._timeouts[1]:g} s"
        if isinstance(error, ConnectionRefusedError):
            return "refuses the connection; is the server running, and the port right?"
        if isinstance(error, socket.gaierror):
            return "cannot be found: its host name is not known"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not trusted ({error.verify_message})"
        if isinstance(error, av.error.EOFError):
            return "ended before there was any audio"
        if isinstance(error, av.error.InvalidDataError):
            return "sends nothing that can be read as audio"
        return f"broke off ({getattr(error, 'strerror', None) or type(error).__name__})"


class _News:
    """Say what is known of a stream at its first packet, and its news from then on."""

    def __init__(self, about: Mapping[str, str], icy: IcyStream | None) -> None:
        self._about = dict(about)
        self._icy = icy

    def __call__(self, position: int | None) -> Mapping[str, str]:
        about, self._about = self._about, {}
        return about | self._icy.news(position) if self._icy is not None else about


def _ends(container: Any) -> bool:
    """Say whether a container is that of a file: it has a duration, or a size that is not its playlist's."""
    return container.duration is not None or (container.format.name not in PLAYLISTS and container.size > 0)


def _about(container: Any, icy: IcyStream | None) -> dict[str, str]:
    """Gather what the stream says of itself when it opens; the server's word last."""
    streams = container.streams.audio
    tags = (dict(streams[0].metadata) if streams else {}) | dict(container.metadata)
    kept = {key.lower(): value for key, value in tags.items() if key.lower() in ("title", "artist", "album")}
    return kept | (icy.about if icy is not None else {})


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
