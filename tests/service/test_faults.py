"""A day of faults, and faults of our own: what must go on goes on, and nothing leaks."""

import asyncio
import copy
import gc
import http.client
import logging
import random
import ssl
import struct
import threading
import zlib

import pytest
from service_fakes import (
    MemorySink,
    ScriptedSource,
    ToyEngine,
    check_whole,
    hear,
    live,
    phases,
    real_time,
    run,
    sound,
    states,
    statuses,
)

from stream_match.capture import threaded
from stream_match.capture.queue import BlockQueue
from stream_match.errors import ParameterError, SourceError, UsageError
from stream_match.events import to_json
from stream_match.service import states as policy
from stream_match.service.retry import MAX_CAUSES, Retry
from stream_match.service.session import Session
from stream_match.service.supervisor import Supervisor

NETWORK = SourceError("the line is dead", retry=True)
DAY_S = 86_400.0
CAP_S = 10.0

KINDS = [
    SourceError("the line is dead", retry=True),
    SourceError("it holds no audio"),
    ParameterError("a rate of 3 Hz"),
    ValueError("invalid literal for int() with base 10: '²'"),
    TypeError("not a buffer"),
    KeyError("StreamTitle"),
    IndexError("tuple index out of range"),
    AttributeError("no such attribute"),
    ZeroDivisionError("division by zero"),
    OverflowError("too large"),
    RecursionError("too deep"),
    MemoryError(),
    AssertionError(),
    StopAsyncIteration(),
    EOFError(),
    ConnectionResetError(104, "Connection reset by peer"),
    TimeoutError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ssl.SSLError(1, "wrong version number"),
    http.client.IncompleteRead(b""),
    struct.error("unpack requires 4 bytes"),
    zlib.error("Error -3"),
    asyncio.CancelledError(),
]


SOUND = sound(2.0)


class Faulty:
    """A radio that raises at random, at any moment; what it has run for is anything up to ten minutes."""

    def __init__(self, seed, stop):
        self.name, self.uri, self.live = "radio", "fake:radio", True
        self.raised = []
        self.downs = []  # how long after an error it was opened again
        self.open_now = self.most_tasks = 0
        self._random = random.Random(seed)
        self._stop = stop
        self._since = None

    async def blocks(self):
        now = asyncio.get_running_loop().time
        if self._since is not None:
            self.downs.append(now() - self._since)
        self.open_now += 1
        self.most_tasks = max(self.most_tasks, len(asyncio.all_tasks()))
        try:
            ends = now() + self._random.choice([0, 0, 2, 30, 200, 600])
            if not self.raised:
                ends = now() + 5  # it has run once
            while now() < ends:
                await asyncio.sleep(2.0)
                yield SOUND
            if now() > DAY_S:
                self._stop.set()
                await asyncio.sleep(9)
            error = copy.copy(self._random.choice(KINDS))  # one that is raised again keeps all its frames
            self.raised.append(type(error))
            raise error
        finally:
            self._since = now()
            self.open_now -= 1


class Moody(ToyEngine):
    """An engine that breaks now and then."""

    chance = random.Random(7)

    def feed(self, y, **words):
        if self.chance.random() < 0.001:
            raise copy.copy(self.chance.choice([error for error in KINDS if isinstance(error, Exception)]))
        return [facts for facts in super().feed(y, **words) if facts.phase != "updated"]


async def a_day(world, seed):
    stop = asyncio.Event()
    radio = Faulty(seed, stop)
    report, events = await hear(world, radio, stop=stop, make_engine=Moody)
    assert len(asyncio.all_tasks()) == 1
    return radio, report, events


def parts_alive():
    gc.collect()
    # By type: isinstance asks a dead weak proxy of another library for its class.
    return sum(issubclass(type(thing), BlockQueue | Session | Supervisor) for thing in gc.get_objects())


def test_a_day_of_every_kind_of_fault_ends_with_a_radio_that_runs():
    before = parts_alive()  # errors that other tests raise again and again hold theirs
    radio, report, events = run(lambda world: a_day(world, seed=1))
    check_whole(events)
    assert set(radio.raised) >= {type(error) for error in KINDS} - {asyncio.CancelledError}
    assert len(KINDS) >= 20
    assert max(radio.downs) <= CAP_S + 1e-6
    assert len(radio.raised) > 200
    assert not report.failed
    assert "failed" not in states(events)
    assert states(events)[-2:] == ["running", "stopped"]
    assert phases(events).count("started") == phases(events).count("ended") > 100
    for event in statuses(events, "reconnecting"):
        assert event.reason
    # What was not heard is told: a day is what was heard, dropped and lost.
    day_s = report.audio_s + events[-1].outage_s + events[-1].dropped_s
    assert day_s == pytest.approx(DAY_S, rel=0.01)
    # Nothing is left of all these openings.
    assert radio.open_now == 0
    assert radio.most_tasks < 12
    assert parts_alive() < before + 5


