"""What was learnt of sounds is written beside the hearing, whatever the disk does."""

import asyncio
import json
from dataclasses import replace

import pytest
from service_fakes import ToyEngine, live, run, sound, states
from test_memory import listened

from stream_match.config import HomeAssistantSettings
from stream_match.errors import StoreError
from stream_match.service.house import PATIENCE_S as HOUSE_PATIENCE_S
from stream_match.service.house import House
from stream_match.service.memory import IDS_AHEAD, MISSES, SoundMemory
from stream_match.service.memory_keeper import (
    END_PATIENCE_S,
    PATIENCE_S,
    RECALL_PATIENCE_S,
    MemoryKeeper,
    recalled,
)
from stream_match.service.pause import Pause
from stream_match.service.states import KEEP_EVERY_S
from stream_match.store.sounds import SoundShelf


class Disk:
    """Does at once what it is asked, or hangs until it is back."""

    def __init__(self):
        self.back = asyncio.Event()
        self.back.set()
        self.calls = 0

    async def aside(self, work):
        self.calls += 1
        await self.back.wait()
        return work()


class Shelf:
    """Keeps what is written in memory, all of it; writes may fail."""

    def __init__(self, found=None):
        self.found = found
        self.writes = []
        self.error = None

    def __str__(self):
        return "the shelf"

    def read(self):
        return self.found

    def write(self, prefix, memory):
        if self.error is not None:
            raise self.error
        self.writes.append((prefix, memory))

    def set_aside(self, why):
        self.writes.append(("aside", why))
        return True


class Counts(ToyEngine):
    """Learns how many pieces it has heard."""

    fed = 0

    def feed(self, y, **words):
        self.fed += 1
        super().feed(y, **words)
        return []

    def memory(self, *, ids_ahead=0):
        return str(self.fed + ids_ahead)

    def remember(self, memory):
        self.fed = int(memory)


def kept(shelf, work):
    """Do something with a keeper, its memory and its disk, in virtual time."""

    async def scene(world):
        disk = Disk()
        world = replace(world, aside=disk.aside)
        memory = SoundMemory(shelf, "P")
        keeper = MemoryKeeper("radio", memory, world, asyncio.Event())
        await work(keeper, memory, disk, world)
        await keeper.close()
        assert len(asyncio.all_tasks()) == 1

    run(scene)


def hand(keeper, memory, fed, *, goes_on=True):
    engine = Counts()
    engine.fed = fed
    assert memory.learn(engine, goes_on=goes_on)
    keeper.keep(memory.snapshot(goes_on=goes_on))


def test_what_is_handed_over_is_written():
    shelf = Shelf()

    async def work(keeper, memory, disk, world):
        hand(keeper, memory, 1)
        await keeper.settled()
        assert shelf.writes == [("P", str(1 + IDS_AHEAD))]
        hand(keeper, memory, 2, goes_on=False)

    kept(shelf, work)
    assert shelf.writes == [("P", str(1 + IDS_AHEAD)), ("P", "2")]


def test_of_what_waits_for_the_disk_the_newest_alone_is_written():
    shelf = Shelf()

    async def work(keeper, memory, disk, world):
        disk.back.clear()
        for fed in range(5):
            hand(keeper, memory, fed)
            await world.sleep(0.1)
        disk.back.set()

    kept(shelf, work)
    assert [int(text) - IDS_AHEAD for _, text in shelf.writes] == [0, 4]


def test_a_disk_that_does_not_answer_counts_as_one_that_fails(caplog):
    """Identities of which nothing could be reserved in time begin with another prefix."""
    shelf = Shelf(("OLD", "7"))

    async def work(keeper, memory, disk, world):
        disk.back.clear()
        begun = world.monotonic()
        hand(keeper, memory, 8)
        await keeper.settled()
        assert world.monotonic() - begun == PATIENCE_S
        assert memory.prefix == "P1"
        hand(keeper, memory, 9)
        await keeper.settled()  # it is known that the disk hangs: nobody waits for it again
        assert world.monotonic() - begun == PATIENCE_S
        disk.back.set()

    kept(shelf, work)
    assert [prefix for prefix, _ in shelf.writes] == ["OLD", "P1"]
    assert "the clusters of radio could not be kept: the shelf has not answered for 2 s" in caplog.text


@pytest.mark.parametrize("fails", [True, False])
def test_what_was_reserved_lasts_as_long_over_a_disk_that_hangs_as_over_one_that_fails(fails):
    shelf = Shelf()

    async def work(keeper, memory, disk, world):
        hand(keeper, memory, 0)
        await keeper.settled()
        if fails:
            shelf.error = StoreError("disk", "it fails")
        else:
            disk.back.clear()
        for number in range(MISSES + 1):
            assert memory.prefix == "P"
            hand(keeper, memory, number)
            await world.sleep(KEEP_EVERY_S)
        assert memory.prefix == "P1"
        shelf.error = None
        disk.back.set()

    kept(shelf, work)


