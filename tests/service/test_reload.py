"""Settings change while sources are heard: what differs is carried out, and nothing else is touched."""

import asyncio
import logging
from dataclasses import replace

import pytest
from catalogue_fakes import Folder, Listener
from hypothesis import given, settings
from hypothesis import strategies as st
from service_fakes import (
    MemorySink,
    ScriptedSource,
    ToyEngine,
    check_sources,
    live,
    phases,
    real_time,
    run,
    sound,
    states,
    statuses,
)

from stream_match.config import ListenSettings
from stream_match.errors import CatalogError, SourceError, UsageError
from stream_match.service import Hearing, listen
from stream_match.service.control import Control
from stream_match.service.reload import Reload


class Scene:
    """A listener whose settings change at times, and all that it was seen to do."""

    def __init__(self, world, make_source=None, folders=None, make_engine=ToyEngine):
        self.sink = MemorySink()
        self.made = []  # (settings, engine), in the order in which engines were made
        self.opened = []  # (name, source) in the order in which sources were made
        self.answers = []
        self.folders = folders or {}
        self.catalogues = {}
        self._make_engine = make_engine
        self.stop = asyncio.Event()
        self._make_source = make_source or (lambda name: live(name, real_time(3600)))
        self._world = replace(world, open_source=self._open, open_sink=lambda *_, **__: self.sink)
        self._reload = None
        self.now = {}

    def _open(self, wanted):
        name = wanted.name or wanted.uri
        source = self._make_source(name)
        source.title = wanted.title
        self.opened.append((name, source))
        return source

    def hear(self, heard):
        folder = self.folders.get(str(heard.index))
        if heard.index is not None and folder is None:
            raise CatalogError(f"there is no index in {str(heard.index)!r}")
        if folder is not None and folder.path not in self.catalogues:
            self.catalogues[folder.path] = folder.current()
        catalogue = None if folder is None else self.catalogues[folder.path]

        def make():
            engine = self._make_engine() if catalogue is None else Listener(catalogue.newest)
            self.made.append((heard, engine))
            return engine

        return Hearing(heard, make, catalogue)

    def read(self):
        if isinstance(self.now, Exception):
            raise self.now
        return ListenSettings.from_mapping({"node": "attic", "sinks": "memory:", **self.now}, where="x")

    async def change(self, now):
        """Write other settings, and reload."""
        before, self.now = self.now, now
        try:
            answer = await self._reload()
        except UsageError as error:
            answer, self.now = str(error), before
        self.answers.append(answer)
        return answer

    async def play(self, first, act, monkeypatch):
        """Listen with the first settings while `act` goes on, then end."""
        self.now = first
        made = asyncio.get_running_loop().create_future()

        original = Reload.__init__

        def seen(reload, *args):
            original(reload, *args)
            made.set_result(reload)

        monkeypatch.setattr(Reload, "__init__", seen)
        listening = asyncio.create_task(
            listen(self.read(), self.hear, read=self.read, stop=self.stop, world=self._world)
        )
        self._reload = await made
        await act(self)
        self.stop.set()
        report = await listening
        assert len(asyncio.all_tasks()) == 1
        return report


@pytest.fixture
def played(monkeypatch):
    def play(first, act, **words):
        async def work(world):
            scene = Scene(world, **words)
            scene.report = await scene.play(first, act, monkeypatch)
            check_sources(scene.sink.events)
            return scene

        return run(work)

    return play


def two(**more):
    return {"sources": ["a", "b"], **more}


def source(uri, **own):
    return {"uri": uri, **own}


def test_settings_that_are_the_same_change_nothing(played):
    async def act(scene):
        await asyncio.sleep(10)
        await scene.change(two())
        await asyncio.sleep(10)

    scene = played(two(), act)
    assert scene.answers == [
        {
            "added": [], "removed": [], "reopened": [], "changed": [], "unchanged": ["a", "b"],
            "needs_restart": [], "indexes": {},
        }
    ]  # fmt: skip
    assert len(scene.made) == 2
    assert phases(scene.sink.events).count("started") == 2
    assert [len(source.opened) for _, source in scene.opened[:2]] == [1, 1]


def test_sources_come_and_go_and_what_stays_hears_no_gap(played):
    async def act(scene):
        await asyncio.sleep(10)
        await scene.change({"sources": ["b", "c"]})
        await asyncio.sleep(10)

    scene = played(two(), act)
    (answer,) = scene.answers
    assert (answer["added"], answer["removed"], answer["unchanged"]) == (["c"], ["a"], ["b"])
    events = scene.sink.events
    assert states(events, "a") == ["starting", "running", "stopped"]
    assert phases(events, "a")[-1] == "ended"
    assert states(events, "c") == ["starting", "running", "stopped"]
    assert states(events, "b") == ["starting", "running", "stopped"]
    assert phases(events, "b").count("started") == 1
    (b,) = [event for event in statuses(events, "stopped") if event.source == "b"]
    assert b.stream_s == pytest.approx(20, abs=0.6)
    assert (b.dropped_s, b.outage_s) == (0, 0)
    (a,) = [event for event in statuses(events, "stopped") if event.source == "a"]
    assert a.stream_s == pytest.approx(10, abs=0.6)


