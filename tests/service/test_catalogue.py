"""The index changes while sources are heard: what is whole is taken up, what is not is refused."""

import asyncio
import gc
import logging
import threading
import time
import weakref
from dataclasses import replace

import pytest
from catalogue_fakes import Folder, Listener, Makers
from hypothesis import given, settings
from hypothesis import strategies as st
from service_fakes import (
    MemorySink,
    ScriptedSource,
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

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.pace import STEP_SAMPLES
from stream_match.errors import CatalogError, SourceError
from stream_match.service import catalogue as policy
from stream_match.service import states as source_policy
from stream_match.service.world import in_own_thread

SEEN_WITHIN_S = 5.0
BLOCK_S = STEP_SAMPLES / SAMPLE_RATE_HZ  # so far behind the clock a tape may be: its block is yet to come


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "idx")
    made.put("toy", "other")
    return made


@pytest.fixture(autouse=True)
def _all_is_logged(caplog):
    caplog.set_level(logging.INFO, "stream_match.service.catalogue")


def said(caplog):
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "stream_match.service.catalogue"
    ]


def refusals(caplog):
    return [sentence for _, sentence in said(caplog) if "is not taken up" in sentence]


async def listened(world, folder, *sources, makers=None, stop=None, current=None, at=(), **more):
    """Hear sources while things happen at times; return the engines that were made, report and events."""
    current = current or folder.current()
    makers = makers or Makers(current)
    for seconds, happens in at:
        asyncio.get_running_loop().call_later(seconds, happens)
    report, events = await hear(
        world, *sources, stop=stop, make_engine=makers, catalogue=current, pace="real", **more
    )
    assert len(asyncio.all_tasks()) == 1
    check_whole(events)
    assert not [fault for engine in makers.engines for fault in engine.faults]
    return makers.engines, report, events


def heard(folder, *sources, at=(), **more):
    return run(lambda world: listened(world, folder, *sources, at=at, **more))


def tapes(count, seconds=30):
    return [ScriptedSource(f"tape{number}", [sound(seconds)]) for number in range(count)]


def slow(world, seconds):
    async def aside(work):
        await asyncio.sleep(seconds / 2)
        done = work()
        await asyncio.sleep(seconds / 2)
        return done

    return replace(world, aside=aside)


def test_a_new_generation_is_loaded_once_and_taken_up_by_every_engine(folder, caplog):
    engines, report, events = heard(folder, *tapes(3), at=[(10, lambda: folder.put("toy", "other", "new"))])
    assert folder.loads == 2
    old, new = folder.loaded
    assert [engine.first for engine in engines] == [old] * 3
    for engine in engines:
        ((stream_s, taken_up),) = engine.taken_up
        assert taken_up is new
        assert 10 - BLOCK_S <= stream_s <= 10 + SEEN_WITHIN_S
    # A match that goes on is the same match, and is heard to its end.
    assert phases(events).count("started") == phases(events).count("ended") == 3
    assert report.audio_s == pytest.approx(90)
    assert said(caplog) == [("INFO", f"the index {str(folder.path)!r} has 3 tracks now (was 2)")]


def test_as_many_tracks_as_before_are_not_told_as_news(folder, caplog):
    at = [(10, lambda: folder.put("toy", "another"))]
    engines, _, _ = heard(folder, *tapes(1), at=at)
    assert [len(engine.taken_up) for engine in engines] == [1]
    assert said(caplog) == [("INFO", f"the index {str(folder.path)!r} has changed (tracks: 2)")]


def test_while_nothing_changes_nothing_is_loaded_nor_said(folder, caplog):
    engines, _, _ = heard(folder, *tapes(2, 300))
    assert folder.loads == 1
    assert not any(engine.taken_up for engine in engines)
    assert not said(caplog)


