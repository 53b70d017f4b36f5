"""What was learnt of sounds: kept over losses, restarts and broken files."""

import asyncio
import contextlib
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
from stream_match.errors import SourceError, StoreError, StreamMatchError, UsageError
from stream_match.service import listen
from stream_match.service.claim import claimed
from stream_match.service.memory import IDS_AHEAD, MISSES, SoundMemory
from stream_match.service.states import FORGET_AFTER_BREAKS, KEEP_EVERY_S
from stream_match.store.event_store import Store
from stream_match.store.former_sounds import ASIDE
from stream_match.store.opening import FILE
from stream_match.store.sounds import KEPT_ASIDE, SoundShelf


def drums(seed=0, seconds=5):
    return Block(drum_solo(seconds * 22_050, np.random.default_rng(seed)))


def engine(**settings):
    return Engine(onsets=OnsetSettings(**settings))


async def listened(world, source, state, make_engine=engine, stop=None):
    from stream_match.service import World, always

    sink = MemorySink()
    world = World(
        **{name: getattr(world, name) for name in ("now", "monotonic", "sleep", "chance", "random_bits")},
        offload=world.offload,
        aside=world.aside,
        open_source=lambda _: source,
        open_sink=lambda *_, **__: sink,
    )
    settings = ListenSettings(
        node="attic", pace="fast", sources=[{"uri": source.name}], sinks=["memory:"], state=state
    )
    report = await listen(settings, always(make_engine), stop=stop, world=world)
    return report, sink.events


def of_type(events, kind):
    return [event for event in events if event.type == kind]


@pytest.fixture
def store(tmp_path):
    """An open store."""
    opened = Store(tmp_path / FILE)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def shelf(store):
    return SoundShelf(store, "x")


def take(memory, engine, *, goes_on=False):
    """Learn what an engine knows and write it down, as a listener does; return why that failed."""
    snapshot = memory.snapshot(goes_on=goes_on) if memory.learn(engine, goes_on=goes_on) else None
    if snapshot is None:
        return None
    try:
        snapshot.write()
    except StoreError as error:
        memory.missed(snapshot)
        return str(error)
    memory.written(snapshot)
    return None


def kept(folder, source="tape"):
    """Prefix and memory of a source after its listener has ended."""
    with contextlib.closing(Store(folder / FILE)) as store:
        store.open()
        return SoundShelf(store, source).read()


def former(folder, text, source="tape"):
    """A memory as it was kept before there was a store."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{source}.clusters.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def test_identities_go_over_a_restart(tmp_path):
    tape = ScriptedSource("tape", [drums()])
    report, first = run(lambda world: listened(world, tape, tmp_path / "state"))
    _, second = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "state"))
    before = {event.cluster_id for event in of_type(first, "onset_cluster")}
    assert before == {event.cluster_id for event in of_type(second, "onset_cluster")}
    assert report.sounds == len(of_type(first, "onset_cluster")) > 10
    assert len(of_type(first, "cluster")) == len(before)
    assert not of_type(second, "cluster")
    assert {path.name for path in (tmp_path / "state").iterdir()} == {FILE, ".lock"}


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
    path = former(tmp_path, content)
    with caplog.at_level(logging.WARNING):
        _, events = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert len(of_type(events, "onset_cluster")) > 10
    told = [message for message in caplog.messages if "cannot be used" in message]
    assert len(told) == 1
    (beside,) = tmp_path.glob("tape.clusters.json.*")  # set aside, or taken in if only an engine refuses it
    assert beside.read_bytes() == content.encode("utf-8", "surrogateescape")
    assert not path.exists()
    assert kept(tmp_path) is not None


def test_a_file_of_before_is_taken_in_once_and_renamed(tmp_path):
    _, first = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "new"))
    prefix, memory = kept(tmp_path / "new")
    path = former(tmp_path / "old", json.dumps({"format": 1, "prefix": prefix, "memory": json.loads(memory)}))
    _, second = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "old"))
    heard = [{event.cluster_id for event in of_type(events, "onset_cluster")} for events in (first, second)]
    assert heard[0] == heard[1]
    assert not path.exists()
    assert Path(f"{path}.imported").exists()
    # Were it there again, as of a backup, it would give identities that were given since.
    stale = former(tmp_path / "old", json.dumps({"format": 1, "prefix": "STALE", "memory": {}}))
    _, third = run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "old"))
    assert {event.cluster_id for event in of_type(third, "onset_cluster")} == heard[0]
    assert stale.exists()


def test_a_memory_of_other_features_is_kept_aside(tmp_path, caplog):
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    prefix, _ = kept(tmp_path)
    _, second = run(
        lambda world: listened(
            world, ScriptedSource("tape", [drums()]), tmp_path, lambda: engine(features="seed")
        )
    )
    assert any("made with features 'timbre'" in message for message in caplog.messages)
    assert not any(event.cluster_id.startswith(f"{prefix}-") for event in of_type(second, "onset_cluster"))


def test_a_process_that_is_killed_gives_no_identity_twice(shelf):
    listener = engine()
    listener.feed(drums().y)
    memory = SoundMemory(shelf, "P")
    take(memory, listener, goes_on=True)
    created = [fact.cluster_id for fact in listener.feed(sound_of_glass()) if hasattr(fact, "change")]
    assert created  # and lost with the process
    after = engine()
    SoundMemory(shelf, "Q").give(after)
    heard = [fact.cluster_id for fact in after.feed(sound_of_glass()) if hasattr(fact, "change")]
    assert heard
    assert not set(heard) & set(created)


def sound_of_glass():
    """Something that is no drum."""
    t = np.arange(22_050) / 22_050
    y = np.where(t > 0.5, np.sin(2 * np.pi * 3000 * t) * np.exp(-(t - 0.5) / 0.1), 0)
    return (0.3 * y).astype(np.float32)


def test_a_folder_that_cannot_be_made_is_worth_another_start(tmp_path):
    """Its disk may be mounted later: a service manager does not try again after a user's mistake."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamMatchError, match="cannot be made") as failed:
        run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path / "file" / "state"))
    assert not isinstance(failed.value, UsageError)


