"""Events on their way through a store: whatever the store and the far sides do, in virtual time."""

import asyncio
import contextlib
import logging
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from publish.publish_samples import cluster, match, onset, sound, status
from service_fakes import EPOCH, run
from store.store_samples import MAKERS, row

from stream_match.errors import StoreError
from stream_match.events import WORTH, kind_of
from stream_match.publish.delivery import OutboxSink
from stream_match.publish.outbox import Outbox
from stream_match.publish.policy import AwayError
from stream_match.service import orphans
from stream_match.service.bus import Bus
from stream_match.service.journal import ROOM, Journal
from stream_match.service.ledger import POSITIONS_EVERY_S, SOUNDS_EVERY_S
from stream_match.service.pruning import PRUNE_EVERY_S
from stream_match.service.stamp import EventIds
from stream_match.service.store_health import LAST_RETRY_S, PATIENCE_S
from stream_match.service.stored_outbox import StoredOutbox
from stream_match.service.tail import RECENT, Tail
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.store.retention import Limits
from stream_match.store.rows import Batch

FAR_SIDE = "mqtt://far"
FULL = StoreError("full", "The store is full.")


class MoodyStore(Store):
    """A store that fails with `trouble` for as long as there is any."""

    def __init__(self, path):
        super().__init__(path)
        self.trouble = None

    @contextlib.contextmanager
    def changed(self):
        if self.trouble is not None:
            raise self.trouble
        with super().changed() as writer:
            yield writer

    @contextlib.contextmanager
    def read(self):
        if self.trouble is not None:
            raise self.trouble
        with super().read() as reader:
            yield reader

    def open(self):
        if self.trouble is not None:
            raise self.trouble
        super().open()


class FarSide(OutboxSink):
    """Keeps what arrives; takes nothing while it is away."""

    def __init__(self):
        super().__init__(FAR_SIDE)
        self.arrived = []
        self.away = False

    @property
    def far_side(self):
        return self.uri

    async def _open(self):
        pass

    async def _deliver(self):
        await self._drain()

    async def _send(self, event):
        if self.away:
            raise AwayError("away", "It is away.")
        self.arrived.append(event)


def ids(world):
    return EventIds(world.now, world.random_bits)


@contextlib.asynccontextmanager
async def listening(world, store, *sinks, graceful=True):
    """A bus with a journal and sinks; killed at the end unless it is graceful."""
    journal = Journal(store, ids(world), world)
    outboxes = await journal.open([sink.uri for sink in sinks])
    for sink, outbox in zip(sinks, outboxes, strict=True):
        sink.wait_in(outbox)
        await sink.__aenter__()
    try:
        yield Bus(sinks, journal)
    finally:
        if graceful:
            await journal.settled()
            for sink in sinks:
                await sink.__aexit__(None, None, None)
            await journal.close()
        else:
            for task in [*journal._tasks, *(sink._task for sink in sinks)]:
                task.cancel()
            with contextlib.suppress(StoreError):
                Store.close(store)


def given(store):
    """What the store holds."""
    with contextlib.closing(Store(store.path)) as reader:
        reader.open()
        return [one.event for one in reader.after(0, 10_000)]


@pytest.fixture
def store(tmp_path):
    return MoodyStore(tmp_path / FILE)


EVENTS = [
    status(1),
    match(2),
    sound(3),
    onset(4),
    cluster(5),
    sound(6),
    match(7, "updated"),
    match(8, "ended"),
]
STORED = [event for event in EVENTS if event.type not in ("onset", "onset_cluster")]


def test_events_go_through_the_store_in_order_with_sounds_among_them(store):
    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus:
            for event in EVENTS:
                await bus.publish(event)
        return far

    far = run(work)
    assert far.arrived == EVENTS
    assert (far.waiting, far.undelivered) == (0, 0)
    assert given(store) == STORED


def test_what_was_not_delivered_goes_out_at_the_next_start(store):
    async def work(world):
        first, second = FarSide(), FarSide()
        first.away = True
        async with listening(world, store, first, graceful=False) as bus:
            for event in EVENTS:
                await bus.publish(event)
            await asyncio.sleep(5)
        async with listening(world, store, second):
            await asyncio.sleep(5)
        return first, second

    first, second = run(work)
    assert first.arrived == []
    arrived = [event for event in second.arrived if event.event_id.startswith("e")]
    assert arrived == STORED  # and of the sounds the next ones come