def test_a_match_of_a_track_that_is_gone_ends_and_the_others_go_on(folder):
    current = folder.current()
    tracks = iter(["toy", "other"])
    makers = Makers(current)

    def make():
        makers.engines.append(Listener(current.newest, track=next(tracks)))
        return makers.engines[-1]

    make.engines = makers.engines
    _, _, events = heard(
        folder, *tapes(2), at=[(10, lambda: folder.put("other"))], makers=make, current=current
    )
    (ended,) = [e for e in events if e.type == "match" and e.phase == "ended" and e.track.id == "toy"]
    assert 10 - BLOCK_S <= ended.stream_s <= 10 + SEEN_WITHIN_S
    assert ended.ended_s == ended.stream_s
    (ended,) = [e for e in events if e.type == "match" and e.phase == "ended" and e.track.id == "other"]
    assert ended.stream_s == pytest.approx(30)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_match_of_a_track_that_is_gone_ends_though_its_source_is_silent(folder, is_live):
    async def scenario(world):
        stop = asyncio.Event()
        line = ScriptedSource("line", [*real_time(5), 40.0, sound(0.5), 100.0], live=is_live)
        sink = MemorySink()
        ended_at = []
        loop = asyncio.get_running_loop()

        async def publish(event):
            sink.events.append(event)
            if event.type == "match" and event.phase == "ended":
                ended_at.append(loop.time())

        sink.publish = publish
        at = [(20, lambda: folder.put("other")), (50, stop.set)]
        engines, _, events = await listened(world, folder, line, stop=stop, at=at, sinks=[sink])
        return engines, events, ended_at

    engines, events, ended_at = run(scenario)
    assert len(ended_at) == 1
    assert 20 <= ended_at[0] <= 20 + SEEN_WITHIN_S
    # It is told where the sound ended, and the silence stays what it was.
    (ended,) = [e for e in events if e.type == "match" and e.phase == "ended"]
    assert ended.stream_s == pytest.approx(5.0)
    assert states(events) == ["starting", "running", "stalled", "running", "stopped"]
    assert events[-1].stream_s == pytest.approx(5.5)
    assert len(engines) == 1


def test_a_source_that_has_never_spoken_takes_it_up(folder):
    async def scenario(world):
        stop = asyncio.Event()
        at = [(5, lambda: folder.put("new")), (11, stop.set)]
        return await listened(world, folder, live("mute", [100.0]), stop=stop, at=at)

    engines, _, events = run(scenario)
    assert [taken for _, taken in engines[0].taken_up] == [folder.loaded[1]]
    assert states(events) == ["starting", "stopped"]


def test_a_silent_source_holds_no_old_catalogue(folder):
    async def scenario(world):
        stop, current = asyncio.Event(), folder.current()
        old = weakref.ref(current.newest)
        folder.loaded.clear()
        alive = []

        def count():
            gc.collect()
            alive.append(old() is not None)

        class Quick(Listener):
            def __init__(self, catalogue):
                super().__init__(catalogue)
                self.first = None

            def take_up(self, catalogue):
                said = super().take_up(catalogue)
                self.taken_up.clear()
                return said

        at = [(4, count), (5, lambda: folder.put("new")), (10, count), (12, stop.set)]
        for seconds, happens in at:
            asyncio.get_running_loop().call_later(seconds, happens)
        sources = [live("mute", [100.0]), live("radio", [*real_time(100)])]
        make_engine = lambda: Quick(current.newest)  # noqa: E731
        await hear(world, *sources, stop=stop, make_engine=make_engine, catalogue=current)
        return alive

    assert run(scenario) == [True, False]


def test_a_long_block_that_waits_is_not_dropped_when_its_reader_is_roused(folder):
    at = [(second, lambda: folder.put("toy")) for second in (5, 20, 39, 41, 79)]
    pipe = ScriptedSource("pipe", [sound(40), sound(40)])
    pipe.uri = "pcm:-"

    async def scenario(world):
        async def offload(work):
            await asyncio.sleep(0.9)
            return work()

        return await listened(replace(world, offload=offload), folder, pipe, at=at)

    engines, report, events = run(scenario)
    assert report.dropped_s == 0
    assert report.audio_s == pytest.approx(80)
    assert len(engines[0].taken_up) >= 4
    assert phases(events).count("started") == 1


def test_what_is_broken_is_refused_once_and_what_is_good_later_is_taken_up(folder, caplog):
    at = [(10, folder.damage), (700, lambda: folder.put("toy", "new", "newer"))]
    engines, _, events = heard(folder, *tapes(2, 710), at=at)
    (sentence,) = refusals(caplog)
    assert sentence.startswith(f"the index {str(folder.path)!r} is not taken up, and listening goes on with")
    assert sentence.endswith("before: a segment is missing")
    assert said(caplog)[-1] == ("WARNING", f"the index {str(folder.path)!r} has 3 tracks now (was 2)")
    for engine in engines:
        ((stream_s, taken_up),) = engine.taken_up
        assert taken_up is folder.loaded[1]
        assert 699.9 <= stream_s <= 700 + SEEN_WITHIN_S
    assert phases(events).count("started") == 2
    # It was tried now and then, for a copy may become whole, but not again and again.
    assert 5 < folder.loads < 11