def test_a_write_that_comes_late_covers_no_more_than_what_was_learnt_then():
    shelf = Shelf()

    async def work(keeper, memory, disk, world):
        hand(keeper, memory, 0)
        await keeper.settled()
        disk.back.clear()
        for number in range(MISSES):
            hand(keeper, memory, number)
            await world.sleep(KEEP_EVERY_S)
        disk.back.set()  # the first of them and the last one are written now
        await world.sleep(KEEP_EVERY_S)
        disk.back.clear()
        for number in range(MISSES):
            hand(keeper, memory, number)
            await world.sleep(KEEP_EVERY_S)
            assert memory.prefix == "P"
        hand(keeper, memory, MISSES)
        assert memory.prefix == "P1"
        disk.back.set()

    kept(shelf, work)


def test_a_stop_is_not_held_up():
    async def scene(world):
        disk = Disk()
        disk.back.clear()
        world = replace(world, aside=disk.aside)
        memory, stop = SoundMemory(Shelf(), "P"), asyncio.Event()
        keeper = MemoryKeeper("radio", memory, world, stop)
        hand(keeper, memory, 1)
        stop.set()
        await keeper.settled()
        assert world.monotonic() == 0
        await keeper.close()
        assert world.monotonic() == END_PATIENCE_S

    run(scene)


def test_what_cannot_be_recalled_in_time_is_begun_without_and_set_aside(caplog):
    shelf = Shelf(("OLD", "7"))

    async def scene(world):
        disk = Disk()
        disk.back.clear()
        world = replace(world, aside=disk.aside)
        memory = await recalled(shelf, "P", world)
        assert world.monotonic() == RECALL_PATIENCE_S
        assert memory.prefix == "P"
        disk.back.set()
        keeper = MemoryKeeper("radio", memory, world, asyncio.Event())
        hand(keeper, memory, 1)
        await keeper.close()

    run(scene)
    why = "the shelf has not answered for 5 s"
    assert f"cannot be read, beginning without: {why}" in caplog.text
    assert shelf.writes == [("aside", why), ("P", str(1 + IDS_AHEAD))]


def test_a_source_hears_all_while_the_disk_hangs_and_ends_in_time(tmp_path):
    """From before the second writing on, nothing that is asked of the disk has an answer."""
    stop, engines, ended = asyncio.Event(), [], []

    def make():
        engines.append(Counts())
        return engines[-1]

    async def scene(world):
        disk = Disk()
        heard = [sound(1.0), 1.0] * round(3 * KEEP_EVERY_S)
        script = [*[sound(1.0), 1.0] * 100, disk.back.clear, *heard, stop.set, 60.0]
        report, events = await listened(
            replace(world, aside=disk.aside), live("radio", script), tmp_path, make, stop
        )
        ended.append(world.monotonic() - 100 - 3 * KEEP_EVERY_S)
        return report, events

    report, events = run(scene)
    (engine,) = engines
    assert engine.fed == 100 + 3 * KEEP_EVERY_S
    assert report.dropped_s == 0
    assert states(events) == ["starting", "running", "stopped"]
    assert ended[0] < 10


def test_no_sound_is_told_before_identities_are_reserved(tmp_path, monkeypatch):
    """Of a disk that is slow, and within its patience."""
    stop, happened, real = asyncio.Event(), [], SoundShelf.write

    class Listens(Counts):
        def feed(self, y, **words):
            happened.append("heard")
            return super().feed(y, **words)

    def write(self, prefix, memory):
        real(self, prefix, memory)
        happened.append("reserved")

    async def scene(world):
        async def slowly(work):
            await asyncio.sleep(PATIENCE_S / 4)
            return work()

        radio = live("radio", [*[sound(0.5), 0.5] * 20, stop.set, 60.0])
        return await listened(replace(world, aside=slowly), radio, tmp_path, Listens, stop)

    monkeypatch.setattr(SoundShelf, "write", write)
    run(scene)
    assert happened[0] == "reserved"
    assert happened.count("heard") == 20


def test_a_pause_that_cannot_be_recalled_holds_up_no_source(tmp_path, monkeypatch, caplog):
    async def hang(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(Pause, "recall", hang)
    stop = asyncio.Event()
    radio = live("radio", [*[sound(0.5), 0.5] * 20, stop.set, 60.0])
    _, events = run(lambda world: listened(world, radio, tmp_path, Counts, stop))
    assert states(events) == ["starting", "running", "stopped"]
    assert "whether radio was paused cannot be told yet: it is listened to until then" in caplog.text


def test_a_house_that_cannot_be_remembered_holds_up_no_reload(caplog):
    class Announcements:
        def read(self):
            return set()

    async def scene(world):
        disk = Disk()
        disk.back.clear()
        house = House("attic", list, None, None, HomeAssistantSettings())
        await house.remember(Announcements(), replace(world, aside=disk.aside))
        assert world.monotonic() == HOUSE_PATIENCE_S

    run(scene)
    assert "the store has not answered for 5 s" in caplog.text


def test_what_breaks_an_engine_is_begun_without_and_no_disk_is_waited_for(caplog):
    shelf = Shelf(("OLD", json.dumps({})))
    memory = SoundMemory(shelf, "P")
    refusal = memory.give(Counts())
    assert refusal
    assert memory.prefix == "OLD"
    memory.begin_without(refusal)
    assert memory.prefix == "P"
    assert not shelf.writes
    assert "what was learnt of sounds cannot be used, beginning without" in caplog.text