def test_a_far_side_that_is_away_at_a_clean_end_leaves_nothing_undelivered(store, caplog):
    async def work(world):
        far = FarSide()
        far.away = True
        async with listening(world, store, far) as bus:
            await bus.publish(status(1))
            await bus.publish(sound(2))
        return far

    with caplog.at_level(logging.INFO):
        far = run(work)
    assert far.undelivered == 1  # the sound
    assert "1 events for mqtt://far wait in the store" in caplog.text


def test_a_new_far_side_begins_now_and_one_that_was_left_out_does_so_again(store):
    async def work(world):
        told = []
        for number, with_far in ((1, False), (2, True), (3, False), (4, True)):
            far = FarSide()
            async with listening(world, store, *([far] if with_far else [])) as bus:
                await bus.publish(status(number, state="stopped"))
            told.append([event.event_id for event in far.arrived])
        return told

    assert run(work) == [[], ["e000002"], [], ["e000004"]]


def test_a_far_side_that_never_answered_before_the_crash_is_no_new_one(store):
    async def work(world):
        first, second = FarSide(), FarSide()
        first.away = True
        async with listening(world, store, first, graceful=False) as bus:
            await bus.publish(status(1, state="stopped"))
            await asyncio.sleep(0.1)
        async with listening(world, store, second):
            await asyncio.sleep(1)
        return second.arrived

    assert run(work) == [status(1, state="stopped")]


def test_what_has_arrived_is_written_soon_and_not_sent_again(store):
    async def work(world):
        first, second = FarSide(), FarSide()
        async with listening(world, store, first, graceful=False) as bus:
            await bus.publish(status(1, state="stopped"))
            await asyncio.sleep(POSITIONS_EVERY_S + 0.5)
            await bus.publish(status(2, state="stopped"))
            await asyncio.sleep(0.1)
        async with listening(world, store, second):
            await asyncio.sleep(1)
        return first.arrived, second.arrived

    first, second = run(work)
    assert [event.event_id for event in first] == ["e000001", "e000002"]
    assert [event.event_id for event in second] in ([], ["e000002"])


def test_sounds_are_counted_by_minute_source_and_kind(store):
    async def work(world):
        async with listening(world, store, graceful=False) as bus:
            for number in (1, 2, 61):
                await bus.publish(sound(number))
            await bus.publish(onset(3))
            await bus.publish(sound(4, source="hall", cluster_id="RUN-4"))
            await asyncio.sleep(SOUNDS_EVERY_S + 1)

    run(work)
    minute = int(sound(0).time.timestamp()) // 60
    with contextlib.closing(Store(store.path)) as again:
        again.open()
        with again.read() as reader:
            counts = reader.execute("SELECT * FROM sound_counts ORDER BY minute, source").fetchall()
    assert counts == [
        (minute, "hall", "RUN-4", 1), (minute, "kitchen", "RUN-3", 2), (minute + 1, "kitchen", "RUN-3", 1),
    ]  # fmt: skip


def test_a_day_without_the_far_side_loses_nothing_and_fills_no_memory(store):
    count, burst = 12_000, 200  # more than an outbox in memory holds

    async def work(world):
        far = FarSide()
        far.away = True
        async with listening(world, store, far) as bus:
            for start in range(0, count, burst):
                for number in range(start, start + burst):
                    await bus.publish(match(number, "updated"))
                await asyncio.sleep(86_400 * burst / count)
                assert len(bus._journal._tail.rows) <= RECENT
            assert far.waiting == count
            far.away = False
            await asyncio.sleep(600)
        return far.arrived

    assert run(work) == [match(number, "updated") for number in range(count)]