def test_a_copy_that_becomes_whole_under_the_same_manifest_is_taken_up(folder):
    def incomplete():
        folder.broken = CatalogError("'codes.npy' is missing")
        folder.put("toy", "new", "newer")

    def whole():
        folder.broken = None

    engines, _, _ = heard(folder, *tapes(1, 100), at=[(10, incomplete), (25, whole)])
    ((stream_s, taken_up),) = engines[0].taken_up
    assert taken_up.tracks == ("toy", "new", "newer")
    assert 25 <= stream_s <= 25 + 2 * policy.RETRY_S + policy.LOOK_EVERY_S


def test_each_cause_is_told_once(folder, caplog):
    whys = ["a", "b", "a", "b", "c", "a"]
    heard(
        folder,
        *tapes(1, 100),
        at=[(10 + 5 * n, lambda why=why: folder.damage(why)) for n, why in enumerate(whys)],
    )
    assert [sentence[-1] for sentence in refusals(caplog)] == ["a", "b", "c"]


def test_a_cause_is_told_anew_when_all_was_well_meanwhile(folder, caplog):
    at = [(10, folder.damage), (20, lambda: folder.put("toy")), (30, folder.damage)]
    heard(folder, *tapes(1, 40), at=at)
    assert len(refusals(caplog)) == 2


def test_causes_without_end_do_not_fill_the_log_nor_the_memory(folder, caplog):
    at = [(10 + 2 * n, lambda n=n: folder.damage(f"cause {n}")) for n in range(200)]
    heard(folder, *tapes(1, 450), at=at)
    assert len(refusals(caplog)) == policy.MAX_CAUSES


def test_a_folder_that_is_deleted_is_refused_and_the_old_one_serves_on(folder, caplog):
    engines, _, events = heard(folder, *tapes(1, 60), at=[(10, folder.remove)])
    (sentence,) = refusals(caplog)
    assert "there is no index in it" in sentence
    assert not engines[0].taken_up
    assert phases(events).count("started") == 1


def test_a_folder_that_comes_back_as_it_was_is_not_loaded_again(folder, caplog):
    away = folder.path.with_name("away")
    at = [(10, lambda: folder.path.rename(away)), (100, lambda: away.rename(folder.path))]
    engines, _, _ = heard(folder, *tapes(1, 130), at=at)
    assert len(folder.loaded) == 1
    assert not engines[0].taken_up
    kinds = [level for level, _ in said(caplog)]
    assert kinds == ["WARNING", "WARNING"]  # whoever reads only warnings sees both
    assert said(caplog)[1][1] == f"the index {str(folder.path)!r} is as it was before (tracks: 2)"


def test_a_folder_that_flaps_leaves_what_it_is_in_the_end(folder):
    def turn(number):
        return [lambda: folder.put("toy", f"n{number}"), folder.remove, folder.damage][number % 3]

    at = [(5 + 0.7 * n, turn(n)) for n in range(60)]
    at += [(60, lambda: folder.put("toy", "last"))]
    engines, _, events = heard(folder, *tapes(2, 90), at=at)
    for engine in engines:
        assert engine.taken_up[-1][1].tracks == ("toy", "last")
        assert [taken for _, taken in engine.taken_up] == folder.loaded[1:]
    assert phases(events).count("started") == 2


def test_a_load_that_is_slower_than_the_next_change_delays_no_audio_and_comes_to_the_last(folder):
    changes = [(5 + second, lambda second=second: folder.put("toy", f"n{second}")) for second in range(12)]

    async def scenario(world):
        return await listened(slow(world, 3.0), folder, live("radio", real_time(60)), at=changes, stop=stop)

    stop = asyncio.Event()
    radio_ends = (55, stop.set)
    changes.append(radio_ends)
    engines, report, _ = run(scenario)
    assert engines[0].taken_up[-1][1].tracks == ("toy", "n11")
    assert engines[0].taken_up[-1][0] <= 16 + 2 * (3 + policy.LOOK_EVERY_S + 3)
    assert report.waited_s <= 0.5
    assert folder.loads <= 8  # never two at a time


