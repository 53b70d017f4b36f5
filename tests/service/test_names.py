"""What people call clusters and tracks: in the events from then on, over merges and restarts."""

import asyncio

import pytest
from asked import ClusterEngine, asked, merged, onset
from service_fakes import live, real_time, run

from stream_match.errors import StoreError
from stream_match.events import to_json
from stream_match.service import Powers
from stream_match.service.name_book import LONGEST_NAME, MOST_NAMES, NameBook
from stream_match.store.event_store import Store
from stream_match.store.history import History
from stream_match.store.names import NameShelf
from stream_match.store.opening import FILE


def mic():
    return live("mic", real_time(5000))


class Kitchen:
    """A microphone whose engine says what a test wants it to say."""

    def __init__(self, world, **more):
        self.facts = []
        self._world, self._more = world, more

    def asked(self, script):
        return asked(self._world, script, mic(), make_engine=lambda: ClusterEngine(self.facts), **self._more)

    async def say(self, *facts):
        self.facts += facts
        await asyncio.sleep(2.0)  # of virtual time: audio comes twice a second
        assert not self.facts


def last(sink, kind="onset_cluster"):
    return [event for event in sink.events if event.type == kind][-1]


def test_events_carry_the_name_from_then_on():
    async def work(world):
        kitchen = Kitchen(world)

        async def script(sink):
            await kitchen.say(onset("1"))
            before = last(sink)
            answer = await sink.ask("name", source="mic", cluster=before.cluster_id, name=" door\tbell ")
            assert answer["data"] == {
                "source": "mic", "cluster": before.cluster_id, "name": "door bell", "kept": False,
            }  # fmt: skip
            await kitchen.say(onset("1", 3), onset("2", 4))
            named, other = [event for event in sink.events if event.type == "onset_cluster"][-2:]
            assert (before.name, named.name, other.name) == (None, "door bell", None)
            # Absent, not null, where there is none.
            assert '"name"' not in to_json(other)
            await sink.ask("name", source="mic", cluster=before.cluster_id, name=None)
            await kitchen.say(onset("1", 5))
            assert last(sink).name is None
            return sink.told_again

        return await kitchen.asked(script)

    told_again, _, _ = run(work)
    assert told_again == 2


def test_what_is_left_of_merged_clusters_inherits_the_name():
    async def work(world):
        kitchen = Kitchen(world)

        async def script(sink):
            await kitchen.say(onset("1"), onset("2"), onset("3"))
            first, second, third = (e.cluster_id for e in sink.events if e.type == "onset_cluster")
            await sink.ask("name", source="mic", cluster=second, name="doorbell")
            await kitchen.say(merged("1", "2"))
            assert last(sink, "cluster").name == "doorbell"
            await kitchen.say(onset("1", 9))
            assert (last(sink).cluster_id, last(sink).name) == (first, "doorbell")
            # The id of before stands for the one that is left.
            answer = await sink.ask("name", source="mic", cluster=second, name="bell")
            assert answer["data"]["cluster"] == first
            # What has a name of its own keeps it.
            await sink.ask("name", source="mic", cluster=third, name="kettle")
            await kitchen.say(merged("1", "3"), onset("1", 10))
            assert last(sink).name == "bell"

        return await kitchen.asked(script)

    run(work)


def test_a_track_is_named_before_it_is_heard_if_the_index_has_it():
    async def script(sink):
        known = await sink.ask("name", source="mic", track="next", name="Jingle")
        return known, await sink.ask("name", source="mic", track="absent", name="Jingle")

    powers = Powers(has_track=lambda track: track == "next")
    (known, unknown), _, _ = run(lambda world: asked(world, script, mic(), powers=powers))
    assert known["data"]["track"] == "next"
    assert "never told of a track 'absent'" in unknown["error"]


def test_the_events_of_a_match_carry_the_name_of_its_track():
    async def script(sink):
        await sink.ask("name", source="mic", track="toy", name="Jingle")
        await asyncio.sleep(5)

    _, events, _ = run(lambda world: asked(world, script, mic()))
    names = [event.name for event in events if event.type == "match"]
    assert names[0] is None
    assert names[-1] == "Jingle"