def test_beyond_its_size_the_loss_is_counted_and_told_and_no_end_is_lost(store, caplog):
    store.limits = Limits(bytes=1_000_000)

    async def work(world):
        far = FarSide()
        far.away = True
        async with listening(world, store, far) as bus:
            for number in range(3000):
                await bus.publish(match(number, "updated" if number % 10 else "ended", match_id=f"m{number}"))
            await asyncio.sleep(2 * PRUNE_EVERY_S)
            assert far.waiting == 3000  # as far as it knows: what is gone shows when it is read
            far.away = False
            await asyncio.sleep(600)
            assert far.waiting == 0
        return far.arrived

    arrived = run(work)
    ended = [event for event in arrived if event.phase == "ended"]
    assert ended == [match(number, "ended", match_id=f"m{number}") for number in range(0, 3000, 10)]
    lost = 3000 - len(arrived)
    assert lost > 500
    told = [message for message in caplog.messages if "has reached its limit" in message]
    assert len(told) == 1


# The store fails


@pytest.mark.parametrize("kind", ["full", "locked", "newer", "disk", "readonly"])
def test_listening_goes_on_from_memory_and_is_written_later(store, caplog, kind):
    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus:
            await bus.publish(status(1))
            await asyncio.sleep(1)
            store.trouble = StoreError(kind, "The store is in trouble.")
            for number in range(2, 300):
                await bus.publish(status(number))
                await asyncio.sleep(1)
            during = [event.event_id for event in far.arrived]
            store.trouble = None
            await asyncio.sleep(LAST_RETRY_S)
            await bus.publish(status(300))
        return during, far.arrived

    with caplog.at_level(logging.INFO):
        during, arrived = run(work)
    assert during == [f"e{number:06}" for number in range(1, 300)]  # each at once
    assert arrived == given(store) == [status(number) for number in range(1, 301)]
    assert sum("is in trouble" in message for message in caplog.messages) == 1
    assert sum("is written again" in message for message in caplog.messages) == 1


def test_a_store_that_fails_at_the_start_is_taken_up_later_with_all_that_came(store):
    async def work(world):
        far = FarSide()
        store.trouble = FULL
        async with listening(world, store, far) as bus:
            await bus.publish(status(1))
            await asyncio.sleep(1)
            assert far.arrived == [status(1)]
            store.trouble = None
            await asyncio.sleep(LAST_RETRY_S)
            await bus.publish(status(2))
        return far.arrived

    assert run(work) == [status(1), status(2)]
    assert given(store) == [status(1), status(2)]


def test_what_an_earlier_process_left_goes_out_when_the_store_comes_late(store):
    async def work(world):
        first, second = FarSide(), FarSide()
        first.away = True
        async with listening(world, store, first, graceful=False) as bus:
            for event in (match(1), status(2), status(3, source="hall")):
                await bus.publish(event)
            await asyncio.sleep(1)
        store.trouble = FULL
        async with listening(world, store, second) as bus:
            await bus.publish(status(9))  # of the kitchen
            await asyncio.sleep(1)
            assert second.arrived == [status(9)]
            store.trouble = None
            await asyncio.sleep(LAST_RETRY_S)
        return second.arrived

    arrived = run(work)
    assert arrived[1:4] == [match(1), status(2), status(3, source="hall")]
    ended, stopped = arrived[4:6]
    assert (ended.phase, ended.reason) == ("ended", orphans.REASON)
    assert (stopped.source, stopped.state) == ("hall", "stopped")  # the kitchen goes on
    assert arrived[6:] == [status(9)]  # again: at least once