def test_a_load_of_three_seconds_is_heard_within_five(folder):
    async def scenario(world):
        async def aside(work):
            before = folder.loads
            done = work()
            if folder.loads > before:  # a look takes no time, a load does
                await asyncio.sleep(3.0)
            return done

        at = [(10, lambda: folder.put("toy", "new"))]
        return await listened(replace(world, aside=aside), folder, *tapes(1), at=at)

    engines, _, _ = run(scenario)
    ((stream_s, _),) = engines[0].taken_up
    assert 13 - BLOCK_S <= stream_s <= 10 + SEEN_WITHIN_S


def test_a_stop_while_it_loads_ends_at_once(folder):
    async def scenario(world):
        stop = asyncio.Event()
        radio = live("radio", [*real_time(100)])
        at = [(5, lambda: folder.put("toy")), (20, stop.set)]
        made = await listened(slow(world, 1e9), folder, radio, stop=stop, at=at)
        return made, asyncio.get_running_loop().time()

    (_, _, events), ended_at = run(scenario)
    assert ended_at == pytest.approx(20, abs=1)
    assert states(events)[-1] == "stopped"


def test_all_ends_when_the_sources_have_ended_though_it_loads(folder):
    async def scenario(world):
        await listened(slow(world, 1e9), folder, *tapes(1, 10))
        return asyncio.get_running_loop().time()

    assert run(scenario) == pytest.approx(10, abs=1)


def test_a_disk_that_does_not_answer_is_told_once_and_holds_up_nothing(folder, caplog):
    async def scenario(world):
        stop = asyncio.Event()
        at = [(300, stop.set)]
        return await listened(slow(world, 1e9), folder, live("radio", real_time(400)), stop=stop, at=at)

    _, report, _ = run(scenario)
    assert report.audio_s == pytest.approx(300, abs=1)
    assert [sentence for _, sentence in said(caplog)] == [
        f"the index {str(folder.path)!r} has not been read for 60 s: does its disk, or server, answer?"
    ]


def test_a_thread_that_hangs_is_left_behind(folder):
    release = threading.Event()
    current = folder.current()
    current._load = release.wait

    async def scenario():
        stop = asyncio.Event()
        folder.put("new")
        loop = asyncio.get_running_loop()
        loop.call_later(2.5, stop.set)

        async def at_once(work):
            return work()

        from stream_match.service import World

        sources = [live("radio", real_time(100))]
        make_engine = Makers(current)
        return await hear(
            World(offload=at_once),
            *sources,
            stop=stop,
            make_engine=make_engine,
            catalogue=current,
        )

    begun = time.monotonic()
    try:
        _, events = asyncio.run(scenario())
        assert time.monotonic() - begun < 10  # a limit for what is broken
    finally:
        release.set()
    check_whole(events)


UNEXPECTED = [
    KeyError("x"),
    RecursionError(),
    MemoryError(),
    ValueError("²"),
    OSError(5, "Input/output error"),
    StopIteration(),
    SystemExit(3),
    KeyboardInterrupt(),
    AssertionError(),
]


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_whatever_a_load_raises_is_a_refusal(folder, caplog, error):
    def breaks():
        folder.broken = error
        folder.put("toy")

    def mended():
        folder.broken = None
        folder.put("toy", "new", "newer")

    async def carried(work):
        # As the thread does with what would end the program.
        try:
            return work()
        except (SystemExit, KeyboardInterrupt, StopIteration) as found:
            raise RuntimeError(type(found).__name__) from found

    engines, _, _ = run(
        lambda world: listened(
            replace(world, aside=carried), folder, *tapes(1, 60), at=[(10, breaks), (40, mended)]
        )
    )
    assert type(error).__name__ in refusals(caplog)[0]
    assert [taken.tracks for _, taken in engines[0].taken_up] == [("toy", "new", "newer")]


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_a_thread_of_its_own_carries_every_error(error):
    def work():
        raise error

    with pytest.raises(Exception):  # noqa: B017, PT011 - any error that ends no program
        asyncio.run(in_own_thread(work))
    assert asyncio.run(in_own_thread(lambda: 7)) == 7
    assert not [thread for thread in threading.enumerate() if thread.name == "aside"]