@pytest.mark.parametrize("own", [{"channel": 2}, {"title": "A"}, {"user_agent": "x"}])
def test_a_source_that_is_opened_otherwise_ends_and_begins_anew(played, own):
    async def act(scene):
        await asyncio.sleep(10)
        await scene.change({"sources": [source("a", **own), "b"]})
        await asyncio.sleep(10)

    scene = played(two(), act)
    (answer,) = scene.answers
    assert (answer["reopened"], answer["unchanged"]) == (["a"], ["b"])
    assert states(scene.sink.events, "a") == [
        "starting",
        "running",
        "stopped",
        "starting",
        "running",
        "stopped",
    ]
    assert states(scene.sink.events, "b") == ["starting", "running", "stopped"]
    # Never two of one name at a time.
    assert max(one.open_now for _, one in scene.opened) == 0


OTHER_MATCH = {"match": {"max_false_alarms_per_hour": 2.0}}


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        (two(**OTHER_MATCH), ["a", "b"]),
        ({"sources": [source("a", **OTHER_MATCH), "b"]}, ["a"]),
        ({"sources": [source("a", onsets={"announce": True}), "b"]}, ["a"]),
        (two(sounds_like=False), ["a", "b"]),
    ],
)
def test_a_source_that_is_listened_to_for_something_else_stays_open(played, now, changed):
    async def act(scene):
        await asyncio.sleep(10)
        await scene.change(now)
        await asyncio.sleep(10)

    scene = played(two(), act)
    (answer,) = scene.answers
    assert answer["changed"] == changed
    events = scene.sink.events
    for name in "ab":
        assert states(events, name) == ["starting", "running", "stopped"]
        # A match ends with the engine that it belongs to, and the next one finds it again.
        assert phases(events, name).count("started") == (2 if name in changed else 1)
        (end,) = [event for event in statuses(events, "stopped") if event.source == name]
        assert end.stream_s == pytest.approx(20, abs=0.6)
        assert end.outage_s == 0
    assert scene.report.audio_s == pytest.approx(40, abs=1.2)
    assert len(scene.made) == 2 + len(changed)


def test_a_silent_source_takes_up_its_other_engine_at_once(played):
    def script(name):
        return live(name, [*real_time(5), 40.0, *real_time(5), 3600.0])

    async def act(scene):
        await asyncio.sleep(10)
        await scene.change({"sources": ["a"], **OTHER_MATCH})
        await asyncio.sleep(1)
        assert phases(scene.sink.events) == [*["started"], *phases(scene.sink.events)[1:-1], "ended"]
        await asyncio.sleep(2)

    scene = played({"sources": ["a"]}, act, make_source=script)
    assert len(scene.made) == 2


def test_settings_that_need_a_restart_are_named_until_they_are_undone(played, caplog):
    caplog.set_level(logging.INFO, "stream_match.service.reload")

    async def act(scene):
        await asyncio.sleep(3)
        await scene.change(two(pace="fast", reconnect_max_seconds=5, sinks=["jsonl:-"]))
        await scene.change(two(pace="fast"))
        await scene.change(two())

    scene = played(two(), act)
    assert [answer["needs_restart"] for answer in scene.answers] == [
        ["pace", "sinks", "reconnect_max_seconds"],
        ["pace"],
        [],
    ]
    assert all(answer["unchanged"] == ["a", "b"] for answer in scene.answers)
    assert "these settings have changed and need a restart: pace, sinks" in caplog.text


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (UsageError("The settings 'x' are no valid TOML."), "The settings 'x' are no valid TOML."),
        (RuntimeError("odd\nlines"), "RuntimeError: odd lines"),
        ({"sources": ["a"], "nodes": 1}, "x: the key 'nodes' is not known; did you mean 'node'?"),
        ({"sources": []}, "There is nothing to listen to: give a source"),
        ({"sources": ["a", "a"]}, "Two sources are named 'a'"),
        ({"sources": ["c"], "index": "no/such"}, "there is no index in 'no/such'"),
        ({"sources": ["a"], "onsets": {"enabled": False}}, "There is nothing to listen for in 'a'"),
    ],
)
def test_settings_that_do_not_fit_change_nothing_and_are_one_sentence(played, now, told):
    async def act(scene):
        await asyncio.sleep(10)
        await scene.change(now)
        await asyncio.sleep(10)

    scene = played(two(), act)
    (answer,) = scene.answers
    assert answer.startswith(told)
    assert "\n" not in answer
    assert len(scene.made) == 2
    assert {event.source for event in scene.sink.events} == {"a", "b"}
    assert states(scene.sink.events, "a") == ["starting", "running", "stopped"]