def test_names_outlive_the_process_and_history_knows_them(tmp_path):
    async def first(world):
        kitchen = Kitchen(world, state=tmp_path)

        async def script(sink):
            await kitchen.say(onset("1"), onset("2"))
            one, two = (event.cluster_id for event in sink.events if event.type == "onset_cluster")
            assert (await sink.ask("name", source="mic", cluster=one, name="Türglocke 🔔"))["data"]["kept"]
            await kitchen.say(merged("2", "1"))
            return one, two

        return await kitchen.asked(script)

    async def second(world):
        async def script(sink):
            await asyncio.sleep(5)
            # What only an earlier process has heard may be named, too; its id may have become another's.
            cluster = (await sink.ask("name", source="mic", cluster=one, name="bell"))["data"]["cluster"]
            never = await sink.ask("name", source="mic", cluster="never", name="bell")
            await sink.ask("name", source="mic", track="toy", name="Jingle")
            return cluster, never

        return await asked(world, script, mic(), state=tmp_path)

    (one, two), _, _ = run(first)
    with Reading(tmp_path) as names:
        assert names == {("mic", "cluster", two): "Türglocke 🔔"}
    (cluster, never), _, _ = run(second)
    assert cluster == two
    assert "never told of" in never["error"]
    with Reading(tmp_path) as names:
        assert names == {("mic", "cluster", two): "bell", ("mic", "track", "toy"): "Jingle"}
    with History(tmp_path) as history:
        assert history.names() == {("mic", "cluster", two): "bell", ("mic", "track", "toy"): "Jingle"}
        assert {airing.name for airing in history.airings()} == {"Jingle"}


class Reading:
    """The names in a store that is closed again."""

    def __init__(self, folder):
        self._store = Store(folder / FILE)

    def __enter__(self):
        self._store.open()
        return NameShelf(self._store).read()

    def __exit__(self, *_):
        self._store.close()


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "a\x00b", "a\u202eb", "\ufdd0"])
def test_a_name_that_does_not_fit_is_refused(name):
    async def script(sink):
        return await sink.ask("name", source="mic", track="toy", name=name)

    answer, _, _ = run(lambda world: asked(world, script, mic()))
    assert answer["status"] == "error"
    assert "A name has up to 80 printable characters" in answer["error"]
    answer["error"].encode()


def test_there_are_only_so_many_names():
    async def script():
        book = NameBook(has_track=lambda _: True)
        for number in range(MOST_NAMES):
            await book.give("mic", f"name {number}", track=str(number))
        with pytest.raises(Exception, match="names already"):
            await book.give("mic", "one more", track="more")
        await book.give("mic", "another", track="1")
        await book.give("mic", None, track="2")
        await book.give("mic", "one more", track="more")

    asyncio.run(script())


class MoodyShelf:
    """A shelf that fails for as long as there is trouble."""

    def __init__(self):
        self.names = {("mic", "track", "old"): "Old"}
        self.trouble = StoreError("full", "The store is full.")

    def read(self):
        if self.trouble:
            raise self.trouble
        return dict(self.names)

    def write(self, changes):
        if self.trouble:
            raise self.trouble
        for key, name in changes.items():
            if name is None:
                self.names.pop(key, None)
            else:
                self.names[key] = name


def test_a_store_that_fails_is_written_later(caplog):
    async def work(world):
        shelf = MoodyShelf()
        book = NameBook(shelf, world, lambda _: True)
        await book.open()
        keeping = asyncio.create_task(book.run())
        given = await book.give("mic", "New", track="new")
        assert given["kept"] is False
        assert book.of("mic", "track", "new") == "New"
        await asyncio.sleep(60)
        shelf.trouble = None
        await asyncio.sleep(60)
        assert shelf.names == {("mic", "track", "old"): "Old", ("mic", "track", "new"): "New"}
        assert book.of("mic", "track", "old") == "Old"
        keeping.cancel()

    run(work)
    assert sum("not kept over restarts" in record.getMessage() for record in caplog.records) == 1


def test_no_chain_of_merges_goes_round_for_ever():
    from stream_match.service.name_book import _in_store

    class Round:
        def merges(self, _):
            return {"a": "b", "b": "a"}

        def was_heard(self, *_):
            return True

    assert _in_store(Round(), ("mic", "cluster", "a"))[2] in ("a", "b")
