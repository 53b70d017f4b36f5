"""The store beside a plain model, and what it makes of files that are none of its own."""

import shutil
import sqlite3
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_samples import KINDS, NOW, PHASES, opened, row, rows

from stream_match.errors import StoreError
from stream_match.events import WORTH, kind_of
from stream_match.store import opening
from stream_match.store.event_store import Store, is_damage
from stream_match.store.left_open import open_matches, open_sources
from stream_match.store.migrations import VERSION
from stream_match.store.opening import FILE, MOST_SET_ASIDE
from stream_match.store.retention import DAY_S, PORTION, Limits
from stream_match.store.rows import Batch
from stream_match.store.sounds import SoundShelf

DAYS, UPDATE_DAYS = 10.0, 2.0

SOUNDS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.just("C-1")), st.integers(1, 9)
)


class StoreMachine(RuleBasedStateMachine):
    """Drives a store beside lists and dicts that say what it should hold."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / FILE, Limits(DAYS, UPDATE_DAYS))
        self.store.open()
        self.rows = {}
        self.positions = {}
        self.sounds = {}
        self.memories = {}
        self.last = 0
        self.now = NOW

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(
        kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 4)), max_size=5),
        gap=st.integers(1, 3),
        place=st.none() | st.integers(0, 40),
        sounds=SOUNDS,
    )
    def write(self, kinds, gap, place, sounds):
        made = []
        for kind, match_number in kinds:
            self.last += gap
            changes = {"match_id": f"m{match_number}"} if kind in PHASES else {}
            made.append(row(self.last, kind, **changes))
        positions = {} if place is None else {"mqtt": place}
        self.store.write(Batch(made, positions, sounds))
        self.rows |= {one.seq: one for one in made}
        self.positions |= positions
        for key, count in sounds.items():
            self.sounds[key] = self.sounds.get(key, 0) + count

    @rule()
    def write_again(self):
        """What was written, but whose answer was lost, changes nothing."""
        self.store.write(Batch(list(self.rows.values())[-3:]))

    @rule()
    def fail(self):
        """A batch that cannot be written has no effect at all."""
        bad = [*rows(self.last + 1), row(self.last + 2)]
        object.__setattr__(bad[1], "payload", None)
        object.__setattr__(bad[1], "seq", "no number")
        with pytest.raises(StoreError):
            self.store.write(Batch(bad, {"mqtt": 99}, {(0, "a", "C-1"): 1}))

    @rule()
    def reopen(self):
        self.store.close()
        self.store.open()

    @rule(days=st.sampled_from([0.5, 3.0, 11.0]))
    def grow_old(self, days):
        self.now += days * DAY_S
        arrived = max(self.positions.values(), default=None)
        limit = (1 << 63) if arrived is None else arrived
        lost = 0
        while (pruned := self.store.prune(self.now, arrived)).more:
            lost += pruned.lost
        expected = 0
        for seq, one in list(self.rows.items()):
            age_days = (self.now - one.event.time.timestamp()) / DAY_S
            outdated = kind_of(one.event) == "updated" and seq <= limit and age_days > UPDATE_DAYS
            if age_days > DAYS or outdated:
                del self.rows[seq]
                expected += seq > limit
        assert lost == expected
        oldest = round((self.now - DAYS * DAY_S) * 1000) // 60_000
        self.sounds = {key: count for key, count in self.sounds.items() if key[0] >= oldest}

    @rule(source=st.sampled_from("ab"), memory=st.text(max_size=5), aside=st.booleans())
    def remember(self, source, memory, aside):
        shelf = SoundShelf(self.store, source)
        if aside:
            assert shelf.set_aside("a test") == (source in self.memories)
            self.memories.pop(source, None)
        else:
            shelf.write("P", memory.encode("utf-8", "ignore").decode())
            self.memories[source] = ("P", memory.encode("utf-8", "ignore").decode())

    @rule(seq=st.integers(0, 50), limit=st.integers(1, 7))
    def read(self, seq, limit):
        wanted = [one for number, one in sorted(self.rows.items()) if number > seq]
        assert self.store.after(seq, limit) == wanted[:limit]
        assert self.store.count_after(seq) == len(wanted)
        known = [number for number in self.rows if number <= seq]
        assert self.store.place_of(f"e{seq:06}") == max(known, default=0)

    @invariant()
    def holds_what_it_should(self):
        assert self.store.positions() == self.positions
        assert self.store.last_seq() == self.last
        assert self.store.last_event_id() == max((r.event.event_id for r in self.rows.values()), default=None)
        with self.store.read() as reader:
            counted = {tuple(key): n for *key, n in reader.execute("SELECT * FROM sound_counts")}
        assert counted == self.sounds
        assert {s: found for s in "ab" if (found := SoundShelf(self.store, s).read())} == self.memories

    @invariant()
    def knows_what_is_open(self):
        told = [one.event for _, one in sorted(self.rows.items())]
        matches = [e for e in told if e.type == "match"]
        begun = {e.match_id for e in matches if e.phase == "started"}
        over = {e.match_id for e in matches if e.phase == "ended"}
        last = {e.match_id: e for e in matches if e.match_id in begun - over}
        assert open_matches(self.store) == sorted(last.values(), key=lambda e: e.event_id)
        states = [e for e in told if e.type == "status"][-1:]
        assert open_sources(self.store) == states


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_a_state_that_has_ended_is_not_open(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch([row(1), row(2, source="hall"), row(3, state="failed"), row(4, "ended")]))
        assert [state.source for state in open_sources(store)] == ["hall"]


def test_numbers_are_not_given_twice_though_the_newest_rows_are_gone(tmp_path):
    with opened(tmp_path, Limits(days=1)) as store:
        store.write(Batch(rows(7, 9)))
        while store.prune(NOW + 2 * DAY_S, None).more:
            pass
        assert store.after(0, 10) == []
        assert store.last_seq() == 9


# The size


def filled(store, kinds):
    written = [
        row(number, kind, **({"match_id": f"m{number}"} if kind in PHASES else {}))
        for number, kind in enumerate(kinds, 1)
    ]
    store.write(Batch(written))
    return written


def pruned(store, delivered):
    lost = 0
    while (done := store.prune(NOW, delivered)).more:
        lost += done.lost
    return lost, [kind_of(one.event) for one in store.after(0, 1_000_000)]


def test_beyond_its_size_the_oldest_that_have_arrived_go_first(tmp_path):
    with opened(tmp_path, Limits(bytes=2_000_000)) as store:
        written = filled(store, [*["ended"] * 2000, *["status"] * 2000])
        lost, _ = pruned(store, written[-1].seq)
        left = store.after(0, 10_000)
        assert lost == 0
        assert 0 < len(left) < 4000
        assert left == written[-len(left) :]  # whatever they are worth


def test_beyond_its_size_what_has_not_arrived_goes_by_worth_and_never_an_end(tmp_path):
    with opened(tmp_path, Limits(bytes=500_000)) as store:
        written = filled(store, KINDS * 200)
        lost, left = pruned(store, written[0].seq - 1)
        assert lost == len(written) - len(left) > PORTION
        assert left.count("ended") == 200
        gone = [kind for kind in WORTH if kind in KINDS and not left.count(kind)]
        stored = [kind for kind in WORTH if kind in KINDS]
        assert gone == stored[: len(gone)]
        partly = [kind for kind in stored if 0 < left.count(kind) < 200]
        assert partly in ([], [stored[len(gone)]])


def counted(store, minutes, kinds=20):
    """Count sounds in so many minutes up to now."""
    last = int(NOW) // 60
    store.write(
        Batch(sounds={(last - n, "a", f"C-{kind}"): 1 for n in range(minutes) for kind in range(kinds)})
    )


def in_use(store):
    with store.read() as reader:
        pages, free, size = (
            reader.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def minutes_left(store):
    with store.read() as reader:
        return [minute for (minute,) in reader.execute("SELECT DISTINCT minute FROM sound_counts ORDER BY 1")]


def test_beyond_its_size_the_oldest_counts_go_with_the_oldest_events(tmp_path):
    with opened(tmp_path, Limits(bytes=1_500_000)) as store:
        last = int(NOW) // 60
        times = [datetime.fromtimestamp(NOW - 60 * age, UTC) for age in reversed(range(1000))]
        store.write(Batch([row(number, time=time) for number, time in enumerate(times, 1)]))
        counted(store, 3000)
        assert in_use(store) > 2_000_000
        lost, kinds = pruned(store, 1000)
        assert lost == 0
        assert in_use(store) <= 1_500_000
        assert len(kinds) > 300
        assert 0 < len(minutes_left(store)) <= len(kinds) + PORTION
        assert minutes_left(store)[-1] == last


def test_counts_go_before_an_event_that_has_not_arrived(tmp_path):
    with opened(tmp_path, Limits(bytes=500_000)) as store:
        filled(store, ["status"] * 200)
        counted(store, 1000)
        assert pruned(store, 0) == (0, ["status"] * 200)
        assert in_use(store) <= 500_000


def test_an_event_of_a_clock_that_was_ahead_takes_no_counts_with_it(tmp_path):
    with opened(tmp_path, Limits(bytes=1_500_000)) as store:
        ahead = row(1, time=datetime.fromtimestamp(NOW + 400 * DAY_S, UTC))
        made = [row(n, time=datetime.fromtimestamp(NOW - 60 * (2000 - n), UTC)) for n in range(2, 2000)]
        store.write(Batch([ahead, *made]))
        counted(store, 600)
        pruned(store, 2000)
        assert len(minutes_left(store)) > 300


def test_counts_that_are_too_old_go_in_portions(tmp_path):
    with opened(tmp_path, Limits(days=1)) as store:
        counted(store, 3000)
        before = len(minutes_left(store))
        assert store.prune(NOW, None).more
        assert before - 2 * PORTION / 20 <= len(minutes_left(store)) < before
        pruned(store, None)
        assert minutes_left(store) == list(range(int(NOW) // 60 - 1440, int(NOW) // 60 + 1))


def test_only_what_it_has_deleted_itself_is_forgotten(tmp_path):
    """Of what a damaged file had, nothing is known: clips of that time are no orphans."""
    with opened(tmp_path, Limits(days=1)) as store:
        store.write(Batch(rows(1, 2, 3)))
        assert store.prune(NOW + 100, None).more is False
        assert store.forgotten_before() is None
        assert store.prune(NOW + DAY_S + 3, None).events == 2
        assert store.forgotten_before() == NOW + 3
        store.begin_anew()
        store.write(Batch(rows(4)))
        assert store.forgotten_before() is None


def test_the_newest_time_is_that_of_most_states(tmp_path):
    with opened(tmp_path) as store:
        assert store.newest_time() is None
        store.write(Batch([row(1, "ended")]))
        assert store.newest_time() is None
        store.write(Batch(rows(*range(2, 302))))
        assert store.newest_time() == NOW + 301 - 3
        ahead = datetime.fromtimestamp(NOW + 400 * DAY_S, UTC)
        store.write(Batch([row(number, time=ahead) for number in (400, 401, 402)]))
        assert store.newest_time() == NOW + 301


def test_nothing_goes_while_there_is_room(tmp_path):
    with opened(tmp_path) as store:
        filled(store, KINDS * 10)
        assert pruned(store, None) == (0, list(KINDS * 10))


# Files that are none of its own, or not any more


def test_a_store_of_a_later_version_is_refused_and_left_as_it_is(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch(rows(1)))
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    store = Store(tmp_path / FILE)
    with pytest.raises(StoreError, match="update the program") as caught:
        store.open()
    assert caught.value.kind == "newer"
    assert not is_damage(caught.value)
    assert (tmp_path / FILE).read_bytes() == before


NO_STORES = {
    "no database": b"hello " * 1000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(5000),
}


@pytest.mark.parametrize("content", NO_STORES.values(), ids=NO_STORES)
def test_what_is_no_store_is_set_aside(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    store = Store(tmp_path / FILE)
    with pytest.raises(StoreError) as caught:
        store.open()
    assert is_damage(caught.value)
    assert store.begin_anew().read_bytes() == content
    store.write(Batch(rows(1)))
    store.close()


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_becomes_a_store(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with opened(tmp_path) as store:
        assert store.after(0, 1) == []


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE events (x)", "CREATE TABLE other (x); PRAGMA user_version = 1"]
)
def test_another_programs_database_is_no_store(tmp_path, statement):
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript(statement)
    connection.close()
    with pytest.raises(StoreError, match="no store of stream_match") as caught:
        Store(tmp_path / FILE).open()
    assert is_damage(caught.value)


def all_of(store):
    store.open()
    return store.after(0, 1000)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_store_is_damaged(tmp_path, share):
    with opened(tmp_path) as store:
        store.write(Batch(rows(*range(1, 200))))
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: round(len(content) * share)])
    store = Store(tmp_path / FILE)
    with pytest.raises(StoreError) as caught:
        all_of(store)
    assert is_damage(caught.value)
    store.begin_anew()
    assert store.after(0, 1000) == []
    store.close()


def test_a_disk_that_damages_again_and_again_is_not_filled(tmp_path):
    for _ in range(MOST_SET_ASIDE):
        (tmp_path / FILE).write_bytes(b"x" * 5000)
        store = Store(tmp_path / FILE)
        store.begin_anew()
        store.close()
    (tmp_path / FILE).write_bytes(b"x" * 5000)
    store = Store(tmp_path / FILE)
    with pytest.raises(StoreError, match="check its disk"):
        store.begin_anew()
    assert (tmp_path / FILE).exists()
    assert not store.begins_anew  # whoever writes on leaves it alone


def test_the_log_of_a_damaged_store_goes_with_it(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch(rows(1, 2, 3)))
        log = (tmp_path / f"{FILE}-wal").read_bytes()  # not yet in the file
        main = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(main)
    (tmp_path / f"{FILE}-wal").write_bytes(log)
    store = Store(tmp_path / FILE)
    aside = store.begin_anew()
    assert store.after(0, 10) == []
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == log
    store.close()


def test_another_programs_lock_is_told_and_passes(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_S", 0.01)
    with opened(tmp_path) as store:
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it") as caught:
            store.write(Batch(rows(1)))
        assert caught.value.kind == "locked"
        other.execute("ROLLBACK")
        other.close()
        store.write(Batch(rows(1)))
        assert store.after(0, 9) == rows(1)


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch(rows(1), {"mqtt": 1}))
        with store.changed() as writer:
            pages = writer.execute("PRAGMA page_count").fetchone()[0]
            writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full") as caught:
            store.write(Batch(rows(*range(2, 200)), {"mqtt": 200}))
        assert caught.value.kind == "full"
        assert (store.after(0, 9), store.positions()) == (rows(1), {"mqtt": 1})
        with store.changed() as writer:
            writer.execute("PRAGMA max_page_count = 1000000")
        store.write(Batch(rows(*range(2, 200))))
        assert store.count_after(0) == 199


def test_a_row_that_is_no_event_is_passed_over(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch(rows(1, 2, 3, 4)))
        with store.changed() as writer:
            writer.execute("UPDATE events SET payload = '{' WHERE seq < 4")
        assert store.after(0, 2) == rows(4)


def test_a_store_that_is_not_open_says_so(tmp_path):
    store = Store(tmp_path / FILE)
    for ask in (store.positions, lambda: store.write(Batch(rows(1)))):
        with pytest.raises(StoreError, match="not open"):
            ask()
    store.close()


def test_what_arrived_at_others_is_forgotten_with_them(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch((), {"a": 1, "b": 2, "c": 3}))
        store.keep_sinks(["b", "d"])
        assert store.positions() == {"b": 2}
        store.keep_sinks([])
        assert store.positions() == {}


def test_it_is_read_while_it_is_written_and_after_the_end(tmp_path):
    with opened(tmp_path) as store:
        store.write(Batch(rows(1)))
        reader = opening.connect_to_read(tmp_path / FILE)
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        store.write(Batch(rows(2)))
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM events")
        reader.close()
    reader = opening.connect_to_read(tmp_path / FILE)
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
    reader.close()


def test_threads_do_not_get_into_each_others_way(tmp_path):
    with opened(tmp_path) as store:
        faults = []

        def work(offset):
            try:
                for number in range(50):
                    store.write(Batch(rows(1 + offset + 4 * number)))
                    store.after(0, 10)
            except StoreError as error:
                faults.append(error)

        threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        assert [one.seq for one in store.after(0, 1000)] == list(range(1, 201))
