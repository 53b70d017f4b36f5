"""A bucket in memory whose lines can be cut, deaf or slow, and workers whose clocks are turned by hand."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

from stream_match.fleet.bucket import ConflictError, Entry, FleetError
from stream_match.fleet.holder import Me, Surroundings
from stream_match.fleet.worker import Worker

TICK_S = 0.5
"""How often a worker has its turn."""


class Store:
    """Keys and values with revisions; what the servers have."""

    def __init__(self):
        self.entries = {}
        self.revision = 0
        self.connections = []
        self.late = []  # writes under way: (key, value, last)

    def put(self, key, value, last):
        found = self.entries.get(key)
        if (0 if found is None else found.revision) != last:
            raise ConflictError
        self.revision += 1
        entry = self.entries[key] = Entry(key, value, self.revision)
        for connection in self.connections:
            connection.news.append(entry)
            connection.on_news()
        return self.revision

    def drop(self, key):
        """Lose a key without a word, as its age makes a server do."""
        self.entries.pop(key, None)

    def deliver(self):
        """Let writes arrive that were under way for long."""
        for write in self.late:
            with suppress(ConflictError):
                self.put(*write)
        self.late = []


class Connection:
    """The bucket as one worker sees it."""

    def __init__(self, store, on_news=lambda: None, pause=lambda: 0):
        self.mode = "up"
        self.news = list(store.entries.values())
        self.on_news = on_news
        self._store = store
        self._pause = pause
        store.connections.append(self)

    async def _way(self):
        """Take some time, in which others have their turns."""
        for _ in range(self._pause()):
            await asyncio.sleep(0)

    async def put(self, key, value, last):
        await self._way()
        revision = self._put(key, value, last)
        await self._way()
        return revision

    def _put(self, key, value, last):
        if self.mode == "slow":
            self._store.late.append((key, value, last))
        if self.mode == "deaf":
            self._store.put(key, value, last)
        if self.mode != "up":
            raise FleetError("cut", "The line is cut.")
        return self._store.put(key, value, last)

    async def delete(self, key, last):
        await self.put(key, None, last)

    async def get(self, key):
        await self._way()
        if self.mode != "up":
            raise FleetError("cut", "The line is cut.")
        return self._store.entries.get(key)


class Listener:
    """A process of the fleet: what it listens to, and a clock of its own."""

    def __init__(self, node, number, scene, *, most=None, offset_s=0.0):
        self.node = node
        self.scene = scene
        self.most = most
        self.wanted = set(scene.names)
        self.listening = {}  # name → None, or when it is over
        self.frozen = False
        self.lost = []
        self._offset_s = offset_s
        world = Surroundings(
            monotonic=lambda: scene.now + offset_s,
            now=lambda: datetime.fromtimestamp(scene.now - 10 * offset_s, UTC),
            sleep=asyncio.sleep,
            chance=lambda: 1.0,
            complain=lambda kind, sentence: self.lost.append((kind, sentence)),
        )
        self.worker = Worker(Me(node, f"{node}-{number}", scene.lease_s), self, None, world)
        self.connection = None
        self.connect()

    def connect(self):
        """Get a new connection, which tells all keys anew."""
        if self.connection is not None:
            self.scene.store.connections.remove(self.connection)
        chance = self.scene.chance
        self.connection = Connection(self.scene.store, self.deliver, lambda: chance.randrange(4))
        self.worker.link.attach(self.connection)
        self.connection.news.append(None)

    def die(self):
        self.scene.store.connections.remove(self.connection)
        self.listening = {}

    # What the worker asks of who listens

    def begin(self, name):
        self.listening[name] = None

    def end(self, name, _reason):
        if self.listening.get(name, "over") is None:
            self.listening[name] = self.scene.now + self.scene.ending_s

    def is_over(self, name):
        return name not in self.listening

    def deliver(self):
        """Let the worker hear of what was written, if it can hear."""
        if self.connection.mode == "up" and not self.frozen:
            news, self.connection.news = self.connection.news, []
            for entry in news:
                self.worker.link.see(entry)

    async def tick(self):
        for name, over_at in list(self.listening.items()):
            if over_at is not None and over_at <= self.scene.now:
                del self.listening[name]
        self.deliver()
        await self.worker.turn()


class Scene:
    """A fleet: its servers, its listeners and its time."""

    def __init__(self, names="abcde", lease_s=12.0, ending_s=0.4):
        self.names = list(names)
        self.lease_s = lease_s
        self.ending_s = ending_s
        self.now = 1000.0
        self.store = Store()
        self.listeners = {}
        self.loop = asyncio.new_event_loop()
        self.chance = Random(7)
        self.doubled = {}  # name → since when more than one process listens to it
        self.longest_double_s = 0.0
        self._number = 0

    def start(self, node, **more):
        self._number += 1
        self.listeners[node] = Listener(node, self._number, self, **more)
        return self.listeners[node]

    def kill(self, node):
        self.listeners.pop(node).die()

    def pass_time(self, seconds):
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self.tick(*(one for one in self.listeners.values() if not one.frozen))
            self.look()

    def tick(self, *listeners):
        """Let listeners have a turn, all at the same time."""

        async def work():
            await asyncio.gather(*(one.tick() for one in listeners))

        self.loop.run_until_complete(work())

    def look(self):
        """Measure for how long sources are listened to by two."""
        for name in self.names:
            owners = [one.node for one in self.listeners.values() if name in one.listening and not one.frozen]
            if len(owners) < 2:
                self.doubled.pop(name, None)
            else:
                since = self.doubled.setdefault(name, self.now - TICK_S)
                self.longest_double_s = max(self.longest_double_s, self.now - since)

    def owners(self):
        """Who listens to what, by name."""
        return {
            name: [node for node, one in self.listeners.items() if one.listening.get(name, 0) is None]
            for name in self.names
        }

    def counts(self):
        return sorted(sum(over is None for over in one.listening.values()) for one in self.listeners.values())

    def close(self):
        self.loop.close()
