"""What outlives a damaged file: what people asked for, read from it or remembered."""

import sqlite3

import pytest
from store_samples import damage, opened, rows

from stream_match.errors import StoreError
from stream_match.store.announcements import AnnouncementShelf
from stream_match.store.carried_over import TABLES
from stream_match.store.event_store import Store, is_damage
from stream_match.store.names import NameShelf
from stream_match.store.opening import FILE
from stream_match.store.pauses import PauseShelf
from stream_match.store.rows import Batch
from stream_match.store.sounds import SoundShelf

BELL = ("hall", "cluster", "R-1")
HOUSE = ("homeassistant", "attic", "hall")


def asked_for(folder):
    """A store in which everything has been asked for, closed."""
    with opened(folder) as store:
        store.write(Batch(rows(*range(1, 300)), {"mqtt": 3}))
        PauseShelf(store).keep("bedroom", paused=True)
        NameShelf(store).write({BELL: "doorbell"})
        AnnouncementShelf(store).add([HOUSE])
        SoundShelf(store, "hall").write("P", "what was learnt")


def held(store):
    return (
        PauseShelf(store).holds("bedroom"), NameShelf(store).read(), AnnouncementShelf(store).read(),
        SoundShelf(store, "hall").read(),
    )  # fmt: skip


ALL = (True, {BELL: "doorbell"}, {HOUSE}, ("P", "what was learnt"))
NOTHING = (False, {}, set(), None)


def all_of(store):
    store.open()
    return store.after(0, 1000)


def begun_anew(folder):
    """Open the damaged store of a folder as a start does, and begin it anew."""
    store = Store(folder / FILE)
    with pytest.raises(StoreError) as caught:
        all_of(store)
    assert is_damage(caught.value)
    store.begin_anew()
    return store


def test_a_damaged_file_gives_what_can_be_read_of_it(tmp_path):
    asked_for(tmp_path)
    damage(tmp_path / FILE, "events")
    store = begun_anew(tmp_path)
    assert held(store) == ALL
    assert store.carried_over.take_lost() == ()
    assert (store.after(0, 9), store.positions()) == ([], {})
    store.close()
    with opened(tmp_path) as again:
        assert held(again) == ALL


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path, table):
    asked_for(tmp_path)
    for name in ("events", table.name):
        damage(tmp_path / FILE, name)
    store = begun_anew(tmp_path)
    assert store.carried_over.take_lost() == (table.holds,)
    assert store.carried_over.take_lost() == ()  # once
    pairs = zip(held(store), ALL, NOTHING, (one is table for one in TABLES), strict=True)
    assert all(found == (nothing if lost else there) for found, there, nothing, lost in pairs)
    store.close()


def test_a_file_that_is_none_gives_nothing_and_all_is_told(tmp_path):
    (tmp_path / FILE).write_bytes(b"hello " * 5000)
    store = begun_anew(tmp_path)
    assert held(store) == NOTHING
    assert len(store.carried_over.take_lost()) == len(TABLES)
    store.close()


def test_a_schema_that_is_no_text_is_damage(tmp_path):
    asked_for(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content.replace(b"CREATE TABLE pauses", b"CR\xe6ATE TABLE \xe6auses"[:19]))
    store = begun_anew(tmp_path)
    assert len(store.carried_over.take_lost()) == len(TABLES)
    store.close()


def test_tables_of_another_program_are_left_alone(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript("CREATE TABLE pauses (source); INSERT INTO pauses VALUES ('bedroom')")
    connection.close()
    store = begun_anew(tmp_path)
    assert not PauseShelf(store).holds("bedroom")
    store.close()


def test_a_cell_that_was_never_told_is_left_out(tmp_path):
    asked_for(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("INSERT INTO names VALUES ('hall', 'track', 'x', x'00')")
    connection.close()
    damage(tmp_path / FILE, "events")
    store = begun_anew(tmp_path)
    assert NameShelf(store).read() in ({}, {BELL: "doorbell"})
    assert store.carried_over.take_lost() == ("the names of clusters and tracks",)
    store.close()


def test_what_this_process_knows_is_there_whatever_the_file_says(tmp_path):
    asked_for(tmp_path)
    with opened(tmp_path) as store:
        assert held(store) == ALL
        PauseShelf(store).keep("hall", paused=True)
        NameShelf(store).write({BELL: None, ("hall", "track", "x"): "Jingle"})
        (tmp_path / FILE).write_bytes(b"\xff" * 9000)  # of which nothing can be read
        store.begin_anew()
        assert (PauseShelf(store).holds("bedroom"), PauseShelf(store).holds("hall")) == (True, True)
        assert NameShelf(store).read() == {("hall", "track", "x"): "Jingle"}
        assert AnnouncementShelf(store).read() == {HOUSE}
        # Of these, those of other sources may have been there.
        assert store.carried_over.take_lost() == ("which sources are paused", "what was learnt of sounds")
        PauseShelf(store).keep("bedroom", paused=False)
        store.begin_anew()  # of a sound file: what was taken back stays so
        assert not PauseShelf(store).holds("bedroom")
        assert NameShelf(store).read() == {("hall", "track", "x"): "Jingle"}


def test_a_change_that_could_not_be_written_holds_in_the_new_file(tmp_path):
    asked_for(tmp_path)
    damage(tmp_path / FILE, "pauses")
    with opened(tmp_path) as store:
        with pytest.raises(StoreError):
            PauseShelf(store).keep("hall", paused=True)
        store.begin_anew()
        assert PauseShelf(store).holds("hall")


def test_a_new_file_that_does_not_open_has_all_of_it_later(tmp_path, monkeypatch):
    asked_for(tmp_path)
    damage(tmp_path / FILE, "events")

    def full(_):
        raise sqlite3.OperationalError("database or disk is full")

    store = Store(tmp_path / FILE)
    monkeypatch.setattr("stream_match.store.event_store.migrate", full)
    with pytest.raises(StoreError, match="full"):
        store.begin_anew()
    assert store.begins_anew
    monkeypatch.undo()
    store.open()
    assert held(store) == ALL
    store.close()
