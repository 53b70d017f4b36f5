"""A world in memory: sources with a script, an engine that hears a match in everything, time that flies."""

import asyncio
import selectors
from datetime import datetime
from itertools import pairwise

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.config import ListenSettings
from stream_match.events import Evidence, MatchFacts, Track
from stream_match.service import World, always, listen

EPOCH = 1_790_000_000.0
TOLERANCE_S = 1e-6


class VirtualTime(selectors.DefaultSelector):
    """Lets waiting take no time: the clock jumps to whatever comes next."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self.now += max(0.0, timeout)
        return super().select(0)


def run(work):
    """Run a coroutine function of a world in virtual time."""
    time = VirtualTime()

    def make_loop():
        loop = asyncio.SelectorEventLoop(time)
        loop.time = lambda: time.now
        return loop

    async def limited():
        async with asyncio.timeout(1_000_000):
            return await work(world(time))

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(limited())


def world(time, **changes):
    async def at_once(work):
        return work()

    numbers = iter(range(1_000_000))
    given = {
        "now": lambda: EPOCH + time.now,
        "monotonic": lambda: time.now,
        "chance": lambda: 1.0,
        "random_bits": lambda _: next(numbers),
        "offload": at_once,
        "aside": at_once,
    }
    return World(**(given | changes))


def sound(seconds, **words):
    """Something at -20 dBFS."""
    return Block(np.resize(np.float32([0.1, -0.1]), round(seconds * SAMPLE_RATE_HZ)), **words)


class ScriptedSource:
    """Plays one script per opening, the last one again and again.

    A script is a list of blocks, of numbers (seconds of waiting), of errors to raise, of events to
    wait for, and of functions to call.
    """

    def __init__(self, name, *openings, live=False):
        self.name = name
        self.uri = f"fake:{name}"
        self.live = live
        self.openings = openings
        self.opened = []  # times
        self.open_now = 0

    async def blocks(self):
        script = self.openings[min(len(self.opened), len(self.openings) - 1)]
        self.opened.append(asyncio.get_running_loop().time())
        self.open_now += 1
        try:
            for step in script:
                if isinstance(step, Block):
                    yield step
                elif isinstance(step, Exception):
                    raise step
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                elif callable(step):
                    step()
                else:
                    await asyncio.sleep(step)
        finally:
            self.open_now -= 1


def live(name, *openings):
    return ScriptedSource(name, *openings, live=True)


def real_time(seconds, step_s=0.5):
    """A script of sound that comes as it is heard."""
    return [step_s, sound(step_s)] * round(seconds / step_s)


class ToyEngine:
    """Starts a match after an unbroken second, tells of it with every block, ends it at a break."""

    def __init__(self, *, breaks_at_s=None, forgetful=False, breaks_in_flush=False):
        self.stream_s = 0.0
        self._breaks_at_s = breaks_at_s
        self._forgetful = forgetful
        self._breaks_in_flush = breaks_in_flush
        self._heard_s = 0.0
        self._count = 0
        self._running = False

    def feed(self, y, *, gap_s=0.0, discontinuity=False):
        said = self._end() if discontinuity or gap_s else []
        self.stream_s += gap_s + y.size / SAMPLE_RATE_HZ
        self._heard_s += y.size / SAMPLE_RATE_HZ
        if self._breaks_at_s is not None and self.stream_s >= self._breaks_at_s:
            raise ZeroDivisionError("the toy is broken")
        if self._running:
            return [*said, self._facts("updated")]
        if self._heard_s >= 1.0 - TOLERANCE_S:
            self._running = True
            self._count += 1
            said.append(self._facts("started"))
        return said

    def flush(self):
        if self._breaks_in_flush:
            raise ValueError("the toy does not end")
        return [] if self._forgetful else self._end()

    def _end(self):
        self._heard_s = 0.0
        if not self._running:
            return []
        self._running = False
        return [self._facts("ended", ended_s=self.stream_s)]

    def _facts(self, phase, **changes):
        return MatchFacts(
            phase=phase,
            match_id=str(self._count),
            stream_s=self.stream_s,
            started_s=0.0,
            track=Track(id="toy"),
            reference_s=self.stream_s + 10.0,
            score=9.0,
            confidence=0.9,
            false_alarms_per_hour=0.01,
            evidence=Evidence(faiss_votes=1, lsh_votes=1, similarity=0.5, coverage=0.5),
            **changes,
        )


class MemorySink:
    """Keeps events; may be slow or broken."""

    def __init__(self, *, delay_s=0.0, error=None, exit_s=0.0):
        self.uri = "memory:"
        self.events = []
        self.closed = False
        self._delay_s = delay_s
        self._error = error
        self._exit_s = exit_s

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await asyncio.sleep(self._exit_s)
        self.closed = True

    async def publish(self, event):
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if self._error is not None:
            raise self._error
        self.events.append(event)


async def hear(
    world,
    *sources,
    sinks=None,
    stop=None,
    make_engine=ToyEngine,
    pace="fast",
    titles=None,
    catalogue=None,
    powers=None,
    settings_of=None,
    **more,
):
    """Run the service on sources; return the report and what the first sink was told."""
    sinks = [MemorySink()] if sinks is None else sinks
    by_name = {source.name: source for source in sources}
    remaining = iter(sinks)
    world = World(
        **{name: getattr(world, name) for name in ("now", "monotonic", "sleep", "chance", "random_bits")},
        offload=world.offload,
        aside=world.aside,
        open_source=lambda wanted: by_name[wanted.uri],
        open_sink=lambda *_, **__: next(remaining),
    )
    settings = ListenSettings(
        node="attic",
        pace=pace,
        sources=settings_of or [{"uri": name, "title": (titles or {}).get(name)} for name in by_name],
        sinks=["memory:"] * len(sinks),
        **more,
    )
    report = await listen(settings, always(make_engine, catalogue), stop=stop, world=world, powers=powers)
    return report, sinks[0].events


def states(events, source=None):
    """The states that were told, without repetitions."""
    told = [e.state for e in events if e.type == "status" and source in (None, e.source)]
    return [state for state, before in zip(told, [None, *told], strict=False) if state != before]


def statuses(events, state):
    return [event for event in events if event.type == "status" and event.state == state]


def phases(events, source=None):
    return [e.phase for e in events if e.type == "match" and source in (None, e.source)]


def check_whole(events):
    """Check what must hold whatever happened."""
    ids = [event.event_id for event in events]
    assert ids == sorted(set(ids))
    for source in {event.source for event in events}:
        _check_source([event for event in events if event.source == source])


def check_sources(events):
    """Check what must hold of every stretch from `starting` to the end of a source."""
    ids = [event.event_id for event in events]
    assert ids == sorted(set(ids))
    for source in {event.source for event in events}:
        stretch = []
        for event in [event for event in events if event.source == source]:
            over = stretch and stretch[-1].type == "status" and stretch[-1].state in ("stopped", "failed")
            if over:
                check_whole(stretch)
                stretch = []
            stretch.append(event)
        check_whole(stretch)


def _check_source(events):
    from stream_match.service.states import TRANSITIONS

    told = states(events)
    assert told[0] == "starting"
    assert told[-1] in ("stopped", "failed")
    for before, after in pairwise(told):
        assert after in TRANSITIONS[before]
    open_now = set()
    for event in events:
        assert isinstance(event.time, datetime)
        if event.type == "status" and event.state not in ("running", "stalled"):
            assert (event.level_dbfs, event.stream_metadata) == (None, {})
        if event.type != "match":
            assert event.state == "running" or not open_now or event.state == "stalled"
        elif event.phase == "started":
            assert event.match_id not in open_now
            open_now.add(event.match_id)
        else:
            assert event.match_id in open_now
            if event.phase == "ended":
                open_now.remove(event.match_id)
    assert not open_now
    started = [event.match_id for event in events if event.type == "match" and event.phase == "started"]
    assert len(started) == len(set(started))
    for kind in ("match", "status"):
        stream = [event.stream_s for event in events if event.type == kind]
        assert all(after >= before - TOLERANCE_S for before, after in pairwise(stream))