def test_an_engine_that_remembers_nothing_is_left_alone(shelf):
    memory = SoundMemory(shelf, "P")
    take(memory, object())
    memory.give(object())
    assert shelf.read() is None


def fill_disk(store):
    """Let the store not grow any more: SQLite says that the disk is full."""
    with store.changed() as writer:
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages}")


def large():
    """An engine whose memory fits on no full disk."""
    return Remembers(size=100_000)


def test_on_a_full_disk_nothing_is_lost(store, shelf):
    memory = SoundMemory(shelf, "P")
    take(memory, Remembers())
    good = shelf.read()
    fill_disk(store)
    assert "its disk is full" in take(memory, large())
    assert shelf.read() == good


def stored_next_id(folder, source="radio"):
    return json.loads(kept(folder, source)[1])["kinds"]["next_id"]


def test_identities_are_reserved_before_the_first_is_told(tmp_path):
    folder = tmp_path / "state"
    stored = []
    stop = asyncio.Event()
    look = [0.1, lambda: stored.append(stored_next_id(folder))]
    radio = live(
        "radio",
        [*look, drums(0), SourceError("gone", retry=True)],
        [*look, drums(1), 5.0, stop.set, 5.0],
    )
    _, events = run(lambda world: listened(world, radio, folder, stop=stop))
    created = [event for event in of_type(events, "cluster") if event.change == "created"]
    before = len([event for event in created if event.stream_s <= 5])
    assert stored == [IDS_AHEAD, before + IDS_AHEAD]  # and no more are left out within a process
    assert stored_next_id(folder) == len(created)


def test_a_clean_end_leaves_no_identities_out(tmp_path):
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert stored_next_id(tmp_path, "tape") < 10


def test_where_nothing_can_be_reserved_identities_go_under_another_prefix(store, shelf):
    take(SoundMemory(shelf, "P"), Remembers())
    memory = SoundMemory(shelf, "Q")
    assert memory.prefix == "P"
    fill_disk(store)
    take(memory, large(), goes_on=True)
    assert memory.prefix == "Q1"
    take(memory, large(), goes_on=True)
    assert memory.prefix == "Q1"  # of which nothing was ever written


def test_a_disk_that_stays_full_does_not_outlast_what_was_reserved(store, shelf):
    memory = SoundMemory(shelf, "P")
    take(memory, Remembers(), goes_on=True)
    fill_disk(store)
    for _ in range(MISSES):
        take(memory, large(), goes_on=True)
    assert memory.prefix == "P"
    take(memory, large(), goes_on=True)
    assert memory.prefix == "P1"
    with store.changed() as writer:
        writer.execute("PRAGMA max_page_count = 1000000")
    take(memory, large(), goes_on=True)
    assert SoundMemory(shelf, "Q").prefix == "P1"


def test_what_was_reserved_lasts():
    most = OnsetSettings.model_fields["max_onsets_per_second"].metadata
    a_second = next(bound.le for bound in most if hasattr(bound, "le"))
    assert (MISSES + 1) * a_second * (KEEP_EVERY_S + 2) <= IDS_AHEAD


def test_two_listeners_do_not_share_a_state(tmp_path):
    with claimed(tmp_path), pytest.raises(StreamMatchError, match="in use by another listener") as failed:
        run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert not isinstance(failed.value, UsageError)  # one that was killed may hold it for a while
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))


def test_a_folder_that_cannot_be_locked_is_told(tmp_path, caplog):
    (tmp_path / ".lock").mkdir()
    run(lambda world: listened(world, ScriptedSource("tape", [drums()]), tmp_path))
    assert "cannot be told" in caplog.text
    assert kept(tmp_path) is not None


def refuse(path, what, monkeypatch):
    own = getattr(Path, what)

    def refused(self, *args, **words):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return own(self, *args, **words)

    monkeypatch.setattr(Path, what, refused)


