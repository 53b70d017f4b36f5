"""What visitors send to the page: a connection for each input, to the real server, over a pair of sockets."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes

from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.server import ServerState

from fuzzing import seeds
from stream_match.clips.folder import ClipFolder
from stream_match.config import WebSettings
from stream_match.events import from_json, known_schemas
from stream_match.service.bus import Bus
from stream_match.service.chroma_feed import ChromaFeed
from stream_match.service.control import Control
from stream_match.service.journal import Journal
from stream_match.service.stamp import event_ids
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.web import entrance, live
from stream_match.web.application import guarded
from stream_match.web.connection import PageConnection
from stream_match.web.live import Live
from stream_match.web.port import Listener
from stream_match.web.probes import probe_routes
from stream_match.web.server import serving

T = TypeVar("T")

TOKEN = b"0123456789abcdef0123456789abcdef"
INSIDE = b"a-name-that-stands-inside"
"""Name of the listener: no request has it, and nobody without the token reads it."""

OUTSIDE = b"what lies outside of the folders"
REFUSED = {400, 401, 403, 404, 405, 413, 415, 416, 421, 431}
ANSWERED = {200, 206, 303, 304, 307}

ENDS_WITHIN_S = 5.0
MOST_IN_ADDRESS = 2000

LOOKS = 400
"""How often more of an answer is looked for: a live stream does not end by itself."""

FEW_LOOKS = 5
"""How often while nobody answers: the request is not whole yet."""

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]*\r\n(.*?)\r\n\r\n", re.DOTALL)
_NAMES = rb"localhost|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\["
_OURS = re.compile(_NAMES, re.IGNORECASE)
_HOME = re.compile(rb"/(?!/)|http://(?:" + _NAMES + rb")", re.IGNORECASE)


def _request(line: bytes, *headers: bytes, body: bytes | None = None) -> bytes:
    length = () if body is None else (b"Content-Length: %d" % len(body),)
    return b"\r\n".join([line + b" HTTP/1.1", b"Host: 127.0.0.1:8765", *headers, *length, b"", body or b""])


_JSON = b"Content-Type: application/json"
_ASKED = (
    b"/", b"/api/history?q=", b"/api/day?from=", b"/api/history?from=", b"/clips/", b"/api/live?after=",
    b"/api/candidates?source=", b"/api/history?offset=", b"/assets/",
)  # fmt: skip
_TOLD = (b"/api/name", b"/api/pause")
SEEDS = (
    _request(b"GET /", b"Accept: text/html", b'If-None-Match: "0"'),
    _request(b"GET /assets/page.js") + _request(b"HEAD /assets/../../secret"),
    _request(b"GET /api/live?after=01JDN0000000000000000000000") + b"more",
    _request(b"GET /api/live", b"Last-Event-ID: 00000000000000000000000001"),
    _request(b"GET /api/day?from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00%2B01:00"),
    _request(b"GET /api/history?q=a%20b&source=kitchen&kind=recording&offset=0&from=2026-01-01T00:00Z"),
    _request(b"GET /api/history.csv?source=kitchen"),
    _request(b"GET /api/kinds"),
    _request(b"GET /api/candidates?source=kitchen") + _request(b"GET /api/health"),
    _request(b"GET /clips/kitchen/match-m1.flac", b"Range: bytes=0-9,20-"),
    _request(b"GET /clips/kitchen/..%2f..%2fsecret") + _request(b"GET /clips/kitchen%2Flink-1.flac"),
    _request(b"GET /report") + _request(b"GET /healthz") + _request(b"GET /metrics"),
    _request(
        b"POST /api/name", _JSON, b"Origin: http://127.0.0.1:8765",
        body=b'{"source": "kitchen", "cluster": "R-3", "name": "bell"}',
    ),
    _request(b"POST /api/pause", _JSON, body=b'{"source": "kitchen", "paused": true}'),
    _request(b"POST /api/pause", _JSON, b"Transfer-Encoding: chunked")
    + b"5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n",
    _request(b"POST /enter", b"Content-Type: application/x-www-form-urlencoded", body=b"token=" + TOKEN),
    _request(b"GET //evil.example/%0d%0aset-cookie:%20evil=1?token=" + TOKEN + b"&x=%0d%0a"),
    _request(b"GET /api/health", b"Authorization: Bearer " + TOKEN, b"Cookie: stream_match=00; x=\xff"),
    b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n\r\n\r\n",
    b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b'{"source": "kitchen", "track": "a/b", "name": null, "cluster": "R-3", "paused": false}',
    b"2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z&source=kitchen&offset=1&limit=2&kind=version",
    b"kitchen/match-m1.flac",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


def _asked(data: bytes, number: int) -> bytes:
    """Return a sound request with an input in its address."""
    begin = _ASKED[number % len(_ASKED)]
    return _request(b"GET " + begin + quote_from_bytes(data[:MOST_IN_ADDRESS], safe="/?&=%:+").encode())


def _told(data: bytes, number: int) -> bytes:
    """Return a sound request with an input as its body."""
    return _request(b"POST " + _TOLD[number % len(_TOLD)], _JSON, body=data)


class _Site:
    """A page as uvicorn serves it, without a port."""

    def __init__(self, config: Config, state: ServerState) -> None:
        self._config = config
        self._state = state

    async def answer(self, data: bytes) -> bytes:
        """Send data on a connection of its own, and leave once nothing more comes; return what came."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            await loop.connect_accepted_socket(
                lambda: PageConnection(self._config, self._state, {}, loop), theirs
            )
            sending = loop.create_task(_sent(loop, ours, data))
            answer = await self._heard(ours)
            sending.cancel()
        async with asyncio.timeout(ENDS_WITHIN_S):
            while self._state.connections or self._state.tasks:  # noqa: ASYNC110 - they have no event for that
                await asyncio.sleep(0)
        return answer

    async def _heard(self, plug: socket.socket) -> bytes:
        answer, quiet = b"", 0
        while quiet < (LOOKS if self._state.tasks else FEW_LOOKS):
            await asyncio.sleep(0)
            try:
                part = plug.recv(1 << 16)
            except BlockingIOError:
                quiet += 1
                continue
            except ConnectionError:
                break
            if not part:
                break
            answer, quiet = answer + part, 0
        return answer