@pytest.mark.parametrize("early", [0, 3])
def test_a_clock_that_is_behind_the_store_keeps_nothing_from_being_stored(store, early):
    """Two processes begin without their store. The clock, from which they take numbers, was set back."""

    def told(numbers):
        return [status(number, state="stopped") for number in numbers]

    async def work(world):
        async def away(bus, events):
            await publish(bus, events)
            store.trouble = None
            await asyncio.sleep(LAST_RETRY_S)

        async def publish(bus, events):
            for event in events:
                await bus.publish(event)
                await asyncio.sleep(1)

        known, away_one, second, third = FarSide(), FarSide(), FarSide(), FarSide()
        async with listening(world, store, known):
            pass  # from here on what is told is for the far side
        store.trouble, away_one.away = FULL, True
        async with listening(world, store, away_one, graceful=False) as bus:
            await away(bus, told(range(5)))
        store.trouble = FULL
        earlier = replace(world, now=lambda: EPOCH - 1000)
        async with listening(earlier, store, second) as bus, bus.subscribed() as events:
            await away(bus, told(range(10, 10 + early)))
            await publish(bus, told(range(20, 20 + RECENT + 9)))
            heard = await first(events, early + RECENT + 9)
        async with listening(world, store, third) as bus, bus.subscribed(after="e000020") as events:
            await publish(bus, told([9999]))
            resumed = await first(events, RECENT + 9)
        return heard, second.arrived, third.arrived, resumed

    heard, arrived, later, resumed = run(work)
    new = [*told(range(10, 10 + early)), *told(range(20, 20 + RECENT + 9))]
    assert given(store) == [*told(range(5)), *new, *told([9999])]
    assert heard == new
    left = [event for event in arrived if event in told(range(5))]
    assert left == told(range(5))  # what the first one left, too
    assert [event for event in arrived if event not in left][-len(new) :] == new
    assert later == told([9999])  # where the second one ended
    assert resumed == [*told(range(21, 20 + RECENT + 9)), *told([9999])]


def test_a_store_of_shifted_numbers_is_the_same_store(store):
    store.open()
    store.write(Batch([row(number) for number in range(1, 4)], {"far": 2}))
    store.shift = 1000
    assert (store.last_seq(), store.positions()) == (-997, {"far": -998})
    store.write(Batch([replace(row(4), seq=-996)], {"far": -996}))
    assert [one.seq for one in store.after(-998, 9)] == [-997, -996]
    assert (store.count_after(-998), store.place_of("e000003"), store.place_of("e")) == (2, -997, -1000)
    while store.prune(EPOCH * 2, -997).more:
        pass
    store.shift = 0
    assert (store.after(0, 9), store.last_seq(), store.positions()) == ([], 4, {"far": 4})
    store.close()


def test_a_damaged_store_is_set_aside_and_what_is_remembered_written_anew(store, tmp_path, caplog):
    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus:
            for event in EVENTS[:5]:
                await bus.publish(event)
            await asyncio.sleep(3)
            store.trouble = StoreError("damaged", "The store is damaged.")
            await bus.publish(EVENTS[5])
            await bus.publish(EVENTS[6])
            begin_anew = store.begin_anew

            def healed():
                store.trouble = None
                return begin_anew()

            store.begin_anew = healed
            await asyncio.sleep(3)
            await bus.publish(EVENTS[7])
        return far.arrived

    assert run(work) == EVENTS
    assert given(store) == STORED
    assert (tmp_path / f"{FILE}.set-aside").exists()
    assert sum("a new one begins" in message for message in caplog.messages) == 1


def test_a_store_that_cannot_begin_anew_at_once_does_so_later(store, caplog):
    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus:
            await bus.publish(status(1))
            await asyncio.sleep(3)
            store.trouble = StoreError("damaged", "The store is damaged.")
            begin_anew, opened = store.begin_anew, store.open

            def full():
                raise FULL

            def halfway():
                store.trouble, store.open = None, full
                return begin_anew()

            store.begin_anew = halfway
            await bus.publish(status(2))
            await asyncio.sleep(10)
            assert far.arrived == [status(1), status(2)]
            store.open = opened
            await asyncio.sleep(LAST_RETRY_S)
            await bus.publish(status(3))
        return far.arrived

    assert run(work) == given(store) == [status(number) for number in (1, 2, 3)]


def test_damage_that_only_a_reader_meets_is_healed_and_the_loss_told(store, caplog):
    async def work(world):
        first, second = FarSide(), FarSide()
        first.away = True
        async with listening(world, store, first, graceful=False) as bus:
            for number in range(1, 6):
                await bus.publish(status(number, "stopped"))
            await asyncio.sleep(2)

        def unreadable(*_):
            raise StoreError("damaged", "The store is damaged.")

        begin_anew, store.after = store.begin_anew, unreadable

        def healed():
            del store.after
            return begin_anew()

        store.begin_anew = healed
        async with listening(world, store, second) as bus:
            await bus.publish(status(6, "stopped"))
            await asyncio.sleep(10)
        return second.arrived

    assert run(work) == [status(6, "stopped")]
    assert given(store) == [status(6, "stopped")]
    assert "Events lost with it that had not arrived: 5." in caplog.text


