"""A listener with a page, in a thread: bus, store and server are real, what it hears is made up."""

import asyncio
import contextlib
import http.client
import json
import threading
from datetime import UTC, datetime

import numpy as np
from publish.publish_samples import status

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.config import WebSettings
from stream_match.errors import CatalogError, UsageError
from stream_match.service.bus import Bus
from stream_match.service.chroma_feed import ChromaFeed
from stream_match.service.journal import Journal
from stream_match.service.stamp import event_ids
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.web.application import shown
from stream_match.web.port import Listener

DEADLINE_S = 30.0


class FakeControl:
    """Remembers what it was asked for."""

    def __init__(self):
        self.named = []
        self.paused = []
        self.marked = []

    async def candidates(self, source):
        track = {"id": "x", "title": "Nearly", "artist": "Them"}
        assert source
        return {"candidates": [{"track": track, "score": 4.2, "why": "Its score is below the threshold."}]}

    async def name(self, source, name, *, cluster=None, track=None):
        if name == "refused":
            raise UsageError("A name has up to 80 printable characters.")
        self.named.append((source, cluster or track, name))
        return {"source": source, "name": name, "kept": True}

    async def mark(self, source, name, *, last_seconds=None, clip=None):
        if name == "refused":
            raise CatalogError("The index 'models/mine' cannot be written: the disk is full.")
        self.marked.append((source, name, clip if last_seconds is None else last_seconds))
        return {"source": source, "title": name, "track": "marked/it"}

    async def pause(self, source, *, paused=True):
        self.paused.append((source, paused))
        return {"source": source, "paused": paused}

    async def health(self):
        return {"node": "attic", "uptime_s": 12.5, "sinks": [{"sink": "mqtt://broker", "connected": False}]}


class PagedListener:
    """Shows a page while it is entered; `start` and `stop` may be called again and again."""

    def __init__(self, folder, *, stored=True, clips=None, held_s=60.0, **settings):
        self.folder = folder
        self.control = FakeControl()
        self.chroma = ChromaFeed()
        self.port = 0
        self._stored = stored
        self._clips = clips
        self._held_s = held_s
        self._settings = settings
        self._world = World()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def is_served(self):
        return self._server is not None and self._server.address is not None

    @property
    def connections(self):
        return self._server.connections

    def start(self, *, served=True):
        """Begin; wait until the page is served, unless it cannot be yet."""
        self._server = None
        self._ready = threading.Event()
        self._trouble = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(served)))
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        if self._trouble is not None:
            self._thread.join()
            raise self._trouble

    def stop(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def tell(self, make, *given, **changes):
        """Publish an event that is made now, and return it."""

        async def publish():
            event = make(0, *given, **{"event_id": self._ids(), "time": datetime.now(UTC), **changes})
            await self._bus.publish(event)
            return event

        return self.do(publish())

    def do(self, work):
        """Run a coroutine where the listener runs, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def sound(self, hertz=440.0, seconds=0.5, source="kitchen"):
        """Let those who look hear a tone."""

        async def hear():
            t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
            y = (0.3 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)
            self.chroma.hear(source, Block(y), self._world.now)

        self.do(hear())

    async def _run(self, served):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._opened() as server:
                self._server = server
                if served:
                    await _until_served(server)
                    self.port = int(server.address.rsplit(":", 1)[1].strip("/"))
                self._ready.set()
                await self._over.wait()
        except BaseException as error:  # noqa: BLE001 - told where it was started
            self._trouble = error
        finally:
            self._ready.set()

    @contextlib.asynccontextmanager
    async def _opened(self):
        self._ids = event_ids(self._world)
        journal = None
        if self._stored:
            journal = Journal(Store(self.folder / FILE), self._ids, self._world)
            await journal.open([])
        self._bus = Bus([], journal)
        listener = Listener(
            node="attic",
            now=self._world.now,
            events=self._bus.subscribed,
            chroma=self.chroma.watched,
            aside=self._world.aside,
            state=self.folder if self._stored else None,
            control=self.control,
            clips=self._clips,
            held_s=self._held_s,
        )
        settings = WebSettings(**{"listen": f"127.0.0.1:{self.port}", **self._settings})
        try:
            async with shown(settings, listener) as server:
                yield server
        finally:
            if journal is not None:
                await journal.settled()
                await journal.close()

    def request(self, method, path, body=None, **headers):
        """Ask, and return status, headers and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(
                method, path, body, {key.replace("_", "-"): value for key, value in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, path):
        """Ask, and return what JSON holds."""
        code, _, content = self.request("GET", path)
        assert code == 200, content
        return json.loads(content)

    @contextlib.contextmanager
    def live(self, after=None):
        """Give the messages of a stream: name, id and data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", "/api/live" + (f"?after={after}" if after else ""))
            yield _messages(connection.getresponse())
        finally:
            connection.close()


async def _until_served(server):
    async with asyncio.timeout(DEADLINE_S):
        while server.address is None:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.01)


def _messages(answer):
    message = {}
    for line in answer:
        text = line.decode().rstrip("\n")
        if text:
            key, _, value = text.partition(": ")
            message[key] = value
        elif message:
            yield (
                message.get("event"),
                message.get("id"),
                json.loads(message["data"]) if message["event"] != "still" else None,
            )
            message = {}


def running(listener, state="running", **changes):
    """Tell that the kitchen is heard, or is in another state."""
    return listener.tell(status, state, **{"level_dbfs": -20.0, **changes})
