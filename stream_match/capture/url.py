"""Audio over the network: progressive files, Icecast with its titles, playlists, HLS, RTSP."""

import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, aclosing
from typing import Any

from stream_match.capture.address import ascii_url, split_credentials
from stream_match.capture.base import Block
from stream_match.capture.media import import_av
from stream_match.capture.opening import Opened, open_rtsp, open_web
from stream_match.capture.playlist import PlaylistError
from stream_match.capture.reasons import reason_of
from stream_match.capture.threaded import from_thread
from stream_match.capture.uri import redact
from stream_match.capture.web import FAULTS, USER_AGENT, Access, Connections, Web
from stream_match.errors import SourceError, UsageError

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 20.0
"""A half-open connection never says that it is dead, only silence does. HLS is silent for up to a segment
(10 s) with nothing wrong."""

DEADLINE_S = 45.0
"""Longest wait for the first audio, from the first connection on. A server that sends a byte every ten seconds is
never silent. Below the time after which the service takes a source for lost, so that the reason is told."""

MAX_DEPTH = 3  # playlists that name playlists
MAX_TRIED = 10  # addresses in one opening


class UrlSource:
    """A web address as a source.

    Whether it is live shows when it has been opened: what has a duration or a size is a file, which waits
    for its reader and ends once. Until then, and for everything else, `live` is True.

    Parameters
    ----------
    uri : str
        ``http://``, ``https://``, ``rtsp://`` or ``rtsps://``, with or without ``user:password@``. If it leads
        to a playlist, its addresses are tried in their order at each opening.
    name : str
        Name of the source.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.
    user_agent : str, optional
        What servers are told that we are.
    headers : mapping of str to str, optional
        Sent to the server of `uri` only.
    username, password : str, optional
        For the server of `uri` only; in the place of those in it.
    charset : str, optional
        Of titles that are not UTF-8; a guess if absent.
    open_timeout_s, read_timeout_s : float, > 0 [seconds]
        Longest silence while RTSP or HLS is opened, and otherwise.
    deadline_s : float, > 0 [seconds]
        Longest wait for the first audio.

    Raises
    ------
    UsageError
        If there is no valid host in `uri`, or its port is not a number.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        channel: int | None = None,
        user_agent: str | None = None,
        headers: Mapping[str, str] | None = None,
        username: str | None = None,
        password: str | None = None,
        charset: str | None = None,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.name = name
        self.uri = redact(uri)
        self._address, own = split_credentials(_checked(uri))
        given = None if username is None and password is None else (username or "", password or "")
        self._access = Access(user_agent or USER_AGENT, dict(headers or {}), given or own)
        self._channel = channel
        self._charset = charset
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._deadline_s = deadline_s
        self._live = True

    @property
    def live(self) -> bool:
        """True unless the last opening found a file that ends."""
        return self._live

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Connect and yield the audio, read and decoded in a thread.

        Yields
        ------
        Block
            Of a quarter of a second and more; metadata where a title begins.

        Raises
        ------
        SourceError
            If it cannot be opened, is silent for too long, or breaks off; and when a live stream
            ends. Trying again may help.
        """
        connections = Connections(self._deadline_s)
        reading = from_thread(lambda stop: self._read(stop, connections), name=f"url-{self.name}")
        async with aclosing(reading):
            try:
                async for block in reading:
                    yield block
            finally:
                connections.end()  # a thread that waits for the network ends now

    def _read(self, stop: threading.Event, connections: Connections) -> Iterator[Block]:
        import_av(self.uri)
        web = Web(self._address, self._access, self._timeouts[1], connections)
        waiting = deque([(self._address, 0)])
        for _ in range(MAX_TRIED):
            address, depth = waiting.popleft()
            heard = False
            try:
                for block in self._from(address, depth, web, waiting):
                    connections.ready()
                    heard = True
                    yield block
                    if stop.is_set():
                        return
            except Exception as error:  # noqa: BLE001 - the text of any may hold the address: only ours is told
                late = self._deadline_s if connections.late else None
                told = reason_of(error, silence_s=self._timeouts[1], late_s=late)
                if heard or connections.late or stop.is_set() or not waiting:
                    # "from None": the errors of FFmpeg carry the address with its password.
                    raise SourceError(f"{self.uri} {told}", retry=True) from None
                log.debug("%s: an address of its playlist %s; trying the next", self.name, told)
                continue
            if heard or not waiting:
                break
        if self.live and not stop.is_set():
            raise SourceError(f"{self.uri} has ended the stream", retry=True)