def test_a_store_that_is_no_store_from_the_start_is_set_aside(store, caplog):
    store.path.write_bytes(b"nonsense" * 1000)

    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus:
            await bus.publish(status(1))
        return far.arrived

    assert run(work) == [status(1)]
    assert given(store) == [status(1)]
    assert "it is no database" in caplog.text


def hanging(world, answers):
    """A world whose disk answers while `answers` is set."""

    async def aside(work):
        await answers.wait()
        return work()

    return replace(world, aside=aside)


def test_a_disk_that_hangs_holds_up_nothing(store, caplog):
    async def work(world):
        answers, far = asyncio.Event(), FarSide()
        answers.set()
        async with listening(hanging(world, answers), store, far) as bus:
            await bus.publish(status(1))
            await asyncio.sleep(3)
            answers.clear()
            await bus.publish(status(2))
            await asyncio.sleep(PATIENCE_S + 0.1)
            assert far.arrived == [status(1), status(2)]
            for number in range(3, 30):
                await bus.publish(status(number))
                await asyncio.sleep(0.1)
                assert far.arrived[-1] == status(number)
            answers.set()
            await asyncio.sleep(5)
        return far.arrived

    assert run(work) == given(store) == [status(number) for number in range(1, 30)]
    assert sum("has not answered for 2 s" in message for message in caplog.messages) == 1


def test_events_that_come_faster_than_a_disk_writes_wait_for_it_and_for_no_longer_than_others(store, caplog):
    async def work(world):
        answers, far, waited = asyncio.Event(), FarSide(), []
        answers.set()
        async with listening(hanging(world, answers), store, far) as bus:
            answers.clear()
            for number in range(ROOM + 2):
                begun = world.monotonic()
                await bus.publish(match(number, "updated"))
                waited.append(world.monotonic() - begun)
            answers.set()
        return far.arrived, waited

    arrived, waited = run(work)
    assert max(waited[:ROOM]) == 0
    assert 0 < waited[ROOM] <= PATIENCE_S
    assert waited[ROOM + 1] == 0  # the store counts as away: memory has room for more
    assert arrived == given(store)[: len(arrived)] == [match(number, "updated") for number in range(ROOM + 2)]
    assert "not stored" not in caplog.text


def test_a_disk_that_hangs_from_start_to_end_keeps_nothing_from_beginning_and_ending(store):
    async def work(world):
        far = FarSide()
        begun = world.monotonic()
        async with listening(hanging(world, asyncio.Event()), store, far) as bus:
            await bus.publish(status(1))
        return far, world.monotonic() - begun

    far, took_s = run(work)
    assert far.arrived == [status(1)]
    assert far.undelivered == 0
    assert took_s < 10


# Who hears it


async def first(events, count):
    return [await anext(events) for _ in range(count)]


def test_a_subscriber_hears_what_comes_and_nothing_of_before(store):
    async def work(world):
        async with listening(world, store) as bus:
            await bus.publish(status(1))
            await asyncio.sleep(1)
            async with bus.subscribed() as events:
                for event in EVENTS[1:]:
                    await bus.publish(event)
                return await first(events, len(EVENTS) - 1)

    assert run(work) == EVENTS[1:]


@pytest.mark.parametrize("after", [None, *range(9)])
@pytest.mark.parametrize("restart", [False, True])
def test_a_late_subscriber_hears_what_followed_an_event(store, after, restart):
    async def work(world):
        async with listening(world, store, graceful=not restart) as bus:
            for event in [*EVENTS, status(9, "stopped")]:
                await bus.publish(event)
            await asyncio.sleep(1)
            if not restart:
                return await late(bus)
        async with listening(world, store) as bus:
            return await late(bus)

    async def late(bus):
        async with bus.subscribed(after=None if after is None else f"e{after:06}") as events:
            await bus.publish(status(99))
            heard = [await anext(events)]
            while heard[-1] != status(99):
                heard.append(await anext(events))
            return heard

    told = [*STORED, status(9, "stopped"), status(99)]
    assert run(work) == told[-1:] if after is None else [e for e in told if e.event_id > f"e{after:06}"]


