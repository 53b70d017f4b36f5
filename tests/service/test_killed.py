"""A listener that is killed: what the next one finds of it, and tells."""

import asyncio
import secrets
import shutil

import pytest
from publish.publish_samples import status
from service_fakes import EPOCH, hear, live, real_time, run
from store.store_samples import NOW, opened, row

from stream_match.offline.airplay.summaries import summaries
from stream_match.service import orphans
from stream_match.service.ledger import HEARD_EVERY_S
from stream_match.service.stamp import EventIds, utc
from stream_match.service.taking_up import take_up
from stream_match.store.event_store import Store
from stream_match.store.history import History
from stream_match.store.opening import FILE
from stream_match.store.rows import Batch

KITCHEN = ("attic", "kitchen")


class NothingHeard:
    """An engine that has nothing to say."""

    def feed(self, *_, **__):
        return []

    def flush(self):
        return []


def taken_up(folder):
    """Take up a store as the next process does; return what that tells."""
    store = Store(folder / FILE)
    try:
        store.open()
        before = store.last_seq()
        take_up(store, [], [], EventIds(lambda: NOW, secrets.randbits))
        return [one.event for one in store.after(before, 10_000)]
    finally:
        store.close()


def written(folder, *rows, heard=None):
    with opened(folder) as store:
        store.write(Batch(rows, heard=heard or {}))


def heard_for(tmp_path, seconds):
    """What stands in the state folder when a listener is killed after so many seconds."""
    state, left = tmp_path / "state", tmp_path / "left"
    stop = asyncio.Event()

    def kill():
        shutil.copytree(state, left)

    async def work(world):
        radio = live("radio", [*real_time(seconds), kill, stop.set, 1000.0])
        await hear(world, radio, pace="real", state=state, stop=stop, make_engine=NothingHeard)

    run(work)
    return left


@pytest.mark.parametrize("seconds", [3, 30, 44, 59, 100])
def test_the_report_of_the_day_has_what_was_heard_until_a_kill(tmp_path, seconds):
    left = heard_for(tmp_path, seconds)
    (stop,) = taken_up(left)
    assert (stop.state, stop.reason) == ("stopped", orphans.REASON)
    killed = EPOCH + seconds
    assert killed - HEARD_EVERY_S - 1 <= stop.time.timestamp() <= killed
    assert stop.stream_s == pytest.approx(stop.time.timestamp() - EPOCH, abs=0.01)
    with History(left) as history:
        heard_s = sum(day.heard_s for day in summaries(history, "day", now=utc(EPOCH + 600)))
    assert seconds - HEARD_EVERY_S - 1 <= heard_s <= seconds


def test_a_source_stops_with_the_last_that_is_known_of_it(tmp_path):
    """That is the latest of its state, its match, and what was heard; never a word about another source."""
    written(
        tmp_path,
        row(1, source="kitchen"), row(2, source="hall"), row(3, source="attic"), row(4, source="cellar"),
        row(5, "started", source="hall", match_id="h"), row(9, "updated", source="hall", match_id="h"),
        heard={
            KITCHEN: (NOW + 7.5, 7.25), ("attic", "hall"): (NOW + 8, 8.0), ("attic", "attic"): (NOW + 2, 2.0),
            ("cellar", "cellar"): (NOW + 50, 50.0),
        },
    )  # fmt: skip
    stops = {event.source: event for event in taken_up(tmp_path) if event.type == "status"}
    assert {name: (stop.time.timestamp() - NOW, stop.stream_s) for name, stop in stops.items()} == {
        "kitchen": (7.5, 7.25), "hall": (9.0, 9.0), "attic": (3.0, 3.0), "cellar": (4.0, 4.0),
    }  # fmt: skip
    assert stops["kitchen"].last_audio_at == stops["kitchen"].time
    assert stops["hall"].last_audio_at is None


def test_what_the_process_before_the_last_one_heard_is_told_of_nobody(tmp_path):
    """The clock was set back: its moment is later than all that came after it."""
    written(tmp_path, row(100), heard={KITCHEN: (NOW + 105, 105.0)})
    (stop,) = taken_up(tmp_path)
    assert stop.time.timestamp() == NOW + 105
    with opened(tmp_path) as store:
        store.write(Batch([row(store.last_seq() + 1, "status", state="starting")]))
    (stop,) = taken_up(tmp_path)
    assert stop.time.timestamp() < NOW + 105


def test_a_source_that_was_stopped_in_order_stays_as_it_is(tmp_path):
    written(tmp_path, row(1), row(2, state="stopped"), heard={KITCHEN: (NOW + 9, 9.0)})
    assert taken_up(tmp_path) == []


@pytest.mark.parametrize(
    "nonsense",
    [("soon", 1), (None, 1), (-5, 1), (1 << 60, 1), (1 << 62, 1 << 62), (1.5, 2), (b"1", 2), (10_000, "x")],
)
def test_a_moment_that_is_none_is_passed_over(tmp_path, nonsense):
    written(tmp_path, row(1))
    with opened(tmp_path) as store, store.changed() as writer:
        writer.execute("DROP TABLE heard")
        writer.execute("CREATE TABLE heard (node, source, time_ms, stream_ms)")
        writer.execute("INSERT INTO heard VALUES ('attic', 'kitchen', ?, ?)", nonsense)
    (stop,) = taken_up(tmp_path)
    assert stop.time == status(1).time