async def _sent(loop: asyncio.AbstractEventLoop, plug: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the page may hang up before it has read all
        await loop.sock_sendall(plug, data)


class Page:
    """Two pages of one listener: one for everybody, and one that asks for the token.

    Parameters
    ----------
    folder : Path
        For the history, a clip, a report, and what must not be reached.
    control : Control
    """

    def __init__(self, folder: Path, control: Control) -> None:
        setattr(entrance, "WRONG_S", 0.0)  # noqa: B010 - nobody guesses here
        setattr(live, "STILL_S", 1.0)  # noqa: B010 - who has left is noticed then at the latest
        self._loop = asyncio.new_event_loop()
        self._folder = folder / "page"
        self._control = control
        self._tasks: list[asyncio.Task[None]] = []
        self._sites = self._do(self._opened())

    def visit(self, data: bytes, number: int) -> None:
        """Send an input, and hold what comes back to what is promised."""
        shape, locked = number % 4, number % 4 == 1
        if shape > 1:
            data = _asked(data, number // 4) if shape == 2 else _told(data, number // 4)
        answer = self._do(self._sites[locked].answer(data))
        heads = _HEAD.findall(answer)
        codes = {int(code) for code, _ in heads}
        assert codes <= REFUSED | ANSWERED, f"answered {codes}"
        for code, headers in heads:
            of_uvicorn = code == b"400" and b"content-type: text/plain" in headers  # before the guard
            assert of_uvicorn or b"content-security-policy: " in headers, headers
            assert _leads_home(headers), headers
            assert b"\r\nset-cookie: evil" not in b"\r\n" + headers.lower(), headers
        assert OUTSIDE not in answer, "a file outside of the folders was read"
        if not _OURS.search(data):
            assert codes <= REFUSED, f"answered {codes} under a name that is not ours"
        if locked and TOKEN not in data:
            assert INSIDE not in answer, "something was told without the token"

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    async def _opened(self) -> tuple[_Site, ...]:
        clips, state = self._folder / "clips", self._folder / "state"
        for place in (clips / "kitchen", state):
            place.mkdir(parents=True)
        (clips / "kitchen" / "match-m1.flac").write_bytes(bytes(1000))
        (self._folder / "secret").write_bytes(OUTSIDE)
        (clips / "kitchen" / "link-1.flac").symlink_to(self._folder / "secret")
        (report := self._folder / "report.html").write_text("<p>report</p>")
        world = World()
        journal = Journal(Store(state / FILE), event_ids(world), world)
        await journal.open([])
        bus = Bus([], journal)
        for event in seeds.EVENTS:
            if event["schema"] in known_schemas():
                await bus.publish(from_json(json.dumps(event)))
        await journal.settled()
        listener = Listener(
            node=INSIDE.decode(), now=world.now, events=bus.subscribed, chroma=ChromaFeed().watched,
            aside=_at_once, state=state, report=report, control=self._control, clips=ClipFolder(clips),
        )  # fmt: skip
        probes = probe_routes(lambda: {"alive": True, "ok": True, "node": INSIDE.decode()}, INSIDE.decode)
        return tuple(self._site(listener, probes, token) for token in (None, TOKEN.decode()))

    def _site(self, listener: Listener, probes: list[Route], token: str | None) -> _Site:
        stream = Live(listener)
        self._tasks.append(self._loop.create_task(stream.run()))
        settings = WebSettings.model_validate({"listen": "127.0.0.1:0", "token": token})
        config = serving(guarded(settings, listener, stream, probes))
        config.load()
        return _Site(config, ServerState())


def _leads_home(headers: bytes) -> bool:
    """Whether a redirection, if it is one, stays on the page."""
    found = re.search(rb"^location: (.*)", headers, re.MULTILINE | re.IGNORECASE)
    return found is None or _HOME.match(found[1]) is not None


async def _at_once(work: Callable[[], T]) -> T:
    return work()
