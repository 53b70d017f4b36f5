"""The health of a service: what is counted, what is called trouble, and what a restart would help."""

import asyncio
import json
from dataclasses import replace

import pytest
from catalogue_fakes import Folder, Makers
from service_fakes import (
    MemorySink,
    ScriptedSource,
    ToyEngine,
    hear,
    live,
    real_time,
    run,
    sound,
    states,
)

from stream_match.errors import SourceError
from stream_match.events import State
from stream_match.publish.base import Delivery
from stream_match.publish.delay import Delay
from stream_match.service import listen
from stream_match.service.health import Health, HealthReader
from stream_match.service.liveness import SPARE_S, STUCK_S, Liveness
from stream_match.service.states import LOST_S


@pytest.fixture
def readers(monkeypatch):
    """The reader of each service that was started."""
    made = []

    class Noted(HealthReader):
        def __init__(self, *args, **words):
            super().__init__(*args, **words)
            made.append(self)

    monkeypatch.setitem(listen.__globals__, "HealthReader", Noted)
    return made


async def read_at(world, readers, times, *sources, **words):
    """Hear sources; return the health at each of the times."""
    found = []
    for seconds in times:
        asyncio.get_running_loop().call_later(seconds, lambda: found.append(readers[-1].read()))
    await hear(world, *sources, **{"pace": "real", **words})
    return found


def test_a_source_that_runs_is_all_right(readers):
    source = live("radio", real_time(20))
    (health,) = run(lambda world: read_at(world, readers, [10.2], source, stop=stopping(12)))
    (radio,) = health.sources
    assert (health.node, health.ok, health.alive, health.troubles) == ("attic", True, True, ())
    assert health.uptime_s == pytest.approx(10.2)
    assert (radio.source, radio.uri, radio.live, radio.state) == ("radio", "fake:radio", True, "running")
    assert (radio.audio_s, radio.queue_s, radio.dropped_s, radio.reconnects) == (10.0, 0.0, 0.0, 0)
    assert radio.level_dbfs == -20.0
    assert (health.time - radio.last_audio_at).total_seconds() == pytest.approx(0.2, abs=0.01)
    assert (health.time - radio.since).total_seconds() == pytest.approx(9.7, abs=0.01)
    assert (radio.matches, radio.last_match.track.id, radio.last_match.phase) == (1, "toy", "updated")


def test_a_source_that_was_lost_is_trouble_and_no_reason_for_a_restart(readers):
    source = live("radio", [*real_time(5), SourceError("the server hung up", retry=True)], [3600.0])
    told, later = run(lambda world: read_at(world, readers, [5.5, 50_000.0], source, stop=stopping(60_000)))
    assert (told.ok, told.alive) == (False, True)
    assert told.troubles == ("radio: reconnecting (the server hung up)",)
    assert told.sources[0].last_match.phase == "ended"
    assert told.sources[0].level_dbfs is None
    # Half a day of vain attempts, each of which is given up after a minute.
    assert (later.alive, later.sources[0].state) == (True, "reconnecting")
    assert later.sources[0].reconnects > 100


def stopping(seconds):
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return stop


def test_what_a_second_opening_hears_is_counted_on(readers):
    source = live("radio", [*real_time(5), SourceError("gone", retry=True)], real_time(100))
    (health,) = run(lambda world: read_at(world, readers, [12.0], source, stop=stopping(20)))
    (radio,) = health.sources
    assert radio.audio_s == pytest.approx(5.0 + 12.0 - 6.0, abs=0.6)
    assert (radio.reconnects, radio.matches) == (1, 2)
    assert radio.outage_s == pytest.approx(1.0, abs=0.6)


def test_a_matcher_that_falls_behind_is_trouble_and_one_that_hangs_asks_for_a_restart(readers):
    never = asyncio.Event()

    async def hanging(work):
        if hanging.count >= 10:
            await never.wait()
        hanging.count += 1
        return work()

    async def heard(world):
        hanging.count = 0
        slow = replace(world, offload=hanging)
        asyncio.get_running_loop().call_later(200.0, never.set)
        return await read_at(slow, readers, [30.0, 80.0], live("radio", real_time(199)), stop=stopping(200))

    behind, stuck = run(heard)
    assert behind.alive
    assert "falls behind" in behind.troubles[0]
    assert not stuck.alive
    assert "nothing of it is analysed" in stuck.troubles[0]


def test_overruns_are_counted(readers):
    lost = sound(0.5, gap_s=2.0, overrun_s=2.0, discontinuity=True)
    script = [*real_time(3), 0.5, lost, *real_time(10)]
    (health,) = run(lambda world: read_at(world, readers, [9.0], live("mic", script), stop=stopping(12)))
    assert (health.sources[0].overruns, health.sources[0].dropped_s) == (1, 2.0)