def test_a_file_of_before_that_cannot_be_read_is_kept(shelf, tmp_path, caplog, monkeypatch):
    path = former(tmp_path, "something", "x")
    refuse(path, "read_text", monkeypatch)
    memory = SoundMemory(shelf, "P")
    take(memory, engine())
    assert "it cannot be read (Permission denied)" in caplog.text
    assert Path(f"{path}{ASIDE}").read_text() == "something"
    assert shelf.read()[0] == "P"


def test_a_file_of_before_that_can_be_neither_read_nor_moved_stays_as_it_is(shelf, tmp_path, monkeypatch):
    path = former(tmp_path, "something", "x")
    refuse(path, "read_text", monkeypatch)
    refuse(path, "rename", monkeypatch)
    take(SoundMemory(shelf, "P"), engine())
    assert path.read_bytes() == b"something"
    assert SoundMemory(shelf, "Q").prefix == "P"


def test_files_that_were_set_aside_before_stay(shelf, tmp_path):
    for content in ("first", "second", "third"):
        former(tmp_path, content, "x")
        SoundMemory(shelf, "P")
    kept = {file.name: file.read_text() for file in tmp_path.glob("x.*")}
    assert kept == {
        f"x.clusters.json{ASIDE}": "first",
        f"x.clusters.json{ASIDE}-2": "second",
        f"x.clusters.json{ASIDE}-3": "third",
    }


def test_of_memories_that_were_set_aside_the_newest_stay(store, shelf):
    for number in range(KEPT_ASIDE + 2):
        shelf.write("P", str(number))
        assert shelf.set_aside("a test")
        assert shelf.read() is None
    with store.read() as reader:
        found = reader.execute("SELECT memory FROM sound_memories ORDER BY aside").fetchall()
    assert found == [(str(number),) for number in range(2, KEPT_ASIDE + 2)]


def test_what_is_no_file_is_not_read(shelf, tmp_path):
    path = tmp_path / "x.clusters.json"
    path.symlink_to("/dev/zero")
    take(SoundMemory(shelf, "P"), engine())
    assert (tmp_path / f"x.clusters.json{ASIDE}").is_symlink()
    assert SoundMemory(shelf, "Q").prefix == "P"


def test_what_could_not_be_read_at_the_start_is_not_written_over(store, shelf, caplog):
    take(SoundMemory(shelf, "P"), Remembers())
    store.close()
    memory = SoundMemory(shelf, "Q")
    assert "beginning without" in caplog.text
    assert memory.prefix == "Q"
    store.open()
    take(memory, Remembers(), goes_on=True)
    with store.read() as reader:
        found = reader.execute("SELECT prefix, aside FROM sound_memories ORDER BY aside").fetchall()
    assert found == [("Q", 0), ("P", 1)]


def test_a_flood_is_told_once_and_counted(caplog):
    tape = ScriptedSource("tape", [drums(0, 10), drums(1, 10), sound(1)])
    _, events = run(lambda world: hear(world, tape, make_engine=lambda: engine(max_onsets_per_second=0.5)))
    assert events[-1].onsets_suppressed > 20
    assert sum("max_onsets_per_second" in message for message in caplog.messages) == 1


class Remembers(ToyEngine):
    """An engine that breaks with what it is given to remember, if that is poisoned."""

    def __init__(self, error=None, size=0):
        super().__init__()
        self._error = error
        self._size = size

    def memory(self, *, ids_ahead=0):
        if self._error is not None:
            raise self._error
        return json.dumps({"next": ids_ahead, "poison": 1, "size": "x" * self._size})

    def remember(self, memory):
        self._breaks_at_s = 0.5 if json.loads(memory).get("poison") else None


def test_an_engine_that_cannot_tell_what_it_learnt_ends_nothing(shelf, caplog):
    memory = SoundMemory(shelf, "P")
    take(memory, Remembers(), goes_on=True)
    take(memory, Remembers(ZeroDivisionError("broken")), goes_on=True)
    assert "is lost (ZeroDivisionError: broken)" in caplog.text
    given = []
    heir = Remembers()
    heir.remember = given.append
    memory.give(heir)
    assert json.loads(given[0])["next"] == IDS_AHEAD  # no identity is given twice


def test_what_breaks_every_engine_is_set_aside(tmp_path):
    with contextlib.closing(Store(tmp_path / FILE)) as store:
        store.open()
        take(SoundMemory(SoundShelf(store, "radio"), "P"), Remembers())
    stop = asyncio.Event()
    radio = live("radio", [*[sound(1.0), 1.0] * 60, stop.set, 9.0])
    _, events = run(lambda world: listened(world, radio, tmp_path, Remembers, stop))
    broke = [event for event in of_type(events, "status") if event.state == "reconnecting"]
    assert len(broke) == FORGET_AFTER_BREAKS
    assert kept(tmp_path, "radio")[0] != "P"