def test_a_source_that_has_failed_is_tried_again_and_is_no_failure_then(played):
    broken = [SourceError("it never will", retry=False)]

    def script(name):
        return live(name, list(broken) if name == "a" else real_time(3600), real_time(3600))

    async def act(scene):
        await asyncio.sleep(5)
        broken[:] = real_time(3600)
        await scene.change(two())
        await asyncio.sleep(5)

    scene = played(two(), act, make_source=script)
    assert scene.answers[0]["reopened"] == ["a"]
    assert states(scene.sink.events, "a") == ["starting", "failed", "starting", "running", "stopped"]
    assert scene.report.failed == []


def test_a_source_that_fails_while_an_index_is_loaded_for_another_is_tried_again(played, tmp_path):
    """What is to be done has changed when all is made: all of it is carried out, or nothing."""
    failed, loading = asyncio.Event(), asyncio.Event()
    scripts = {"a": iter([[failed, SourceError("it never will", retry=False)]])}
    folder = Folder(tmp_path / "one")
    folder.put("toy")

    async def act(scene):
        aside = scene._reload._world.aside

        async def fails_meanwhile(work):
            result = await aside(work)
            if loading.is_set():
                failed.set()
                await asyncio.sleep(5)
            loading.set()  # the settings are read; an index follows
            return result

        scene._reload._world = replace(scene._reload._world, aside=fails_meanwhile)
        await asyncio.sleep(5)
        await scene.change({"sources": ["a", source("c", index=str(folder.path))]})
        await asyncio.sleep(5)

    def make(name):
        return live(name, next(scripts.get(name, iter(())), real_time(3600)))

    scene = played(two(), act, make_source=make, folders={str(folder.path): folder})
    (answer,) = scene.answers
    assert (answer["added"], answer["removed"], answer["reopened"]) == (["c"], ["b"], ["a"])
    assert states(scene.sink.events, "a") == ["starting", "failed", "starting", "running", "stopped"]
    assert states(scene.sink.events, "b")[-1] == "stopped"
    assert states(scene.sink.events, "c") == ["starting", "running", "stopped"]


def test_the_last_source_may_be_replaced_by_another(played):
    async def act(scene):
        await asyncio.sleep(5)
        await scene.change({"sources": ["b"]})
        await asyncio.sleep(5)

    scene = played({"sources": ["a"]}, act)
    assert states(scene.sink.events, "b") == ["starting", "running", "stopped"]


def test_a_source_that_goes_and_comes_back_at_once_waits_for_its_own_end(played):
    async def act(scene):
        await asyncio.sleep(5)
        await asyncio.gather(
            *(scene.change(now) for now in ({"sources": ["b"]}, two(), {"sources": ["b"]}, two()))
        )
        await asyncio.sleep(5)

    scene = played(two(), act)
    assert states(scene.sink.events, "a")[-1] == "stopped"
    assert statuses(scene.sink.events, "running")


def test_each_index_is_loaded_once_for_the_sources_that_have_it(played, tmp_path):
    folders = {name: Folder(tmp_path / name) for name in ("one", "two")}
    for folder in folders.values():
        folder.put("toy")
    indexes = {str(folder.path): folder for folder in folders.values()}
    first, second = indexes

    async def act(scene):
        await asyncio.sleep(5)
        answer = await scene.change({"index": first, "sources": ["a", source("b", index=second), "c"]})
        assert answer["changed"] == ["b"]
        assert answer["indexes"] == {
            first: {"tracks": 1, "refused": None}, second: {"tracks": 1, "refused": None},
        }  # fmt: skip
        assert (folders["one"].loads, folders["two"].loads) == (1, 1)
        await asyncio.sleep(5)
        folders["two"].put("toy", "new")
        folders["one"].damage()
        answer = await scene.change(scene.now)
        assert answer["unchanged"] == ["a", "b", "c"]
        assert answer["indexes"][second]["tracks"] == 2
        assert answer["indexes"][first]["refused"] == "a segment is missing"
        await asyncio.sleep(5)

    scene = played({"index": first, "sources": ["a", "b", "c"]}, act, folders=indexes)
    assert folders["two"].loads == 2  # once, and once more for the change, whoever noticed it
    assert not [fault for _, engine in scene.made for fault in engine.faults]
    last = scene.made[-1][1]
    assert [catalogue.tracks for _, catalogue in last.taken_up] == [("toy", "new")]