def test_a_catalogue_that_cannot_be_counted_is_refused(folder, caplog):
    class Odd:
        tracks = 7

    current = folder.current()

    def odd():
        current._origin.load = Odd
        folder.put("toy")

    engines, _, _ = heard(folder, *tapes(1, 60), at=[(10, odd)], current=current)
    assert not engines[0].taken_up
    assert len(refusals(caplog)) == 1


def test_an_engine_that_cannot_take_it_up_is_replaced(folder):
    current = folder.current()
    makers = Makers(current)
    words = iter([{"breaks_in_take_up": True}, {}])

    def make():
        makers.engines.append(Listener(current.newest, **next(words, {})))
        return makers.engines[-1]

    make.engines = makers.engines
    engines, report, events = heard(
        folder,
        *tapes(2, 60),
        at=[(10, lambda: folder.put("toy", "new", "newer"))],
        makers=make,
        current=current,
    )
    assert len(engines) == 3
    assert engines[2].first is folder.loaded[1]
    assert not engines[2].taken_up
    assert not report.failed
    (told,) = statuses(events, "reconnecting")
    assert told.reason == "the matcher broke (ZeroDivisionError: the toy cannot change)"
    assert report.outage_s == 0.0  # it broke between two pieces
    assert phases(events, told.source).count("ended") == 2
    other = ({"tape0", "tape1"} - {told.source}).pop()
    assert phases(events, other).count("ended") == 1


def test_a_silent_source_whose_engine_cannot_take_it_up_ends_its_match(folder):
    async def scenario(world):
        stop, current = asyncio.Event(), folder.current()
        makers = Makers(current, breaks_in_take_up=True)
        at = [(20, lambda: folder.put("toy")), (30, stop.set)]
        line = live("line", [*real_time(5), 100.0])
        return await listened(world, folder, line, stop=stop, at=at, makers=makers, current=current)

    engines, _, events = run(scenario)
    assert states(events) == ["starting", "running", "stalled", "reconnecting", "stopped"]
    kinds = [(e.type, getattr(e, "phase", None)) for e in events]
    ended, lost = kinds.index(("match", "ended")), events.index(statuses(events, "reconnecting")[0])
    assert ended < lost
    assert len(engines) == 2


def test_a_source_that_comes_back_begins_with_the_newest(folder):
    async def scenario(world):
        stop = asyncio.Event()
        dead = SourceError("the line is dead", retry=True)
        radio = live("radio", [*real_time(5), dead], *[[dead]] * 4, [*real_time(60)])
        at = [(8, lambda: folder.put("new")), (60, stop.set)]
        return await listened(world, folder, radio, stop=stop, at=at)

    engines, _, _ = run(scenario)
    assert engines[0].first is folder.loaded[0]
    assert engines[-1].first is folder.loaded[1]
    assert not engines[-1].taken_up


def test_an_engine_that_takes_long_to_be_made_comes_to_the_newest(folder):
    async def scenario(world):
        async def offload(work):
            done = work()
            if isinstance(done, Listener):
                await asyncio.sleep(20)
            return done

        at = [(5, lambda: folder.put("toy", "new")), (12, lambda: folder.put("toy", "newer"))]
        stop = asyncio.Event()
        at.append((50, stop.set))
        world = replace(world, offload=offload)
        return await listened(world, folder, live("radio", real_time(60)), stop=stop, at=at)

    (engine,), _, _ = run(scenario)
    assert [taken for _, taken in engine.taken_up] == [folder.loaded[-1]]
    assert folder.loaded[-1].tracks == ("toy", "newer")


def test_whoever_asks_gets_an_answer_at_once(folder, caplog, monkeypatch):
    monkeypatch.setattr(policy, "LOOK_EVERY_S", 1e6)
    current = folder.current()
    at = [
        (5, current.look),
        (10, lambda: folder.put("toy", "other", "new")),
        (11, current.look),
        (15, folder.damage),
        (16, current.look),
        (17, current.look),
        (18, current.look),
        (20, lambda: folder.put("toy")),
        (20, current.look),
        (20, current.look),
    ]
    engines, _, _ = heard(folder, *tapes(1), at=at, current=current)
    name = f"the index {str(folder.path)!r}"
    refused = f"{name} is not taken up, and listening goes on with what it was before: a segment is missing"
    assert said(caplog) == [
        ("INFO", f"{name} is unchanged (tracks: 2)"),
        ("INFO", f"{name} has 3 tracks now (was 2)"),
        *[("WARNING", refused)] * 3,
        ("WARNING", f"{name} has 1 track now (was 3)"),
    ]
    times = [stream_s for stream_s, _ in engines[0].taken_up]
    assert times == pytest.approx([11, 20], abs=1.01)