@pytest.mark.parametrize("error", [SourceError("no decoder"), UsageError("no such station")])
def test_what_can_never_work_fails_at_the_start_and_not_after_it_has_run(error):
    report, events = run(lambda world: hear(world, live("radio", [error])))
    check_whole(events)
    assert report.failed == ["radio"]

    async def later(world):
        stop = asyncio.Event()
        radio = live("radio", [*real_time(3), error], [*real_time(3), stop.set, 9.0])
        return await hear(world, radio, stop=stop)

    report, events = run(later)
    check_whole(events)
    assert states(events) == ["starting", "running", "reconnecting", "running", "stopped"]


def test_going_away_and_coming_back_are_logged_and_one_cause_is_logged_sparsely(caplog):
    async def scenario(world):
        stop = asyncio.Event()
        dead = [[NETWORK]] * 20
        radio = live("radio", [*real_time(61), NETWORK], *dead, [*real_time(2), stop.set, 9.0])
        await hear(world, radio, stop=stop)

    with caplog.at_level(logging.INFO):
        run(scenario)
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("radio:")]
    assert told == ["radio: the line is dead; trying again in 1 s", "radio: back after 186 s"]


def test_the_causes_that_the_log_tells_apart_are_bounded(caplog):
    async def scenario(world):
        retry = Retry("radio", 10.0, world)
        for number in range(5000):
            retry.lost(f"cause {chr(0x4E00 + number)} at {number}")
        return retry

    run(scenario)
    assert len(caplog.records) == MAX_CAUSES + 1


def test_a_supervision_that_breaks_says_so_and_its_siblings_go_on(monkeypatch):
    own = Retry.lost

    def broken(self, reason, **words):
        if self._name == "bad":
            raise ArithmeticError("a fault of ours")
        return own(self, reason, **words)

    monkeypatch.setattr(Retry, "lost", broken)

    async def scenario(world):
        stop = asyncio.Event()
        good = live("good", [*real_time(2), NETWORK], [*real_time(5), stop.set, 9.0])
        return await hear(world, live("bad", [*real_time(2), NETWORK]), good, stop=stop)

    report, events = run(scenario)
    check_whole(events)
    assert report.failed == ["bad"]
    (failed,) = statuses(events, "failed")
    assert failed.reason == "its supervision broke (ArithmeticError: a fault of ours)"
    assert states(events, "good") == ["starting", "running", "reconnecting", "running", "stopped"]


def test_a_wrong_transition_is_told_and_kills_nothing(monkeypatch, caplog):
    monkeypatch.setitem(policy.TRANSITIONS, "starting", frozenset({"failed"}))
    report, events = run(lambda world: hear(world, ScriptedSource("tape", [sound(3)])))
    assert states(events) == ["starting", "running", "stopped"]
    assert not report.failed
    assert "not foreseen" in caplog.text


def test_reasons_are_short_printable_and_hold_no_secrets():
    error = ValueError("http://ann:hunter2@radio.example/x?token=hunter2 \x1b[31m\ud800\n" + "x" * 100_000)
    tape = ScriptedSource("tape", [sound(2), error])
    _, events = run(lambda world: hear(world, tape))
    reason = events[-1].reason
    assert "hunter2" not in reason
    assert "radio.example" in reason
    assert reason.isprintable()
    assert len(reason) < 400
    assert to_json(events[-1])


def test_an_engine_that_broke_leaves_no_end_without_a_beginning():
    class Loses(ToyEngine):
        """Breaks in the feed in which a match starts, and ends that match when it is flushed."""

        def feed(self, y, **words):
            said = super().feed(y, **words)
            if said:
                raise ValueError("broken")
            return said

    async def scenario(world):
        stop = asyncio.Event()
        engines = iter([Loses(), Loses()])
        radio = live("radio", [*real_time(30), stop.set, 9.0])
        return await hear(world, radio, stop=stop, make_engine=lambda: next(engines, ToyEngine()))

    _, events = run(scenario)
    check_whole(events)
    assert phases(events).count("started") == phases(events).count("ended") == 1


def test_thousands_of_reconnects_leave_no_thread_task_or_file_behind(monkeypatch):
    monkeypatch.setattr(policy, "STALL_S", 1e9)
    count = 2000

    class Threads:
        name, uri, live = "radio", "fake:radio", True
        openings = 0

        def blocks(self):
            return threaded.from_thread(self._read, name="leaky")

        def _read(self, _):
            Threads.openings += 1
            with open("/dev/null", "rb"):  # noqa: PTH123
                yield sound(0.1)
                if Threads.openings >= count:
                    done.call_soon_threadsafe(end.set)
                raise random.choice([SystemExit(3), KeyboardInterrupt(), ValueError("²"), OSError(5, "I/O")])

    async def scenario():
        nonlocal end, done
        end, done = asyncio.Event(), asyncio.get_running_loop()
        from stream_match.service import World

        async def at_once(work):
            return work()

        async def soon(seconds):
            await asyncio.sleep(0 if seconds < 30 else 3600)

        world = World(sleep=soon, offload=at_once, chance=lambda: 1.0)
        sink = MemorySink()
        await hear(world, Threads(), sinks=[sink], stop=end)
        return len(asyncio.all_tasks()), sink.events

    end = done = None
    before = len(open_files())
    tasks, events = asyncio.run(scenario())
    check_whole(events)
    assert Threads.openings >= count
    assert tasks == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "leaky"]
    assert len(open_files()) <= before + 1


def open_files():
    import os

    return os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []  # noqa: PTH112, PTH208
