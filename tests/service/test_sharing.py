"""Two services share sources over a bucket in memory; settings change meanwhile, and the bucket goes away."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import jsonschema
import pytest
from fleet.fleet_fakes import Connection, Store
from service_fakes import MemorySink, ToyEngine, check_sources, live, real_time, run, states

from stream_match.config import ListenSettings
from stream_match.errors import UsageError
from stream_match.fleet.bucket import FleetError
from stream_match.fleet.status import json_schemas
from stream_match.service import World, always, listen
from stream_match.service import sharing as module
from stream_match.service.health import HealthReader
from stream_match.service.reload import Reload
from stream_match.service.sources import wanted_sources


class Line(Connection):
    """A connection that waits for news, and for its own end."""

    def __init__(self, store):
        super().__init__(store)
        self.broken = asyncio.Event()

    async def watch(self):
        for entry in self.news:
            yield entry
        self.news = []
        yield None
        while True:
            while self.news:
                yield self.news.pop(0)
            await asyncio.sleep(0.1)

    async def until_lost(self):
        await self.broken.wait()
        raise FleetError("lost", "nats://a:4222 has broken the connection.")


class Fleet:
    """Servers that may be down, and the services that use them."""

    def __init__(self, world, monkeypatch):
        self.store = Store()
        self.lines = []
        self.down = False
        self.reloads = {}
        self.health = {}
        self.sinks = {}
        self.stops = {}
        self.tasks = {}
        self.now = {}
        self._world = world
        monkeypatch.setattr(module, "_opener", lambda *_: self.open)
        original, reader = Reload.__init__, HealthReader.__init__

        def seen(reload, settings, *args):
            original(reload, settings, *args)
            self.reloads[settings.node] = reload

        def read(health, node, *args, **words):
            reader(health, node, *args, **words)
            self.health[node] = health

        monkeypatch.setattr(Reload, "__init__", seen)
        monkeypatch.setattr(HealthReader, "__init__", read)

    @asynccontextmanager
    async def open(self):
        if self.down:
            raise FleetError("unreached", "nats://a:4222 is not reached (refused).")
        line = Line(self.store)
        self.lines.append(line)
        try:
            yield line
        finally:
            self.store.connections.remove(line)
            self.lines.remove(line)

    def fail(self):
        self.down = True
        for line in self.lines:
            line.mode = "cut"
            line.broken.set()

    def settings(self, node, **more):
        share = {"servers": "nats://a", **more.pop("share", {})}
        content = {"node": node, "sinks": "memory:", "share": share, **more}
        return ListenSettings.from_mapping(content, where="x")

    def start(self, node, **more):
        sink, stop = MemorySink(), asyncio.Event()
        self.now[node] = self.settings(node, **more)
        world = replace(
            self._world,
            open_source=lambda wanted: live(wanted.name or wanted.uri, real_time(36_000)),
            open_sink=lambda *_, **__: sink,
        )
        self.sinks[node], self.stops[node] = sink, stop
        self.tasks[node] = asyncio.create_task(
            listen(self.now[node], always(ToyEngine), read=lambda: self.now[node], stop=stop, world=world)
        )

    def running(self):
        """Who tells that a source runs, by source."""
        found = {}
        for node, sink in self.sinks.items():
            for source in {event.source for event in sink.events}:
                if states(sink.events, source)[-1] == "running":
                    found.setdefault(source, []).append(node)
        return found

    async def end(self, *nodes):
        for node in nodes:
            self.stops[node].set()
        return [await self.tasks[node] for node in nodes]


@pytest.fixture
def played(monkeypatch):
    def play(act):
        async def work(world):
            fleet = Fleet(world, monkeypatch)
            await act(fleet)
            await fleet.end(*fleet.tasks)
            for sink in fleet.sinks.values():
                check_sources(sink.events)
            assert len(asyncio.all_tasks()) == 1
            return fleet

        return run(work)

    return play


FOUR = ["a", "b", "c", "d"]


def check_each_has_one(fleet, *names):
    running = fleet.running()
    assert sorted(running) == sorted(names)
    assert all(len(nodes) == 1 for nodes in running.values()), running


def test_two_services_share_and_one_that_ends_hands_over(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR)
        fleet.start("barn", sources=FOUR)
        await asyncio.sleep(30)
        check_each_has_one(fleet, *FOUR)
        assert sorted(nodes[0] for nodes in fleet.running().values()) == ["attic"] * 2 + ["barn"] * 2
        began = asyncio.get_running_loop().time()
        await fleet.end("attic")
        assert asyncio.get_running_loop().time() - began < 3
        await asyncio.sleep(3)
        check_each_has_one(fleet, *FOUR)

    fleet = played(act)
    assert {entry.value for entry in fleet.store.entries.values()} == {None}  # all is released


def test_matches_of_a_source_that_moves_say_where_it_goes(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR)
        await asyncio.sleep(30)
        fleet.start("barn", sources=FOUR)
        await asyncio.sleep(30)
        check_each_has_one(fleet, *FOUR)

    fleet = played(act)
    told = [event for event in fleet.sinks["attic"].events if event.reason == "it goes to barn"]
    assert sorted((event.type, event.source) for event in told if event.type == "status") == sorted(
        ("status", event.source)
        for event in fleet.sinks["barn"].events
        if event.type == "status" and event.state == "starting"
    )
    assert {event.phase for event in told if event.type == "match"} == {"ended"}


def test_a_service_that_cannot_renew_gives_up_and_comes_back(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR)
        await asyncio.sleep(30)
        fleet.fail()
        await asyncio.sleep(7)
        check_each_has_one(fleet, *FOUR)  # the lease counts on
        health = fleet.health["attic"].read()
        assert not health.ok
        assert health.troubles == ("fleet: nats://a:4222 is not reached (refused).",)
        await asyncio.sleep(10)
        assert fleet.running() == {}
        assert not fleet.tasks["attic"].done()
        fleet.down = False
        await asyncio.sleep(20)
        check_each_has_one(fleet, *FOUR)
        assert fleet.health["attic"].read().ok

    fleet = played(act)
    reasons = {event.reason for event in fleet.sinks["attic"].events if event.type == "status"}
    assert "its lease could not be renewed" in reasons


def test_settings_are_reloaded_while_sources_are_shared(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR)
        fleet.start("barn", sources=FOUR)
        await asyncio.sleep(30)
        before = fleet.running()
        for node in ("attic", "barn"):
            fleet.now[node] = fleet.settings(node, sources=["a", "b", "c", "e"])
            answer = await fleet.reloads[node]()
            assert answer["added"] == answer["needs_restart"] == []
            assert answer["removed"] == (["d"] if before["d"] == [node] else [])
        await asyncio.sleep(20)
        check_each_has_one(fleet, "a", "b", "c", "e")
        assert {name: nodes for name, nodes in fleet.running().items() if name in "abc"} == {
            name: before[name] for name in "abc"
        }
        # What it is listened to for changes where it is.
        for node in ("attic", "barn"):
            fleet.now[node] = fleet.settings(node, sources=["a", "b", "c", "e"], onsets={"announce": True})
            answer = await fleet.reloads[node]()
            assert sorted(answer["changed"]) == sorted(
                name for name, nodes in fleet.running().items() if nodes == [node]
            )
        fleet.now["attic"] = fleet.settings("attic", sources=["a", "b", "c", "e"], share={"max_sources": 1})
        assert (await fleet.reloads["attic"]())["needs_restart"] == ["share"]

    played(act)


def test_a_setting_caps_what_a_service_takes_and_the_fleet_says_what_is_free(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR, share={"max_sources": 1})
        fleet.start("barn", sources=FOUR, share={"max_sources": 2})
        await asyncio.sleep(60)
        assert sorted(node for nodes in fleet.running().values() for node in nodes) == [
            "attic",
            "barn",
            "barn",
        ]
        told = fleet.health["attic"].read().fleet
        assert (told.max_sources, len(told.sources), told.others, len(told.free)) == (1, 1, ("barn",), 1)
        assert told.trouble is None
        payload = json.loads(told.model_dump_json(by_alias=True))
        jsonschema.Draft202012Validator(json_schemas()["fleet"]).validate(payload)

    played(act)


def test_without_sharing_health_says_nothing_of_it(played):
    async def act(fleet):
        fleet.start("attic", sources=FOUR, share={"servers": []})
        await asyncio.sleep(5)
        health = fleet.health["attic"]
        assert health.read().fleet is None
        assert "fleet" not in await health.answer()
        check_each_has_one(fleet, *FOUR)

    played(act)


@pytest.fixture
def measured(monkeypatch):
    """`measured(now, *sources)`: what a listener with two cores takes at most."""
    monkeypatch.setattr(module, "_opener", lambda *_: None)
    monkeypatch.setattr(module, "cores", lambda: 2)
    clock = SimpleNamespace(now=1000.0)
    heard = []
    world = SimpleNamespace(monotonic=lambda: clock.now, now=lambda: 0.0, sleep=None, chance=None)
    shared = SimpleNamespace(world=world, node="attic")
    sources = SimpleNamespace(supervisors=heard, wanted={})
    settings = ListenSettings.from_mapping({"share": {"servers": "nats://a", "max_sources": 100}}, where="x")
    made = module.Sharing(settings, {}, {}, sources, shared)

    def measure(now, *found):
        clock.now = now
        heard[:] = [SimpleNamespace(health=lambda one=one: one) for one in found]
        made._worker.after_turn()
        return made.most

    return measure


def of(factor, audio_s=60.0, queue_s=0.0):
    return SimpleNamespace(real_time_factor=factor, audio_s=audio_s, queue_s=queue_s, live=True)


def test_the_cap_follows_the_real_time_factor(measured):
    assert measured(1000) == 100  # nothing is known but the setting
    assert measured(1010, of(0.5, audio_s=1.0)) == 100  # too short to tell
    assert measured(1020, of(0.02), of(0.06)) == 35  # 0.7 · 2 / 0.04
    assert measured(1030, of(0.021), of(0.06)) == 35  # no source moves for so little
    assert measured(1040, of(0.1399)) == 10
    assert measured(1050) == 10  # nothing is heard
    assert measured(1060, of(9.0)) == 1
    assert measured(1070, of(0.0001)) == 100  # the setting


def test_a_listener_that_falls_behind_takes_less_for_a_while(measured):
    assert measured(1000, *[of(0.01)] * 5) == 100
    assert measured(1010, *[of(0.01)] * 4, of(0.01, queue_s=12.0)) == 4
    assert measured(1020, *[of(0.01)] * 4) == 4
    assert measured(1010 + module.CALM_S + 1, *[of(0.01)] * 4) == 100


@pytest.mark.parametrize("uri", ["mic:", "mic:USB", "pcm:-?rate=48000&channels=2&format=s16le"])
def test_what_belongs_to_one_machine_is_not_shared(uri):
    settings = ListenSettings.from_mapping({"sources": [{"uri": uri, "name": "here"}]}, where="x")
    with pytest.raises(UsageError, match="'here' belongs to one machine and cannot be shared"):
        module.check_shared(wanted_sources(settings, World()).values())


def test_sharing_without_nats_py_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nats", None)
    monkeypatch.delitem(sys.modules, "stream_match.fleet.jetstream", raising=False)
    settings = ListenSettings.from_mapping({"share": {"servers": "nats://a"}}, where="x")
    with pytest.raises(UsageError, match=r"pip install .*\[nats\]'"):
        module._opener(settings, module.Me("attic", "x"))