def test_what_changes_while_it_is_loaded_first_is_taken_up(folder):
    class Meanwhile(Folder):
        """Changes just after its first load has read it."""

        def load(self):
            loaded = super().load()
            if self.loads == 1:
                self.put("toy", "new")
            return loaded

    changing = Meanwhile(folder.path)
    changing.put("toy")
    engines, _, _ = heard(changing, *tapes(1))
    assert [taken.tracks for _, taken in engines[0].taken_up] == [("toy", "new")]


def test_an_index_that_cannot_be_loaded_at_first_is_an_error_at_once(folder):
    folder.damage()
    with pytest.raises(CatalogError, match="a segment is missing"):
        folder.current()


ACTION = st.one_of(
    st.sets(st.sampled_from(["toy", "other", "new"])).map(lambda tracks: ("put", *sorted(tracks))),
    st.sampled_from([("damage", "a"), ("damage", "b"), ("remove",), ("look",)]),
)
STEP = st.one_of(
    st.floats(0.0, 3.0).map(sound),
    st.builds(sound, st.floats(0.0, 3.0), gap_s=st.floats(0.0, 2.0), discontinuity=st.just(True)),
    st.floats(0.0, 30.0),
    st.just(SourceError("broken", retry=True)),
)
SOURCE = st.tuples(
    st.lists(st.lists(STEP, max_size=6), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["toy", "new"]),
)


@settings(max_examples=100, deadline=None)
@given(
    happenings=st.lists(st.tuples(st.floats(0.0, 60.0), ACTION), max_size=8),
    sources=st.lists(SOURCE, min_size=1, max_size=3),
    load_s=st.sampled_from([0.0, 0.4, 3.0]),
    breaks=st.booleans(),
    stop_s=st.floats(0.0, 100.0),
)
def test_whatever_happens_to_the_folder_it_comes_to_what_is_there(
    tmp_path_factory, happenings, sources, load_s, breaks, stop_s
):
    folder = Folder(tmp_path_factory.mktemp("idx"))
    folder.put("toy")
    current = folder.current()
    makers = Strict(current, [track for *_, track in sources], breaks=breaks)
    made = [
        ScriptedSource(f"s{number}", *scripts, [5.0, sound(1.0)] * 40, live=is_live)
        for number, (scripts, is_live, _) in enumerate(sources)
    ]

    async def scenario(world):
        stop = asyncio.Event()
        at = [(seconds, lambda action=action: do(folder, current, *action)) for seconds, action in happenings]
        at.append((stop_s, stop.set))
        await listened(slow(world, load_s), folder, *made, stop=stop, at=at, makers=makers, current=current)
        return asyncio.get_running_loop().time()

    ended_at = run(scenario)
    assert not any(source.open_now for source in made)
    for engine in makers.engines:
        order = [folder.loaded.index(taken) for _, taken in engine.taken_up]
        assert order == sorted(order)
    last = max([seconds for seconds, _ in happenings], default=0.0)
    tracks = folder.tracks()
    if tracks is not None and ended_at > last + 2 * (2 * load_s + policy.LOOK_EVERY_S):
        assert current.newest.tracks == tracks


def do(folder, current, action, *words):
    if action == "look":
        current.look()
    elif action != "remove" or folder.manifest.exists():
        getattr(folder, action)(*words)


class Strict(Makers):
    """Makes engines for one track after the other; the second one may break when it takes something up."""

    def __init__(self, current, tracks, *, breaks):
        super().__init__(current)
        self._tracks = tracks
        self._breaks = breaks

    def __call__(self):
        number = len(self.engines)
        self._words = {
            "track": self._tracks[number % len(self._tracks)],
            "breaks_in_take_up": self._breaks and number == 1,
        }
        return super().__call__()


def test_the_pauses_are_shorter_than_what_is_promised():
    assert policy.LOOK_EVERY_S + 3.0 < SEEN_WITHIN_S
    assert source_policy.LOST_S > SEEN_WITHIN_S
