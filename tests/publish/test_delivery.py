"""What becomes of events that cannot be delivered: asked of sinks that fail in chosen ways."""

import asyncio
import errno
import os

import pytest
from publish_samples import match, onset, sound, status

from stream_match.publish.backoff import Backoff
from stream_match.publish.console import ConsoleSink
from stream_match.publish.delivery import OutboxSink
from stream_match.publish.jsonl import JsonlSink
from stream_match.publish.policy import ATTEMPTS, AwayError, Failures, RefusedError

WAIT_S = 20


class ListSink(OutboxSink):
    """Delivers to a list; `trouble(event)` may raise first, `breaks` is how often all of it breaks."""

    def __init__(self, trouble=lambda _: None, *, breaks=0, flush_s=WAIT_S):
        super().__init__("list:", backoff=Backoff(0.001, 0.002), flush_s=flush_s)
        self._between_attempts = Backoff(0.001, 0.002)
        self._trouble = trouble
        self._breaks = breaks
        self.arrived = []
        self.attempts = []

    async def _open(self):
        pass

    async def _deliver(self):
        if self._breaks:
            self._breaks -= 1
            raise KeyError("a bug")
        await self._drain()

    async def _send(self, event):
        self.attempts.append(event.event_id)
        self._trouble(event)
        self.arrived.append(event)


def deliver(sink, events):
    async def run():
        async with sink:
            for event in events:
                await sink.publish(event)
        return sink

    return asyncio.run(run())


def raising(error, *, for_):
    def trouble(event):
        if event.event_id in for_:
            raise error

    return trouble


def test_of_a_far_side_that_refuses_one_in_fifty_all_others_arrive_in_order(caplog):
    events = [match(number, "ended" if number % 3 else "updated") for number in range(1000)]
    refused = {event.event_id for event in events[::50]}
    sink = deliver(ListSink(raising(ValueError("no"), for_=refused)), events)
    assert sink.arrived == [event for event in events if event.event_id not in refused]
    assert (sink.set_aside, sink.waiting) == (20, 0)
    assert all(sink.attempts.count(event_id) == ATTEMPTS for event_id in refused)
    assert len([line for line in caplog.messages if "was set aside" in line]) == 1
    assert "20 events could not be delivered to list:" in caplog.messages[-1]
    assert "(set aside after failing again and again: 20)" in caplog.messages[-1]


def test_what_is_lost_at_the_end_is_said_in_words(caplog):
    away = raising(AwayError("away", "It is away."), for_={"e000001"})
    deliver(ListSink(away, flush_s=0.05), [match(1), sound(2), onset(3), sound(4)])
    assert caplog.messages[-1] == (
        "4 events could not be delivered to list: (single sounds, which are not kept for the next start: 3; "
        "others that still waited: 1)."
    )


def test_an_event_that_fails_twice_arrives():
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def trouble(event):
        if event.event_id == "e000001" and failures:
            raise failures.pop()

    sink = deliver(ListSink(trouble), [match(0), match(1), match(2)])
    assert [event.event_id for event in sink.arrived] == ["e000000", "e000001", "e000002"]
    assert sink.set_aside == 0


def test_a_refusal_that_is_final_is_not_tried_again():
    sink = deliver(
        ListSink(raising(RefusedError("large", "Too large.", final=True), for_={"e000001"})),
        [match(1), match(2)],
    )
    assert sink.attempts == ["e000001", "e000002"]
    assert sink.set_aside == 1


def test_while_the_far_side_is_away_nothing_is_set_aside():
    away = [AwayError("gone", "It is gone.") for _ in range(4 * ATTEMPTS)]
    told = []

    def trouble(event):
        told.append(sink._why_away())
        if away:
            raise away.pop()

    sink = ListSink(trouble)
    deliver(sink, [match(1), match(2)])
    assert told[:2] == [None, "It is gone."]
    assert sink.delivery().away is None
    assert [event.event_id for event in sink.arrived] == ["e000001", "e000002"]
    assert sink.set_aside == 0


@pytest.mark.parametrize("breaks", [1, 7])
def test_delivery_that_breaks_is_started_again(breaks, caplog):
    sink = deliver(ListSink(breaks=breaks), [match(1)])
    assert sink.arrived == [match(1)]
    assert len([line for line in caplog.messages if "Delivery to list: broke" in line]) == 1
    assert "KeyError" in caplog.text


class BrokenBefore(ListSink):
    async def _after_attempt(self):
        if len(self.attempts) == 1:
            self.attempts.append("broke")
            raise IndexError("a bug beside the events")


def test_a_bug_beside_the_events_loses_and_repeats_none():
    sink = deliver(BrokenBefore(), [match(1), match(2)])
    assert sink.arrived == [match(1), match(2)]


def not_json(event):
    """The event with a name that UTF-8 cannot hold, as a file system may have it."""
    return event.model_copy(update={"source_name": "caf\udce9"})


def test_an_event_that_is_no_json_is_set_aside_by_a_file(tmp_path, caplog):
    sink = JsonlSink(tmp_path / "events.jsonl")
    sink._between_attempts = Backoff(0.001, 0.001)
    deliver(sink, [match(1), not_json(match(2, "ended")), match(3)])
    written = (tmp_path / "events.jsonl").read_text().splitlines()
    assert len(written) == 2
    assert "e000003" in written[1]
    assert sink.set_aside == 1
    assert "was set aside" in caplog.text
    assert "\n" not in "".join(caplog.messages)


def test_an_event_that_cannot_be_described_is_set_aside_by_the_console(capfd):
    sink = ConsoleSink()
    sink._between_attempts = Backoff(0.001, 0.001)
    deliver(sink, [match(1), sound(2).model_copy(update={"onset_s": None}), status(3)])
    assert sink.set_aside == 1
    assert [line.split()[2] for line in capfd.readouterr().out.splitlines()] == ["▶", "·"]


def test_a_full_disk_sets_nothing_aside(tmp_path, monkeypatch):
    path, left = tmp_path / "events.jsonl", [5 * ATTEMPTS]
    write = os.write

    def full(fd, data):
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    sink = JsonlSink(path, backoff=Backoff(0.001, 0.001))
    monkeypatch.setattr(os, "write", full)
    deliver(sink, [match(1), match(2)])
    assert len(path.read_text().splitlines()) == 2
    assert sink.set_aside == 0


def test_the_console_prints_after_a_failed_write_what_it_could_not_print_before(capfd, monkeypatch):
    write, left = os.write, [3]

    def full(fd, data):
        if fd == 1 and left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    sink = ConsoleSink()
    sink._backoff = Backoff(0.001, 0.001)
    monkeypatch.setattr(os, "write", full)
    deliver(sink, [match(1), status(2)])
    assert [line.split()[2] for line in capfd.readouterr().out.splitlines()] == ["▶", "·"]


def test_failures_are_counted_in_a_row_for_each_thing():
    failures, error = Failures(3), ValueError()
    assert [failures.enough("a", error), failures.enough("b", error), failures.enough("a", error)] == 3 * [
        False
    ]
    failures.passed("a")
    assert [failures.enough("a", error) for _ in range(3)] == [False, False, True]
    assert failures.enough("b", error) is False
    assert failures.enough("b", error) is True