def test_a_subscriber_who_never_reads_costs_others_nothing_and_misses_no_match(store):
    async def work(world):
        far = FarSide()
        async with listening(world, store, far) as bus, bus.subscribed(capacity=10) as events:
            for number in range(1, 1001):
                await bus.publish(sound(2 * number))
                await bus.publish(match(2 * number + 1, "updated"))
            await asyncio.sleep(5)
            assert len(far.arrived) == 2000
            return await first(events, 1010)

    heard = run(work)
    assert [event for event in heard if event.type == "match"] == [
        match(2 * n + 1, "updated") for n in range(1, 1001)
    ]
    assert sum(event.type == "onset_cluster" for event in heard) == 10


def test_without_a_store_a_subscriber_hears_what_is_new():
    async def work(world):
        bus = Bus([])
        async with bus.subscribed(after="e000000", capacity=4) as events:
            for event in EVENTS:
                await bus.publish(event)
            return await first(events, 4)

    assert run(work) == [status(1), match(2), cluster(5), match(8, "ended")]


# What waits: the outbox in memory and the one in the store, beside a plain list


class Waiting(RuleBasedStateMachine):
    """Drives an outbox that has room for all beside a list; its subclass makes it."""

    @initialize()
    def begin(self):
        self.loop = asyncio.new_event_loop()
        self.model, self.number, self.under_way = [], 0, None
        self.make()

    def teardown(self):
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(kind=st.sampled_from([*MAKERS, "started", "ended", "sound"]))
    def put(self, kind):
        self.number += 1
        event = sound(self.number) if kind == "sound" else row(self.number, kind).event
        self.told(event)
        assert self.outbox.put(event) is None
        self.model.append(event)

    @rule()
    def fill(self):
        self.loop.run_until_complete(self.outbox.fill())
        assert self.outbox.head() == (self.model[0] if self.model else None)
        self.under_way = self.outbox.head()

    @precondition(lambda self: self.under_way is not None)
    @rule()
    def pop(self):
        assert self.outbox.head() is self.under_way
        self.outbox.pop()
        assert self.model.pop(0) is self.under_way
        self.under_way = None

    @invariant()
    def counts(self):
        if hasattr(self, "outbox"):
            assert len(self.outbox) == len(self.model)


class MemoryWaiting(Waiting):
    def make(self):
        self.outbox = Outbox()

    def told(self, event):
        pass


class StoredWaiting(Waiting):
    def make(self):
        self.tail, self.all, self.arrived = Tail(recent=3), [], []

        async def read(seq, limit):
            return [one for one in self.all if one.seq > seq][: min(limit, 4)]

        self.outbox = StoredOutbox(read, lambda _, seq: self.arrived.append(seq), self.tail, name="far")

    def told(self, event):
        if event.type != "onset_cluster":
            made = row(self.number, kind_of(event)) if kind_of(event) != "sound" else None
            made = replace(made, event=event)
            self.tail.add(made)
            self.all.append(made)

    @invariant()
    def tells_what_arrived(self):
        if hasattr(self, "arrived"):
            waiting = {event.event_id for event in self.model}
            assert self.arrived == [one.seq for one in self.all if one.event.event_id not in waiting]


TestMemoryWaiting = MemoryWaiting.TestCase
TestStoredWaiting = StoredWaiting.TestCase
TestMemoryWaiting.settings = TestStoredWaiting.settings = settings(max_examples=50, deadline=None)


