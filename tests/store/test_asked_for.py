"""What people asked for, as the store keeps it: names, pauses, announcements; and stores from before that."""

import sqlite3

import pytest
from store_samples import cluster, match, opened, row, sound

from stream_match.errors import StoreError
from stream_match.events import to_json
from stream_match.store.announcements import AnnouncementShelf
from stream_match.store.migrations import APPLICATION_ID, MIGRATIONS, VERSION
from stream_match.store.names import NameShelf
from stream_match.store.opening import FILE
from stream_match.store.pauses import PauseShelf
from stream_match.store.rows import Batch, Row


def test_names_are_kept_changed_and_forgotten(tmp_path):
    first, second = ("hall", "cluster", "R-1"), ("hall", "track", "a/b")
    with opened(tmp_path) as store:
        NameShelf(store).write({first: "doorbell", second: "Jingle"})
        NameShelf(store).write({first: "bell 🔔", second: None})
    with opened(tmp_path) as store:
        assert NameShelf(store).read() == {first: "bell 🔔"}


def test_what_was_heard_is_known_by_counts_and_matches(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch([row(1, "started")], sounds={(1, "hall", "R-1"): 3}))
        shelf = NameShelf(store)
        assert shelf.was_heard("hall", "cluster", "R-1")
        assert not shelf.was_heard("kitchen", "cluster", "R-1")
        assert not shelf.was_heard("hall", "cluster", "R-2")
        assert shelf.was_heard("kitchen", "track", "a/b")
        assert not shelf.was_heard("hall", "track", "a/b")


def test_merges_are_read_from_what_was_told(tmp_path):
    told = [
        cluster(1, "merged", cluster_id="R-1", from_=("R-2",)),
        cluster(2, "created", cluster_id="R-3"),
        cluster(3, "merged", cluster_id="R-3", from_=("R-1", "R-4")),
        cluster(4, "merged", cluster_id="R-9", from_=("R-8",), source="hall"),
    ]
    with opened(tmp_path) as store:
        store.write(Batch([Row(n, event, to_json(event)) for n, event in enumerate(told, 1)]))
        assert NameShelf(store).merges("kitchen") == {"R-2": "R-1", "R-1": "R-3", "R-4": "R-3"}


def test_pauses_and_announcements_are_kept(tmp_path):
    with opened(tmp_path) as store:
        PauseShelf(store).keep("hall", paused=True)
        PauseShelf(store).keep("hall", paused=True)
        AnnouncementShelf(store).add([("homeassistant", "attic", "hall")])
        AnnouncementShelf(store).add([("homeassistant", "attic", "hall"), ("ha", "attic", "hall")])
    with opened(tmp_path) as store:
        assert PauseShelf(store).holds("hall")
        assert not PauseShelf(store).holds("kitchen")
        assert AnnouncementShelf(store).read() == {
            ("homeassistant", "attic", "hall"),
            ("ha", "attic", "hall"),
        }
        PauseShelf(store).keep("hall", paused=False)
        assert not PauseShelf(store).holds("hall")


def test_a_store_of_the_first_version_becomes_one_of_today(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    event = match(1, "started")
    connection.execute(
        "INSERT INTO events VALUES (1, ?, 'attic', 'kitchen', 'started', 'm1', 'a/b', 0, ?)",
        (event.event_id, to_json(event)),
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    with opened(tmp_path) as store:
        with store.read() as reader:
            assert reader.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert NameShelf(store).read() == {}
        assert [one.event for one in store.after(0, 10)] == [event]


def test_a_store_that_is_closed_says_so(tmp_path):
    with opened(tmp_path) as store:
        pass
    for ask in (
        NameShelf(store).read,
        lambda: NameShelf(store).write({("hall", "track", "x"): "y"}),
        lambda: PauseShelf(store).holds("hall"),
        lambda: AnnouncementShelf(store).add([]),
    ):
        with pytest.raises(StoreError, match="not open"):
            ask()


def test_an_event_with_a_name_is_read_as_one(tmp_path):
    event = sound(1, name="doorbell")
    with opened(tmp_path) as store:
        store.write(Batch([Row(1, event, to_json(event))]))
        assert store.after(0, 1)[0].event == event
