import asyncio
from itertools import pairwise

import pytest
from service_fakes import (
    EPOCH,
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

from stream_match.errors import SourceError, UsageError
from stream_match.service import states as policy
from stream_match.service.retry import FIRST_HOUR_S, LATER_MAX_S

NETWORK = SourceError("the line is dead", retry=True)


def stopper(stop):
    return lambda: stop.set()


def test_a_recording_starts_runs_and_stops():
    report, events = run(lambda world: hear(world, ScriptedSource("tape", [sound(3.5)])))
    check_whole(events)
    assert states(events) == ["starting", "running", "stopped"]
    assert phases(events) == ["started", "updated", "updated", "updated", "ended"]
    assert report.audio_s == pytest.approx(3.5)
    assert report.matches == 1
    assert not report.failed
    assert "heard 3.5 s" in str(report)
    assert "matches: 1, known 1.0 s after" in str(report)


def test_every_event_says_who_and_what():
    _, events = run(
        lambda world: hear(world, ScriptedSource("tape", [sound(1.5)]), titles={"tape": "The tape"})
    )
    assert {(e.node, e.source, e.source_name) for e in events} == {("attic", "tape", "The tape")}
    assert {e.event_type for e in events if e.type == "match"} == {
        "match_started",
        "match_updated",
        "match_ended",
    }
    stopped = events[-1]
    (running,) = statuses(events, "running")
    assert running.level_dbfs == pytest.approx(-20.0, abs=0.1)
    assert stopped.last_audio_at.timestamp() == pytest.approx(EPOCH + 1.5)


async def lost_twice(world):
    stop = asyncio.Event()
    radio = live(
        "radio", [*real_time(4), NETWORK], [NETWORK], [*real_time(3)], [*real_time(2), stopper(stop), 9.0]
    )
    return await hear(world, radio, stop=stop)


def test_a_lost_live_source_ends_its_matches_and_comes_back():
    report, events = run(lost_twice)
    check_whole(events)
    assert not report.failed
    assert [e.attempt for e in statuses(events, "reconnecting")] == [1, 2, 1]
    assert {e.attempt for e in statuses(events, "running")} == {0}
    assert states(events) == [
        "starting", "running", "reconnecting", "running", "reconnecting", "running", "stopped",
    ]  # fmt: skip
    assert phases(events).count("started") == phases(events).count("ended") == 3
    assert statuses(events, "reconnecting")[0].reason == "the line is dead"
    assert statuses(events, "reconnecting")[2].reason == "fake:radio has ended"
    # It was away for 1 s and then 2 s, and for 4 s.
    assert events[-1].outage_s == report.outage_s == pytest.approx(7.0)
    assert events[-1].dropped_s == report.dropped_s == 0.0


def test_stream_time_goes_on_over_a_loss_and_the_time_of_day_is_true():
    _, events = run(lost_twice)
    started = [e for e in events if e.type == "match" and e.phase == "started"]
    assert [e.stream_s for e in started] == pytest.approx([1.0, 5.0, 8.0])
    assert [e.time.timestamp() - EPOCH for e in started] == pytest.approx([1.0, 8.0, 15.0])
    assert [e.started_s for e in started] == pytest.approx([0.0, 4.0, 7.0])


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_station_that_once_answers_with_a_file_is_asked_again(broken_off):
    async def work(world):
        stop = asyncio.Event()
        announcement = [lambda: setattr(radio, "live", False), sound(3), *([NETWORK] if broken_off else [])]
        back = [lambda: setattr(radio, "live", True), *real_time(2), stopper(stop)]
        radio = live("radio", [*real_time(4), NETWORK], announcement, back)
        return await hear(world, radio, stop=stop, pace="real")

    report, events = run(work)
    check_whole(events)
    assert not report.failed
    assert states(events) == [
        "starting", "running", "reconnecting", "running", "reconnecting", "running", "stopped",
    ]  # fmt: skip
    assert report.audio_s == pytest.approx(9.0, abs=1.0)
    assert report.dropped_s == 0.0


async def always_dead(world, **settings):
    stop = asyncio.Event()
    radio = live("radio", [NETWORK])

    async def end():
        await asyncio.sleep(5000)
        stop.set()

    ending = asyncio.create_task(end())
    _, events = await hear(world, radio, stop=stop, **settings)
    await ending
    return radio.opened, events


def test_a_dead_source_is_asked_every_ten_seconds_for_an_hour_and_then_every_minute():
    opened, events = run(always_dead)
    check_whole(events)
    waits = [after - before for before, after in pairwise(opened)]
    first_hour = [wait for wait, at in zip(waits, opened, strict=False) if at < FIRST_HOUR_S]
    later = waits[len(first_hour) :]
    assert first_hour[:4] == pytest.approx([1, 2, 4, 8])
    assert first_hour[4:] == pytest.approx([10] * len(first_hour[4:]))
    assert later[:2] == pytest.approx([20, 40])
    assert later[2:] == pytest.approx([LATER_MAX_S] * len(later[2:]))
    assert len(later) > 20
    assert states(events) == ["starting", "reconnecting", "stopped"]


@pytest.mark.parametrize(
    ("longest_s", "waits"), [(1, [1] * 5), (3, [1, 2, 3, 3, 3]), (300, [1, 2, 4, 8, 16])]
)
def test_the_longest_wait_is_a_setting(longest_s, waits):
    opened, _ = run(lambda world: always_dead(world, reconnect_max_seconds=longest_s))
    assert [after - before for before, after in pairwise(opened[:6])] == pytest.approx(waits)


async def device_away(world):
    stop = asyncio.Event()
    device = live("device", [NETWORK])
    device.reconnect_max_s = 5.0
    await asyncio.gather(hear(world, device, stop=stop), _set_after(stop, 5000))
    return device.opened


async def _set_after(event, seconds):
    await asyncio.sleep(seconds)
    event.set()


def test_a_device_that_may_be_asked_often_is_asked_often_however_long_it_is_away():
    opened = run(device_away)
    waits = [after - before for before, after in pairwise(opened)]
    assert waits[:3] == pytest.approx([1, 2, 4])
    assert waits[3:] == pytest.approx([5] * len(waits[3:]))
    assert len(waits) > 900


async def flapping(world, run_s):
    stop = asyncio.Event()
    radio = live("radio", *[[*real_time(run_s), NETWORK]] * 4, [stopper(stop), 9.0])
    await hear(world, radio, stop=stop)
    return [after - before - run_s for before, after in pairwise(radio.opened)]


def test_only_a_steady_run_is_tried_again_at_once():
    assert run(lambda world: flapping(world, 2)) == pytest.approx([1, 2, 4, 8])
    assert run(lambda world: flapping(world, policy.STEADY_S + 1)) == pytest.approx([1, 1, 1, 1])


async def dropped_every(world, run_s):
    stop = asyncio.Event()
    radio = live("radio", [*real_time(run_s), NETWORK])
    await asyncio.gather(hear(world, radio, stop=stop), _set_after(stop, 3 * FIRST_HOUR_S))
    return [after - before - run_s for before, after in pairwise(radio.opened)]


def test_a_station_that_is_heard_between_its_losses_is_away_for_ten_seconds_at_most():
    assert max(run(lambda world: dropped_every(world, policy.STEADY_S - 5))) <= 10.0


@pytest.mark.parametrize("error", [SourceError("no audio in it"), RuntimeError("a fault of ours")])
def test_a_recording_that_breaks_fails_alone(error):
    report, events = run(
        lambda world: hear(
            world, ScriptedSource("good", [sound(3)]), ScriptedSource("bad", [sound(2), error])
        )
    )
    check_whole(events)
    assert report.failed == ["bad"]
    assert states(events, "bad") == ["starting", "running", "failed"]
    assert str(error) in statuses(events, "failed")[0].reason
    assert phases(events, "bad") == ["started", "updated", "ended"]
    assert states(events, "good") == ["starting", "running", "stopped"]


def test_a_recording_that_breaks_off_is_not_begun_anew():
    tape = ScriptedSource("tape", [sound(2), NETWORK])
    report, events = run(lambda world: hear(world, tape))
    assert len(tape.opened) == 1
    assert report.failed == ["tape"]
    tape = ScriptedSource("tape", [NETWORK], [sound(2)])
    report, events = run(lambda world: hear(world, tape))
    assert states(events) == ["starting", "reconnecting", "running", "stopped"]


def test_a_silent_line_is_stalled_and_runs_again():
    tape = ScriptedSource("tape", [sound(2), policy.STALL_S + 3, sound(2)])
    _, events = run(lambda world: hear(world, tape))
    check_whole(events)
    assert states(events) == ["starting", "running", "stalled", "running", "stopped"]
    assert statuses(events, "stalled")[0].reason == "no audio for 12 s"


async def dead_line(world):
    stop = asyncio.Event()
    never = asyncio.Event()
    radio = live("radio", [*real_time(2), never], [*real_time(2), stopper(stop), 9.0])
    _, events = await hear(world, radio, stop=stop)
    return radio, events


def test_a_live_source_that_stays_silent_is_opened_again():
    radio, events = run(dead_line)
    check_whole(events)
    assert states(events) == ["starting", "running", "stalled", "reconnecting", "running", "stopped"]
    assert radio.opened[1] == pytest.approx(2 + policy.LOST_S + 1)
    assert radio.open_now == 0


def test_a_recording_on_a_server_that_stays_silent_is_given_up_and_a_pipe_is_not():
    async def work(world):
        stop = asyncio.Event()
        web, pipe = (ScriptedSource(name, [sound(2), 900.0, sound(1)]) for name in ("web", "pipe"))
        web.uri, pipe.uri = "http://host/***", "pcm:-"
        return await hear(world, web, pipe, stop=stop)

    report, events = run(work)
    check_whole(events)
    assert report.failed == ["web"]
    assert "has delivered nothing for 60 s" in statuses(events, "failed")[0].reason
    assert states(events, "pipe") == ["starting", "running", "stalled", "running", "stopped"]


BROKEN = [{"breaks_at_s": 3.0}, {"breaks_at_s": 3.0, "breaks_in_flush": True}, {"breaks_at_s": 0.5}]


@pytest.mark.parametrize("engine", BROKEN)
def test_a_recording_goes_on_with_a_new_engine_when_one_breaks(engine):
    engines = iter([ToyEngine(**engine), ToyEngine()])
    tape = ScriptedSource("tape", [sound(9)])
    report, events = run(lambda world: hear(world, tape, make_engine=lambda: next(engines)))
    check_whole(events)
    assert not report.failed
    assert len(tape.opened) == 1
    assert states(events) == ["starting", "running", "reconnecting", "running", "stopped"]
    assert "the toy is broken" in statuses(events, "reconnecting")[0].reason
    assert events[-1].stream_s == pytest.approx(9.0)
    # The second on which it broke is told to be lost, and nothing else is.
    assert events[-1].outage_s == report.outage_s == pytest.approx(1.0)
    assert report.audio_s == pytest.approx(8.0)
    assert phases(events)[-1] == "ended"


def test_a_recording_on_which_every_engine_breaks_fails_alone():
    tape, good = ScriptedSource("tape", [sound(90)]), ScriptedSource("good", [sound(2)])
    engines = iter([ToyEngine(breaks_at_s=2.0), ToyEngine()])  # whichever source has begun first

    def make_engine():
        return next(engines, ToyEngine(breaks_at_s=2.0))

    report, events = run(lambda world: hear(world, tape, good, make_engine=make_engine))
    check_whole(events)
    assert report.failed == ["tape"]
    assert len(statuses(events, "reconnecting")) == policy.GIVE_UP_AFTER_BREAKS - 1
    assert "the toy is broken" in statuses(events, "failed")[0].reason
    assert states(events, "good")[-1] == "stopped"


def test_a_pipe_on_which_every_engine_breaks_is_heard_to_its_end():
    pipe = ScriptedSource("pipe", [sound(90)])
    pipe.uri = "pcm:-"
    numbers = iter(range(1000))
    report, events = run(
        lambda world: hear(
            world, pipe, make_engine=lambda: ToyEngine(breaks_at_s=2.0 if next(numbers) < 20 else None)
        )
    )
    check_whole(events)
    assert not report.failed
    assert states(events)[-2:] == ["running", "stopped"]


async def engines_break(world, count):
    """A radio whose first engines break after five seconds each."""
    stop = asyncio.Event()
    numbers = iter(range(1000))
    radio = live("radio", [*real_time(200), stopper(stop), 9.0])

    def make_engine():
        return ToyEngine(breaks_at_s=5.0 if next(numbers) < count else None)

    report, events = await hear(world, radio, stop=stop, make_engine=make_engine)
    return report, events, radio


def test_a_live_source_is_not_even_closed_when_its_engine_breaks():
    report, events, radio = run(lambda world: engines_break(world, 10))
    check_whole(events)
    assert not report.failed
    assert len(radio.opened) == 1
    assert [e.attempt for e in statuses(events, "reconnecting")] == [1] * 10
    assert 199 < events[-1].stream_s <= 200.0
    assert phases(events)[-1] == "ended"


def test_an_engine_that_cannot_be_made_fails_a_recording():
    def broken():
        raise MemoryError("too large")

    report, events = run(lambda world: hear(world, ScriptedSource("bad", [sound(9)]), make_engine=broken))
    check_whole(events)
    assert report.failed == ["bad"]
    assert statuses(events, "failed")[0].reason == "the matcher could not be made (MemoryError: too large)"


def test_a_live_source_waits_for_an_engine_that_can_be_made():
    async def scenario(world):
        stop = asyncio.Event()
        made = iter([MemoryError("too large")] * 9)
        radio = live("radio", [*real_time(120), stopper(stop), 9.0])

        def make_engine():
            for error in made:
                raise error
            return ToyEngine()

        return await hear(world, radio, stop=stop, make_engine=make_engine)

    report, events = run(scenario)
    check_whole(events)
    assert not report.failed
    assert states(events) == ["starting", "reconnecting", "running", "stopped"]
    assert len(statuses(events, "reconnecting")) == 9


def test_an_engine_that_forgets_an_end_is_made_good():
    _, events = run(
        lambda world: hear(
            world, ScriptedSource("tape", [sound(3)]), make_engine=lambda: ToyEngine(forgetful=True)
        )
    )
    check_whole(events)
    assert phases(events)[-1] == "ended"
    assert [e for e in events if e.type == "match"][-1].ended_s == pytest.approx(3.0)


def test_a_slow_sink_loses_nothing_and_a_broken_one_bothers_nobody(caplog):
    sinks = [MemorySink(), MemorySink(error=OSError("disk gone")), MemorySink(delay_s=0.7)]
    report, events = run(lambda world: hear(world, ScriptedSource("tape", [sound(5)]), sinks=sinks))
    check_whole(events)
    assert sinks[2].events == events
    assert all(sink.closed for sink in sinks)
    assert len([r for r in caplog.records if "disk gone" in r.getMessage()]) == 1
    assert not report.failed


def test_a_sink_that_never_ends_is_left(caplog):
    sinks = [MemorySink(), MemorySink(exit_s=3600)]
    run(lambda world: hear(world, ScriptedSource("tape", [sound(2)]), sinks=sinks))
    assert sinks[0].closed
    assert not sinks[1].closed
    assert "is left" in caplog.text


async def stopped_after(world, seconds):
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    sources = [
        live("radio", real_time(1000)),
        live("flaky", [*real_time(2), NETWORK]),
        ScriptedSource("tape", [sound(30)] * 1000),
        ScriptedSource("pipe", [sound(2), asyncio.Event()]),
    ]
    report, events = await hear(world, *sources, stop=stop, pace="real")
    assert not any(source.open_now for source in sources)
    return report, events


@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0, 2.6, 7.3, 40.0])
def test_a_stop_at_any_moment_ends_every_match(seconds):
    report, events = run(lambda world: stopped_after(world, seconds))
    check_whole(events)
    assert not report.failed
    assert {states(events, name)[-1] for name in ("radio", "flaky", "tape", "pipe")} == {"stopped"}


async def cancelled_after(world, seconds):
    sink = MemorySink()
    work = asyncio.create_task(hear(world, live("radio", real_time(1000)), sinks=[sink]))
    await asyncio.sleep(seconds)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    return sink


def test_cancelling_ends_every_match_too():
    sink = run(lambda world: cancelled_after(world, 5.25))
    check_whole(sink.events)
    assert phases(sink.events)[-1] == "ended"
    assert sink.closed


@pytest.mark.parametrize(
    ("sources", "message"), [([], "nothing to listen to"), (["a", "a"], "Two sources are named 'tape'")]
)
def test_what_cannot_be_listened_to_is_told(sources, message):
    from stream_match.config import ListenSettings
    from stream_match.service import World, always, listen

    settings = ListenSettings(sources=[{"uri": uri} for uri in sources], sinks=[])
    world = World(open_source=lambda _: ScriptedSource("tape", []))
    with pytest.raises(UsageError, match=message):
        asyncio.run(listen(settings, always(ToyEngine), world=world))
