"""What was learnt of sounds: kept over losses, restarts and broken files."""

import asyncio
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from service_fakes import MemorySink, ScriptedSource, ToyEngine, hear, live, run, sound

from stream_match.capture.base import Block
from stream_match.capture.synth import drum_solo
from stream_match.config import ListenSettings, OnsetSettings
from stream_match.engine import Engine
from stream_match.errors import SourceError, UsageError
from stream_match.service import listen
from stream_match.service.claim import claimed
from stream_match.service.memory import ASIDE, IDS_AHEAD, MISSES, SoundMemory
from stream_match.service.states import FORGET_AFTER_BREAKS, KEEP_EVERY_S


def drums(seed=0, seconds=5):
    return Block(drum_solo(seconds * 22_050, np.random.default_rng(seed)))


def engine(**settings):
    return Engine(onsets=OnsetSettings(**settings))


async def listened(world, source, state, make_engine=engine, stop=None):
    from stream_match.service import World

    sink = MemorySink()
    world = World(
        **{name: getattr(world, name) for name in ("now", "monotonic", "sleep", "chance", "random_bits")},
        offload=world.offload,
        store=world.store,
        open_source=lambda _: source,
        open_sink=lambda *_, **__: sink,
    )
    settings = ListenSettings(
        node="attic", pace="fast", sources=[{"uri": source.name}], sinks=["memory:"], state=state
    )
    report = await listen(settings, make_engine, stop=stop, world=world)
    return report, sink.events


def of_type(events, kind):
    return [event for event in events if event.type == kind]


def test_identities_go_over_a_restart(tmp_path):
    tape = ScriptedSource("tape", [drums()])
    report, first = run(lambda world: listened(world, tape, tmp_path / "state"))
    _, second = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "state"))
    before = {event.cluster_id for event in of_type(first, "onset_cluster")}
    assert before == {event.cluster_id for event in of_type(second, "onset_cluster")}
    assert report.sounds == len(of_type(first, "onset_cluster")) > 10
    assert len(of_type(first, "cluster")) == len(before)
    assert not of_type(second, "cluster")
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"tape.clusters.json", ".tape.lock"}


def test_without_a_folder_a_run_has_identities_of_its_own():
    _, events = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), None))
    (prefix,) = {event.cluster_id.partition("-")[0] for event in of_type(events, "onset_cluster")}
    assert events[0].event_id[:8] == prefix[:8]  # the time at which it began


def test_identities_go_over_a_loss():
    stop = asyncio.Event()
    radio = live("radio", [drums(0), SourceError("gone", retry=True)], [drums(1), 5.0, stop.set, 5.0])
    _, events = run(lambda world: hear(world, radio, make_engine=engine, stop=stop))
    kinds = [event.cluster_id for event in of_type(events, "onset_cluster")]
    created = [event.cluster_id for event in of_type(events, "cluster") if event.change == "created"]
    assert len(kinds) > 20
    assert len(created) == len(set(created)) <= 5
    onsets = [event.onset_id for event in of_type(events, "onset_cluster")]
    assert len(onsets) == len(set(onsets))
    times = [event.onset_s for event in of_type(events, "onset_cluster")]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": 0}',
        '{"format": 1, "prefix": "", "memory": {}}',
        '{"format": 1, "memory": {}}',
        '{"format": 1, "prefix": "ABC", "memory": {}}',
        "[" * 100_000,
        "\udcff",
        '{"format": 1, "prefix": "A/+#", "memory": {}}',
    ],
)
def test_a_broken_file_is_kept_aside_with_one_sentence_and_the_daemon_goes_on(tmp_path, caplog, content):
    path = tmp_path / "tape.clusters.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with caplog.at_level(logging.WARNING):
        _, events = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert len(of_type(events, "onset_cluster")) > 10
    told = [message for message in caplog.messages if "cannot be used" in message]
    assert len(told) == 1
    assert ASIDE in told[0]
    assert Path(f"{path}{ASIDE}").read_bytes() == content.encode("utf-8", "surrogateescape")
    assert json.loads(path.read_text())["format"] == 1


def test_a_memory_of_other_features_is_kept_aside(tmp_path, caplog):
    _, first = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    stored = tmp_path / "tape.clusters.json"
    stored.write_text(stored.read_text().replace(first[1].event_id[:8], "OLD"))
    _, second = run(
        lambda world: listened(
            world, ScriptedSource("tape", [drums()]), tmp_path, lambda: engine(features="seed")
        )
    )
    assert any("made with features 'timbre'" in message for message in caplog.messages)
    assert not any(event.cluster_id.startswith("OLD") for event in of_type(second, "onset_cluster"))


