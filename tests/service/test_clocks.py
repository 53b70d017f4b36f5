"""A wall clock that is set loses nothing; silence is noticed where audio arrives."""

import asyncio
from dataclasses import replace

import pytest
from service_fakes import (
    EPOCH,
    ScriptedSource,
    check_whole,
    hear,
    live,
    real_time,
    run,
    sound,
    states,
    statuses,
)

from stream_match.capture.queue import QUEUE_S
from stream_match.errors import SourceError
from stream_match.service import states as policy

NETWORK = SourceError("the line is dead", retry=True)
DAY_S = 86_400.0


async def with_clock(world, source, jump_at, jump_s, stop=None):
    """Hear while the wall clock is set at a moment."""
    now = world.monotonic
    wall = replace(world, now=lambda: EPOCH + now() + (jump_s if now() >= jump_at else 0.0))
    return await hear(wall, source, stop=stop)


@pytest.mark.parametrize("days", [30, -30, 0.001])
def test_a_clock_that_is_set_loses_no_audio_and_names_the_moments_after_it(days):
    jump_s = days * DAY_S

    async def scenario(world):
        stop = asyncio.Event()
        radio = live("radio", [*real_time(200), NETWORK], [*real_time(20), stop.set, 9.0])
        # It is set while the source is away, which is the worst moment.
        return await with_clock(world, radio, 200.5, jump_s, stop)

    report, events = run(scenario)
    check_whole(events)
    assert events[-1].dropped_s == report.dropped_s == 0.0
    assert events[-1].outage_s == pytest.approx(1.0)
    for event in events:
        heard = event.stream_s + (1.0 if event.stream_s > 200 else 0.0)
        if event.type == "match" and abs(event.stream_s - 200) > 2:
            expected = EPOCH + heard + (jump_s if heard > 200.5 else 0.0)
            assert event.time.timestamp() == pytest.approx(expected, abs=0.01)
    assert events[-1].last_audio_at.timestamp() == pytest.approx(EPOCH + 221 + jump_s, abs=1)


def test_a_clock_that_is_set_in_the_middle_of_a_run_moves_only_what_comes_after():
    async def scenario(world):
        stop = asyncio.Event()
        return await with_clock(world, live("r", [*real_time(60), stop.set, 9.0]), 30.2, 30 * DAY_S, stop)

    _, events = run(scenario)
    check_whole(events)
    assert states(events) == ["starting", "running", "stopped"]
    off = [e.time.timestamp() - EPOCH - e.stream_s for e in events if e.type == "match"]
    assert [round(one) for one in off if one < 1] == [0] * 59
    assert {round(one / DAY_S) for one in off if one >= 1} == {30}


def slow_start(seconds):
    """Make offloading slow the first time: the time that an engine takes to be made."""
    waits = [seconds]

    async def offload(work):
        await asyncio.sleep(waits.pop() if waits else 0)
        return work()

    return offload


def test_an_engine_that_takes_long_to_start_is_no_silent_source():
    async def scenario(world):
        stop = asyncio.Event()
        radio = live("radio", [*real_time(200), stop.set, 9.0])
        slow = replace(world, offload=slow_start(policy.LOST_S + 40))
        return radio, *await hear(slow, radio, stop=stop)

    radio, report, events = run(scenario)
    check_whole(events)
    assert len(radio.opened) == 1
    assert states(events) == ["starting", "running", "stopped"]
    # What did not fit into the queue meanwhile is an overrun.
    assert report.dropped_s == pytest.approx(policy.LOST_S + 40 - QUEUE_S, abs=1)
    assert report.outage_s == 0.0


def test_a_silence_is_noticed_while_the_engine_still_works_through_the_queue():
    async def slow(work):
        await asyncio.sleep(3.0)
        return work()

    async def scenario(world):
        stop = asyncio.Event()
        radio = live("radio", [sound(25), asyncio.Event()], [*real_time(2), 60.0, stop.set, 9.0])
        return await hear(replace(world, offload=slow), radio, stop=stop)

    _, events = run(scenario)
    check_whole(events)
    stalled = statuses(events, "stalled")[0]
    assert stalled.time.timestamp() - EPOCH == pytest.approx(policy.STALL_S, abs=1.5)
    assert states(events)[:4] == ["starting", "running", "stalled", "reconnecting"]


def test_a_source_that_does_not_open_is_told_apart_from_one_that_is_silent():
    async def scenario(world):
        stop = asyncio.Event()
        never = asyncio.Event()
        radio = live("radio", [never], [*real_time(2), never], [stop.set, 9.0])
        return await hear(world, radio, stop=stop)

    _, events = run(scenario)
    reasons = [event.reason for event in statuses(events, "reconnecting")]
    assert reasons == [
        "fake:radio has delivered nothing within 60 s of being opened",
        "fake:radio has delivered nothing for 60 s",
    ]


def test_a_recording_whose_reader_waits_for_room_is_not_stalled():
    async def slow(work):
        await asyncio.sleep(4 * policy.STALL_S)
        return work()

    tape = ScriptedSource("tape", [sound(10)] * 5)
    _, events = run(lambda world: hear(replace(world, offload=slow), tape))
    check_whole(events)
    assert states(events) == ["starting", "running", "stopped"]
