"""The live policy: what is dropped, how it is counted, what is told while all goes well."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from service_fakes import (
    EPOCH,
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

from stream_match.capture.queue import QUEUE_S
from stream_match.service.states import MAX_METADATA, MAX_METADATA_CHARACTERS

BLOCK_S = 0.25


async def slowly(world, source, *, pace="fast"):
    """Hear with an engine that takes two seconds for every piece."""
    stop = asyncio.Event()
    source.openings = ([*source.openings[0], stop.set, 1.0],) if source.live else source.openings

    async def slow(work):
        await asyncio.sleep(2.0)
        return work()

    return await hear(replace(world, offload=slow), source, stop=stop, pace=pace)


def test_a_live_source_faster_than_the_engine_drops_the_oldest_counts_and_marks_it():
    report, events = run(lambda world: slowly(world, live("radio", real_time(200, 1.0))))
    check_whole(events)
    # 200 s came in 200 s, of which every second one could be heard but for what still waited.
    assert report.dropped_s == pytest.approx(100 - QUEUE_S, abs=3)
    assert report.waited_s <= QUEUE_S
    assert phases(events).count("started") > 1  # no match over a gap


def test_the_time_of_hearing_is_true_although_the_audio_waited():
    _, events = run(lambda world: slowly(world, live("radio", real_time(60, BLOCK_S))))
    matches = [e for e in events if e.type == "match"]
    # Between two blocks nobody knows how much of the next one has been heard.
    assert max(abs(e.time.timestamp() - EPOCH - e.stream_s) for e in matches) <= BLOCK_S + 0.01


def test_a_recording_waits_for_the_engine():
    report, events = run(lambda world: slowly(world, ScriptedSource("tape", [sound(10)] * 12)))
    check_whole(events)
    assert report.dropped_s == 0
    assert report.audio_s == pytest.approx(120)
    assert states(events) == ["starting", "running", "stopped"]


@pytest.mark.parametrize("overrun_s", [0.0, 1.0])
def test_a_gap_is_given_to_the_engine_and_counted_as_far_as_it_is_an_overrun(overrun_s):
    radio = ScriptedSource("tape", [sound(2), sound(2, gap_s=1.5, overrun_s=overrun_s, discontinuity=True)])
    report, events = run(lambda world: hear(world, radio))
    check_whole(events)
    assert report.dropped_s == events[-1].dropped_s == overrun_s
    assert events[-1].outage_s == 0.0
    assert events[-1].stream_s == pytest.approx(5.5)
    assert phases(events).count("started") == 2


@pytest.mark.parametrize("pace", ["real", "fast"])
def test_a_recording_gives_the_same_events_at_any_pace(pace):
    def told(pace):
        tape = ScriptedSource("tape", [sound(7.3), sound(0.01), sound(20.0)])
        _, events = run(lambda world: hear(world, tape, pace=pace, make_engine=ByTheSecond))
        return [
            (e.stream_s, e.phase, e.time) if e.type == "match" else (e.state, e.stream_metadata)
            for e in events
        ]

    assert told(pace) == told("fast")


class ByTheSecond(ToyEngine):
    """As an engine must be: however the audio is cut, the same is said."""

    def __init__(self):
        super().__init__()
        self._rest = sound(0).y

    def feed(self, y, **_):
        said = []
        self._rest = np.concatenate([self._rest, y])
        while self._rest.size >= 22_050:
            said += super().feed(self._rest[:22_050])
            self._rest = self._rest[22_050:]
        return said


def test_a_recording_at_its_own_pace_takes_its_time():
    async def timed(world):
        await hear(world, ScriptedSource("tape", [sound(7.0)]), pace="real")
        return asyncio.get_running_loop().time()

    assert run(timed) == pytest.approx(7.0)


def test_a_new_title_is_told_at_once_and_an_old_one_is_not():
    radio = ScriptedSource(
        "radio",
        [
            sound(1, metadata={"icy-name": "R"}),
            sound(1, metadata={"StreamTitle": "A"}),
            sound(1, metadata={"StreamTitle": "A"}),
            sound(1, metadata={"StreamTitle": "B"}),
        ],
    )
    _, events = run(lambda world: hear(world, radio))
    assert [(round(e.stream_s), e.stream_metadata) for e in statuses(events, "running")] == [
        (1, {"icy-name": "R"}),
        (2, {"icy-name": "R", "StreamTitle": "A"}),
        (4, {"icy-name": "R", "StreamTitle": "B"}),
    ]


def test_what_a_stream_says_of_itself_is_bounded():
    flood = [sound(0.1, metadata={f"key{n}" * 50: "x" * 100_000}) for n in range(100)]
    _, events = run(lambda world: hear(world, ScriptedSource("radio", flood)))
    kept = statuses(events, "running")[-1].stream_metadata
    assert len(kept) == MAX_METADATA
    assert {len(value) for value in kept.values()} == {MAX_METADATA_CHARACTERS}


def test_a_source_that_just_runs_says_so_every_minute():
    _, events = run(lambda world: hear(world, ScriptedSource("tape", [sound(200)])))
    assert [round(e.stream_s) for e in statuses(events, "running")] == [1, 61, 121, 181]