def test_the_index_and_what_was_refused_of_it(readers, tmp_path):
    folder = Folder(tmp_path / "idx")
    folder.put("toy", "other")
    current = folder.current()

    async def heard(world):
        asyncio.get_running_loop().call_later(5.0, lambda: folder.put("toy"))
        asyncio.get_running_loop().call_later(10.0, folder.damage)
        return await read_at(
            world, readers, [4.0, 9.0, 14.0], ScriptedSource("file", real_time(20)),
            catalogue=current, make_engine=Makers(current),
        )  # fmt: skip

    first, second, third = run(heard)
    assert (first.indexes[0].generation, first.indexes[0].tracks) == (1, 2)
    assert (second.indexes[0].generation, second.indexes[0].tracks, second.ok) == (2, 1, True)
    assert (third.indexes[0].generation, third.indexes[0].trouble) == (2, "a segment is missing")
    assert third.troubles == (f"index {folder.path}: a segment is missing",)
    assert third.indexes[0].name == str(folder.path)


class CountingSink(MemorySink):
    def __init__(self, **delivery):
        super().__init__()
        self._delivery = Delivery(**delivery)

    def delivery(self):
        return self._delivery


def test_a_broker_that_is_away_is_trouble(readers):
    sinks = [
        MemorySink(),
        CountingSink(connected=False, waiting=12),
        CountingSink(connected=False, away="The name is taken.", waiting=3),
        CountingSink(connected=True, delivered=3),
    ]
    (health,) = run(
        lambda world: read_at(world, readers, [2.0], ScriptedSource("file", real_time(3)), sinks=sinks)
    )
    assert health.troubles == (
        "memory:: It is not reached. Events waiting: 12.",
        "memory:: The name is taken. Events waiting: 3.",
    )
    assert [sink.connected for sink in health.sinks] == [None, False, False, True]
    assert health.alive


def test_it_is_json_and_back_again(readers):
    (health,) = run(
        lambda world: read_at(world, readers, [3.0], live("radio", [*real_time(5)]), stop=stopping(4))
    )
    said = health.model_dump_json(by_alias=True)
    assert json.loads(said)["schema"] == "stream_match.health/1"
    assert Health.model_validate_json(said) == health
    with pytest.raises(ValueError, match="frozen"):
        health.ok = False


def test_the_best_candidate_is_looked_at_now_and_then(readers):
    class Hesitant(ToyEngine):
        def candidates(self):
            looked.append(self.stream_s)
            return [self._facts("started").model_copy(update={"score": score}) for score in (3.5, 4.5)]

    looked = []
    (health,) = run(
        lambda world: read_at(
            world, readers, [25.0], ScriptedSource("file", real_time(30)), make_engine=Hesitant
        )
    )
    assert health.sources[0].best_candidate_score == 4.5
    assert len(looked) == 3


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("state", State.__args__)
def test_signs_of_life(state):
    clock = Clock()
    liveness = Liveness(clock)

    def trouble(seconds, **words):
        clock.now = 1000.0 + seconds
        return liveness.trouble(state, **{"audio_waits": False, "is_watched": True, **words})

    over = state in ("failed", "stopped", "paused")
    assert trouble(STUCK_S, audio_waits=True) is None
    assert (trouble(STUCK_S + 1, audio_waits=True) is None) == (over or state == "reconnecting")
    assert trouble(LOST_S + SPARE_S) is None
    assert (trouble(LOST_S + SPARE_S + 1) is None) == over
    assert trouble(1e6, is_watched=False) is None
    clock.now = 1000.0
    liveness.sign(wait_s=3600.0)
    assert trouble(3600.0 + LOST_S + SPARE_S) is None
    assert (trouble(3600.0 + LOST_S + SPARE_S + 1) is None) == over


def test_one_event_at_a_time_is_followed():
    clock = Clock()
    delay = Delay(clock)
    assert delay.seconds is None
    delay.taken("B")
    delay.taken("C")
    clock.now += 2.0
    assert delay.seconds == 2.0
    delay.arrived("A")  # waited since before
    delay.arrived("B")
    clock.now += 100.0
    assert delay.seconds == 2.0
    delay.taken("D")
    clock.now += 0.5
    assert delay.seconds == 2.0
    clock.now += 5.0
    assert delay.seconds == 5.5
    delay.given_up("D")
    assert delay.seconds == 2.0
    delay.taken("E")
    clock.now += 1.0
    delay.arrived("F")  # E was deleted with others
    assert delay.seconds == 2.0
    delay.taken("G")
    clock.now += 3.0
    delay.arrived("G")
    assert delay.seconds == 3.0


def test_states_are_told_as_before(readers):
    async def heard(world):
        _, events = await hear(world, live("radio", real_time(3)), pace="real", stop=stopping(2))
        return events

    assert states(run(heard)) == ["starting", "running", "stopped"]