class TailMachine(RuleBasedStateMachine):
    """Drives the tail beside lists of what is known and what is written."""

    RECENT, UNSAVED = 3, 5

    def __init__(self):
        super().__init__()
        self.tail = Tail(self.RECENT, self.UNSAVED)
        self.known, self.unsaved, self.number, self.handed = [], [], 0, 0

    @rule(kind=st.sampled_from([*MAKERS, "started", "updated", "ended"]))
    def add(self, kind):
        self.number += 1
        made = row(self.number, kind)
        given_up = self.tail.add(made)
        self.known.append(made)
        self.unsaved.append(made)
        expected = None
        if len(self.unsaved) > self.UNSAVED:
            cheap = [one for one in self.unsaved if kind_of(one.event) in WORTH]
            expected = min(cheap, key=lambda one: WORTH.index(kind_of(one.event)), default=None)
        assert given_up is expected
        if expected is not None:
            self.known.remove(expected)
            self.unsaved.remove(expected)

    @rule(most=st.integers(0, 4))
    def save(self, most):
        rows = self.tail.portion(most)
        assert rows == self.unsaved[:most]
        self.tail.saved(rows, self.handed)
        del self.unsaved[:most]
        while len(self.known) > self.RECENT and self.known[0].seq <= self.handed:
            if self.known[0] in self.unsaved:
                break
            assert self.tail.begin >= self.known.pop(0).seq

    @rule()
    def hand_out(self):
        self.handed = self.number

    @rule()
    def begin_anew(self):
        self.tail.write_again()
        self.unsaved = list(self.known)

    @rule(seq=st.integers(0, 30), limit=st.integers(1, 5), up_to=st.integers(0, 30))
    def read(self, seq, limit, up_to):
        wanted = [one for one in self.known if seq < one.seq <= up_to]
        assert self.tail.after(seq, limit, up_to=up_to) == wanted[:limit]
        assert self.tail.unsaved_after(seq) == sum(one.seq > seq for one in self.unsaved)
        before = [one.seq for one in self.known if one.seq <= seq]
        assert self.tail.place_of(f"e{seq:06}") == max(before, default=None)

    @invariant()
    def holds_what_it_should(self):
        assert self.tail.rows == self.known
        assert self.tail.unsaved == len(self.unsaved)
        assert all(one.event.event_id in self.tail for one in self.known)


TestTail = TailMachine.TestCase
TestTail.settings = settings(max_examples=60, deadline=None)


# What an earlier process left open


def test_what_a_killed_process_left_open_is_ended_once_with_its_last_word(store):
    async def work(world):
        first, second, third = FarSide(), FarSide(), FarSide()
        async with listening(world, store, first, graceful=False) as bus:
            for event in (
                status(1),
                match(2),
                match(3, "updated", stream_s=8.0),
                match(4, match_id="m2"),
                match(5, "ended", match_id="m2"),
                status(6, source="hall"),
                status(7, "stopped", source="hall"),
            ):
                await bus.publish(event)
            await asyncio.sleep(2)
        async with listening(world, store, second, graceful=False) as bus:
            await asyncio.sleep(2)
            await bus.publish(status(9, "starting"))
            await asyncio.sleep(2)
        async with listening(world, store, third):
            await asyncio.sleep(2)
        return second.arrived, third.arrived

    second, third = run(work)
    ended, stopped, starting = second
    assert ended == match(
        3, "ended", stream_s=8.0, ended_s=8.0, reason=orphans.REASON, event_id=ended.event_id
    )
    assert stopped.model_dump(include={"source", "state", "reason", "stream_s", "time", "level_dbfs"}) == {
        "source": "kitchen", "state": "stopped", "reason": orphans.REASON, "stream_s": 8.0,
        "time": match(3).time, "level_dbfs": None,
    }  # fmt: skip
    assert starting == status(9, "starting")
    assert [event.state for event in third] == ["stopped"]  # of the second process, which was killed too


def test_ids_go_on_behind_those_of_an_earlier_process_though_the_clock_was_set_back(store):
    async def work(world):
        made = ids(world)
        store.open()
        before = made()
        store.write(Batch([replace(row(1, state="stopped"), event=status(1, "stopped", event_id=before))]))
        store.close()
        back = replace(world, now=lambda: EPOCH - 86_400)
        later = ids(back)
        journal = Journal(store, later, back)
        await journal.open([])
        after = later()
        await journal.close()
        return before, after

    before, after = run(work)
    assert before < after
    assert len(before) == len(after) == 26


@pytest.mark.parametrize("nonsense", ["", "short", "ü" * 26, "U" * 26, "0" * 27])
def test_an_id_of_another_kind_changes_nothing(nonsense):
    made = EventIds(lambda: EPOCH, lambda _: 0)
    untouched = EventIds(lambda: EPOCH, lambda _: 0)
    made.go_on_after(nonsense)
    assert made() == untouched()