def test_a_stop_while_settings_are_read_ends_at_once(monkeypatch):
    async def work(world):
        async def never(_):
            await asyncio.sleep(1e6)

        scene = Scene(replace(world, aside=never))

        async def act(scene):
            await asyncio.sleep(5)
            changing = asyncio.create_task(scene.change({"sources": ["b"]}))
            await asyncio.sleep(1)
            scene.stop.set()
            assert "about to end" in await changing

        await scene.play({"sources": ["a"]}, act, monkeypatch)
        return asyncio.get_running_loop().time()

    assert run(work) == pytest.approx(6, abs=1)


def test_a_reload_after_the_end_is_refused(monkeypatch):
    async def work(world):
        scene = Scene(world, make_source=lambda name: ScriptedSource(name, [sound(1)]))

        async def act(scene):
            await asyncio.sleep(30)
            assert "about to end" in await scene.change({"sources": ["b"]})

        await scene.play({"sources": ["a"]}, act, monkeypatch)

    run(work)


def test_the_ends_of_tracks_are_known_to_the_next_engine(played):
    rests = []

    class Resting(ToyEngine):
        def rest(self, ended_s):
            rests.append(dict(ended_s))

    async def act(scene):
        await asyncio.sleep(10)
        await scene.change({"sources": ["a"], **OTHER_MATCH})
        await asyncio.sleep(5)

    played({"sources": ["a"]}, act, make_engine=Resting)
    assert rests == [{}, {"toy": 0.0}]  # it ended where the next engine begins


def test_the_control_room_has_the_sources_of_now_and_reloads(played, monkeypatch):
    controls = []
    original = Control.__init__

    def seen(control, *args):
        original(control, *args)
        controls.append(control)

    monkeypatch.setattr(Control, "__init__", seen)

    async def act(scene):
        (control,) = controls
        assert set(control.sources) == {"a", "b"}
        await asyncio.sleep(5)
        scene.now = {"sources": ["b", "c"]}
        assert (await control.reload())["added"] == ["c"]
        assert set(control.sources) == {"b", "c"}
        await asyncio.sleep(5)
        await control.pause("c")
        await asyncio.sleep(5)
        assert states(scene.sink.events, "c")[-1] == "paused"
        with pytest.raises(UsageError):
            await control.pause("a")
        scene.now = {"sources": ["b", source("c", **OTHER_MATCH)]}
        assert (await control.reload())["changed"] == ["c"]  # though it is paused
        await control.resume("c")
        await asyncio.sleep(5)
        assert states(scene.sink.events, "c")[-1] == "running"
        assert scene.made[-1][0].match.max_false_alarms_per_hour == 2.0

    played(two(), act)


OWN = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from([1, 2]),
        "match": st.sampled_from([{"min_seconds": 1}, {"min_seconds": 2}]),
        "onsets": st.sampled_from([{"announce": True}]),
    },
)
CHANGES = st.lists(
    st.tuples(st.floats(0.1, 4), st.dictionaries(st.sampled_from("abcd"), OWN, max_size=4)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(CHANGES)
def test_after_any_changes_exactly_what_is_wanted_is_heard(changes):
    with pytest.MonkeyPatch.context() as patch:

        async def work(world):
            scene = Scene(world)

            async def act(scene):
                for pause_s, wanted in changes:
                    await asyncio.sleep(pause_s)
                    before = {one["uri"]: one for one in scene.now["sources"]}
                    answer = await scene.change(
                        {"sources": [source(uri, **own) for uri, own in wanted.items()]}
                    )
                    if not wanted:
                        assert "nothing to listen to" in answer
                        continue
                    assert set(answer["added"]) == wanted.keys() - before.keys()
                    assert set(answer["removed"]) == before.keys() - wanted.keys()
                    same = {uri for uri in wanted if before.get(uri) == source(uri, **wanted[uri])}
                    assert same <= set(answer["unchanged"])
                await asyncio.sleep(5)
                running = {
                    name for name in {e.source for e in scene.sink.events}
                    if states(scene.sink.events, name)[-1] == "running"
                }  # fmt: skip
                assert running == {one["uri"] for one in scene.now["sources"]}
                assert sum(one.open_now for _, one in scene.opened) == len(running)
                for name in running:
                    wanted_s = scene.read().heard(next(s for s in scene.read().sources if s.uri == name))
                    assert wanted_s in [heard for heard, _ in scene.made]

            await scene.play({"sources": [source("a")]}, act, patch)
            check_sources(scene.sink.events)
            assert {states(scene.sink.events, e.source)[-1] for e in scene.sink.events} == {"stopped"}

        run(work)
