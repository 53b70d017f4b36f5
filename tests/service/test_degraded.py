"""While the server of an index is away, status and health say so, and nothing else of the source changes."""

import asyncio
import json

import pytest
from catalogue_fakes import Makers, Snapshot
from service_fakes import hear, live, phases, real_time, run, states

from stream_match.events import Track, to_json
from stream_match.service import CurrentCatalogue, listen
from stream_match.service.health import HealthReader

AWAY = "the Milvus server host:1 cannot be reached, or is too slow"


class Server:
    """Where a catalogue comes from, which may be away."""

    name = "milvus://host:1/music"
    away = None

    def mark(self):
        return 1

    def generation(self):
        return 7

    def load(self):
        return Snapshot((Track(id="toy"),))


@pytest.fixture
def readings(monkeypatch):
    made = []

    class Noted(HealthReader):
        def __init__(self, *args, **words):
            super().__init__(*args, **words)
            made.append(self)

    monkeypatch.setitem(listen.__globals__, "HealthReader", Noted)
    return made


def test_status_and_health_say_so_while_it_lasts(readings):
    server, healths = Server(), []

    def change(away):
        server.away = away

    def read():
        healths.append(readings[-1].read())

    async def listened(world):
        current = CurrentCatalogue(server, lambda snapshot: len(snapshot.tracks))
        for seconds, happens in (
            (5.2, lambda: change(AWAY)), (8.2, read), (10.2, lambda: change(None)), (12.2, read),
        ):  # fmt: skip
            asyncio.get_running_loop().call_later(seconds, happens)
        source = live("radio", real_time(15))
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(15, stop.set)
        return await hear(
            world, source, make_engine=Makers(current), catalogue=current, pace="real", stop=stop
        )

    _, events = run(listened)
    told = [event for event in events if event.type == "status"]
    assert [(event.state, event.degraded) for event in told] == [
        ("starting", None), ("running", None), ("running", AWAY), ("running", None), ("stopped", None),
    ]  # fmt: skip
    assert told[2].stream_s == pytest.approx(5.5, abs=0.5)
    assert "degraded" not in json.loads(to_json(told[1]))
    assert json.loads(to_json(told[2]))["degraded"] == AWAY
    assert states(events) == ["starting", "running", "stopped"]
    assert phases(events).count("ended") <= 1
    during, after = healths
    assert (during.ok, during.alive) == (False, True)
    assert during.troubles == (f"index milvus://host:1/music: {AWAY}",)
    assert (during.indexes[0].degraded, during.indexes[0].generation) == (AWAY, 7)
    assert after.ok
    assert "degraded" not in after.model_dump(mode="json")["indexes"][0]