def test_a_process_that_is_killed_gives_no_identity_twice(tmp_path):
    listener, path = engine(), tmp_path / "x.json"
    listener.feed(drums().y)
    memory = SoundMemory(path, "P")
    memory.take(listener, goes_on=True)
    created = [fact.cluster_id for fact in listener.feed(sound_of_glass()) if hasattr(fact, "change")]
    assert created  # and lost with the process
    after = engine()
    SoundMemory(path, "Q").give(after)
    heard = [fact.cluster_id for fact in after.feed(sound_of_glass()) if hasattr(fact, "change")]
    assert heard
    assert not set(heard) & set(created)


def sound_of_glass():
    """Something that is no drum."""
    t = np.arange(22_050) / 22_050
    y = np.where(t > 0.5, np.sin(2 * np.pi * 3000 * t) * np.exp(-(t - 0.5) / 0.1), 0)
    return (0.3 * y).astype(np.float32)


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "file" / "state"))


def test_an_engine_that_remembers_nothing_is_left_alone(tmp_path):
    memory = SoundMemory(tmp_path / "x.json", "P")
    memory.take(object())
    memory.give(object())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path, caplog, monkeypatch):
    memory = SoundMemory(tmp_path / "x.json", "P")
    listener = engine()
    memory.take(listener)
    good = (tmp_path / "x.json").read_bytes()

    monkeypatch.setattr("os.fsync", full)
    memory.take(listener)
    assert "No space left" in caplog.text
    assert (tmp_path / "x.json").read_bytes() == good
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def stored_next_id(path):
    return json.loads(path.read_text())["memory"]["kinds"]["next_id"]


def test_identities_are_reserved_before_the_first_is_told(tmp_path):
    path = tmp_path / "state" / "radio.clusters.json"
    stored = []
    stop = asyncio.Event()
    again = [lambda: stored.append(stored_next_id(path)), drums(1), 5.0, stop.set, 5.0]
    radio = live(
        "radio",
        [lambda: stored.append(stored_next_id(path)), drums(0), SourceError("gone", retry=True)],
        again,
    )
    _, events = run(lambda world: listened(world, radio, tmp_path / "state", stop=stop))
    created = [event for event in of_type(events, "cluster") if event.change == "created"]
    before = len([event for event in created if event.stream_s <= 5])
    assert stored == [IDS_AHEAD, before + IDS_AHEAD]  # and no more are left out within a process
    assert stored_next_id(path) == len(created)


def test_a_clean_end_leaves_no_identities_out(tmp_path):
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert stored_next_id(tmp_path / "tape.clusters.json") < 10


def full(*_):
    raise OSError(28, "No space left on device")


def test_where_nothing_can_be_reserved_identities_go_under_another_prefix(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    SoundMemory(path, "P").take(engine())
    memory = SoundMemory(path, "Q")
    assert memory.prefix == "P"
    monkeypatch.setattr("os.fsync", full)
    memory.take(engine(), goes_on=True)
    assert memory.prefix == "Q1"
    memory.take(engine(), goes_on=True)
    assert memory.prefix == "Q1"  # of which nothing was ever written


def test_a_disk_that_stays_full_does_not_outlast_what_was_reserved(tmp_path, monkeypatch):
    memory = SoundMemory(tmp_path / "x.json", "P")
    memory.take(engine(), goes_on=True)
    monkeypatch.setattr("os.fsync", full)
    for _ in range(MISSES):
        memory.take(engine(), goes_on=True)
    assert memory.prefix == "P"
    memory.take(engine(), goes_on=True)
    assert memory.prefix == "P1"
    monkeypatch.undo()
    memory.take(engine(), goes_on=True)
    assert SoundMemory(tmp_path / "x.json", "Q").prefix == "P1"


def test_what_was_reserved_lasts():
    most = OnsetSettings.model_fields["max_onsets_per_second"].metadata
    a_second = next(bound.le for bound in most if hasattr(bound, "le"))
    assert (MISSES + 1) * a_second * (KEEP_EVERY_S + 2) <= IDS_AHEAD


def test_two_listeners_do_not_share_a_state(tmp_path):
    with claimed(tmp_path, ["tape"]):
        with pytest.raises(UsageError, match="in use by another listener"):
            run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
        run(lambda world: listened(world, ScriptedSource("other", [drums()]), tmp_path))
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))


