"""Audio over the network: progressive files, Icecast with its titles, playlists, HLS, RTSP."""

import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import ExitStack, aclosing

from stream_match.capture.address import ascii_url, split_credentials
from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.connections import Connections
from stream_match.capture.damage import DamageLog
from stream_match.capture.decode import Decoder
from stream_match.capture.media import import_av, stated_s
from stream_match.capture.opening import How, Opened, open_address
from stream_match.capture.playlist import PlaylistError
from stream_match.capture.reasons import reason_of
from stream_match.capture.threaded import from_thread
from stream_match.capture.uri import redact
from stream_match.capture.web import USER_AGENT, Access, Web
from stream_match.errors import SourceError, UsageError

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 20.0
"""A half-open connection never says that it is dead, only silence does. HLS is silent for up to a segment
(10 s) with nothing wrong."""

DEADLINE_S = 45.0
"""Longest wait for the first audio. A server that sends a byte every ten seconds is never silent. It is below
the time after which the service takes a source for lost, so that the reason is told."""

BLOCK_S = 0.25
END_SLACK_S = 1.0  # durations of compressed files are estimates

MAX_DEPTH = 3  # playlists that name playlists
MAX_TRIED = 10  # addresses in one opening


class UrlSource:
    """A web address as a source.

    Whether it is live shows when it has been opened: what has a duration or a size is a file, which waits
    for its reader and ends once. Until then, and for everything else, `live` is True.

    Parameters
    ----------
    uri : str
        ``http://``, ``https://``, ``rtsp://`` or ``rtsps://``, with or without ``user:password@``. If it
        leads to a playlist, its addresses are tried in their order at each opening.
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
        self._damage = DamageLog(name)
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
        places = _Places(self._address)
        finished = False
        while not finished and not stop.is_set():
            try:
                finished = yield from self._attempt(places, web, connections)
            except Exception as error:  # noqa: BLE001 - the text of any may hold the address: only ours is told
                told = self._reason(error, connections)
                if connections.heard or connections.late or not places:
                    raise SourceError(told, retry=True) from None
                log.debug("%s: trying the next address of its playlist: %s", self.name, told)
        if self.live and not stop.is_set():
            raise SourceError(f"{self.uri} has ended the stream", retry=True)

    def _attempt(self, places: "_Places", web: Web, connections: Connections) -> Generator[Block, None, bool]:
        """Hear the next address; return whether it was audio, and not a playlist with further addresses."""
        how = How(self.uri, self._timeouts, self._access, self._charset)
        with ExitStack() as stack:
            opened = open_address(places.take(), self._address, web, how, stack)
            if isinstance(opened, list):
                places.put(opened)
                return False
            self._live = opened.live
            yield from self._decoded(opened, connections)
        return True

    def _decoded(self, opened: Opened, connections: Connections) -> Iterator[Block]:
        import av

        decoder = Decoder(
            opened.container, self.uri, BLOCK_S, opened.news, channel=self._channel, name=self.name,
            damage=self._damage,
        )  # fmt: skip
        heard = 0
        error: Exception | None = None
        try:
            for block in decoder.blocks():
                connections.ready()
                heard += block.y.size
                yield block
        except (av.error.FFmpegError, OSError) as caught:
            error = caught
        error = opened.fault() or error
        heard_s = heard / SAMPLE_RATE_HZ
        if error is not None and (self._live or heard_s < opened.promised_s - END_SLACK_S):
            raise error
        if not self._live:
            self._tell_short(opened, stated_s(opened.container, decoder.stream), heard_s)

    def _tell_short(self, opened: Opened, stated: float | None, heard_s: float) -> None:
        """Tell of a file that was cut before it came to the server."""
        if opened.lacking:
            log.warning("%s: broken off: %s", self.name, opened.lacking)
        elif stated is not None and heard_s < stated - END_SLACK_S:
            log.warning("%s: broken off: %.1f s of %.1f s could be decoded", self.name, heard_s, stated)

    def _reason(self, error: Exception, connections: Connections) -> str:
        """Return the sentence that tells an error."""
        if connections.late:
            return f"{self.uri} has sent no audio within {self._deadline_s:g} s"
        if isinstance(error, SourceError):
            return str(error)
        return f"{self.uri} {reason_of(error, silence_s=self._timeouts[1])}"


class _Places:
    """The addresses that are still to be tried, in the order of the playlists."""

    def __init__(self, address: str) -> None:
        self._waiting = deque([(address, 0)])
        self._depth = 0
        self._left = MAX_TRIED

    def __bool__(self) -> bool:
        return bool(self._waiting) and self._left > 0

    def take(self) -> str:
        """Return the next one."""
        address, self._depth = self._waiting.popleft()
        self._left -= 1
        return address

    def put(self, addresses: list[str]) -> None:
        """Put the addresses of a playlist, which was the last one taken, before all others."""
        if self._depth == MAX_DEPTH or not self._left:
            msg = "leads from playlist to playlist"
            raise PlaylistError(msg)
        self._waiting.extendleft((address, self._depth + 1) for address in reversed(addresses))


def _checked(uri: str) -> str:
    """Return an address as servers take it."""
    try:
        return ascii_url(uri)
    except ValueError:  # its text shows the address
        raise UsageError(
            f"the URL {redact(uri)!r} has no valid host and port; expected scheme://host[:port]/path"
        ) from None