def test_a_folder_that_cannot_be_locked_is_told(tmp_path, caplog):
    (tmp_path / ".tape.lock").mkdir()
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert "cannot be told" in caplog.text
    assert (tmp_path / "tape.clusters.json").exists()


def test_what_killed_processes_left_is_cleared_away(tmp_path):
    for name in (".tape.clusters.json.abc123", ".other.clusters.json.abc123", "tape.clusters.json.set-aside"):
        (tmp_path / name).write_text("{")
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert not (tmp_path / ".tape.clusters.json.abc123").exists()
    assert (tmp_path / ".other.clusters.json.abc123").exists()
    assert (tmp_path / "tape.clusters.json.set-aside").exists()


def refuse(path, what, monkeypatch):
    own = getattr(Path, what)

    def refused(self, *args, **words):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return own(self, *args, **words)

    monkeypatch.setattr(Path, what, refused)


def test_a_file_that_cannot_be_read_is_kept(tmp_path, caplog, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("something")
    refuse(path, "read_text", monkeypatch)
    memory = SoundMemory(path, "P")
    memory.take(engine())
    assert "cannot be read (Permission denied); kept as x.json.set-aside," in caplog.text
    assert (tmp_path / "x.json.set-aside").read_text() == "something"
    assert path.exists()


def test_nothing_is_written_over_what_can_be_neither_read_nor_moved(tmp_path, caplog, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("something")
    refuse(path, "read_text", monkeypatch)
    refuse(path, "rename", monkeypatch)
    memory = SoundMemory(path, "P")
    memory.take(engine())
    assert "kept as" not in caplog.text
    assert "writing nothing" in caplog.text
    assert path.read_bytes() == b"something"


def test_what_was_set_aside_before_stays(tmp_path):
    path = tmp_path / "x.json"
    for content in ("first", "second", "third"):
        path.write_text(content)
        SoundMemory(path, "P")
    kept = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert kept == {
        "x.json.set-aside": "first", "x.json.set-aside-2": "second", "x.json.set-aside-3": "third",
    }  # fmt: skip


def test_what_is_no_file_is_not_read(tmp_path):
    path = tmp_path / "x.json"
    path.symlink_to("/dev/zero")
    SoundMemory(path, "P").take(engine())
    assert (tmp_path / "x.json.set-aside").is_symlink()
    assert SoundMemory(path, "Q").prefix == "P"


def test_a_flood_is_told_once_and_counted(caplog):
    tape = ScriptedSource("tape", [drums(0, 10), drums(1, 10), sound(1)])
    _, events = run(lambda world: hear(world, tape, make_engine=lambda: engine(max_onsets_per_second=0.5)))
    assert events[-1].onsets_suppressed > 20
    assert sum("max_onsets_per_second" in message for message in caplog.messages) == 1


class Remembers(ToyEngine):
    """An engine that breaks with what it is given to remember, if that is poisoned."""

    def __init__(self, error=None):
        super().__init__()
        self._error = error

    def memory(self, *, ids_ahead=0):
        if self._error is not None:
            raise self._error
        return json.dumps({"next": ids_ahead, "poison": 1})

    def remember(self, memory):
        self._breaks_at_s = 0.5 if json.loads(memory).get("poison") else None


def test_an_engine_that_cannot_tell_what_it_learnt_ends_nothing(tmp_path, caplog):
    memory = SoundMemory(tmp_path / "x.json", "P")
    memory.take(Remembers(), goes_on=True)
    memory.take(Remembers(ZeroDivisionError("broken")), goes_on=True)
    assert "is lost (ZeroDivisionError: broken)" in caplog.text
    given = []
    heir = Remembers()
    heir.remember = given.append
    memory.give(heir)
    assert json.loads(given[0])["next"] == IDS_AHEAD  # no identity is given twice


def test_what_breaks_every_engine_is_set_aside(tmp_path):
    SoundMemory(tmp_path / "radio.clusters.json", "P").take(Remembers())
    stop = asyncio.Event()
    radio = live("radio", [*[sound(1.0), 1.0] * 60, stop.set, 9.0])
    _, events = run(lambda world: listened(world, radio, tmp_path, Remembers, stop))
    assert (tmp_path / "radio.clusters.json.set-aside").exists()
    broke = [event for event in of_type(events, "status") if event.state == "reconnecting"]
    assert len(broke) == FORGET_AFTER_BREAKS
    assert SoundMemory(tmp_path / "radio.clusters.json", "Q").prefix != "P"
