import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from publish_samples import match, status
from publish_waiting import drained

from stream_match.errors import SinkError
from stream_match.events import from_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.jsonl import JsonlSink


def at_once():
    return Backoff(0.001, 0.001)


def publish_all(sink, events):
    async def run():
        async with sink:
            for event in events:
                await sink.publish(event)

    asyncio.run(run())


def events_in(path):
    return [from_json(line) for line in path.read_bytes().splitlines()]


def test_appends_to_what_is_there(tmp_path):
    path = tmp_path / "events.jsonl"
    publish_all(JsonlSink(path), [match(1)])
    publish_all(JsonlSink(path), [status(2)])
    assert events_in(path) == [match(1), status(2)]


def test_a_line_torn_by_a_power_cut_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"half": ')
    publish_all(JsonlSink(path), [match(1), match(2)])
    lines = path.read_text().splitlines()
    assert lines[0] == '{"half": '
    assert [from_json(line) for line in lines[1:]] == [match(1), match(2)]


@pytest.mark.parametrize(
    ("place", "said"), [("absent/events.jsonl", "folder"), (".", "cannot be written"), ("pipe", "no reader")]
)
def test_what_can_never_work_is_told_when_it_is_opened(tmp_path, place, said):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match=said):
        publish_all(JsonlSink(tmp_path / place), [])


def fail_halfway(monkeypatch, *, times):
    """Make the disk full in the middle of a line, a few times."""
    write, failures = os.write, iter(range(2 * times))

    def full(fd, data):
        step = next(failures, None)
        if step is None:
            return write(fd, data)
        if step % 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)


def test_a_full_disk_leaves_whole_lines_and_loses_nothing(tmp_path, monkeypatch, caplog):
    path = tmp_path / "events.jsonl"
    path.write_text("")
    events = [match(1), match(2, "updated"), match(3, "ended")]
    fail_halfway(monkeypatch, times=3)
    publish_all(JsonlSink(path, backoff=at_once()), events)
    assert events_in(path) == events
    assert len(caplog.messages) == 1
    assert "No space left on device" in caplog.text


def test_between_the_attempts_the_file_ends_with_a_whole_line(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    publish_all(JsonlSink(path), [match(1)])
    fail_halfway(monkeypatch, times=10_000)
    sink = JsonlSink(path, backoff=at_once())
    sink._flush_s = 0.05
    publish_all(sink, [match(2)])
    assert events_in(path) == [match(1)]
    assert sink.waiting == 1


def test_at_the_end_it_says_how_many_could_not_be_written(caplog):
    sink = JsonlSink(Path("/dev/full"), backoff=at_once())
    sink._flush_s = 0.05
    publish_all(sink, [match(1), match(2)])
    assert "2 events could not be delivered to jsonl:/dev/full" in caplog.messages[-1]


PROGRAM = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from publish_samples import match
from stream_match.publish import open_sink

async def main():
    async with open_sink("jsonl:-", node="attic") as sink:
        for number in range(5000):
            await sink.publish(match(number))
            await asyncio.sleep(0)

asyncio.run(main())
"""


def start_program():
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_standard_output_takes_a_slow_reader():
    with start_program() as process:
        events = [from_json(line) for line in process.stdout]
        assert process.stderr.read() == b""
    assert [event.event_id for event in events] == [match(number).event_id for number in range(5000)]


def test_a_reader_that_goes_away_ends_it_quietly():
    with start_program() as process:
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert from_json(first) == match(0)
    assert (process.returncode, said) == (0, b"")


def test_a_closed_standard_output_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SinkError, match="closed"):
        publish_all(JsonlSink(None), [])


def test_a_slow_reader_holds_nobody_up(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    events = [match(number) for number in range(500)]  # far more than a pipe holds

    async def run():
        async with JsonlSink(pipe) as sink:
            for event in events:
                await sink.publish(event)
            text = b""
            while text.count(b"\n") < len(events):
                try:
                    text += os.read(reader, 65536)
                except BlockingIOError:
                    await asyncio.sleep(0.001)
            return text

    text = asyncio.run(run())
    os.close(reader)
    assert [from_json(line) for line in text.splitlines()] == events


class HangingDisk:
    """A disk that does not answer until it is back."""

    def __init__(self, monkeypatch, path):
        self.back = threading.Event()
        self.asked = threading.Semaphore(0)
        write, path = os.write, path.resolve()

        def hang(fd, data):
            if Path(f"/proc/self/fd/{fd}").resolve() == path:
                self.asked.release()
                self.back.wait()
            return write(fd, data)

        monkeypatch.setattr(os, "write", hang)


@pytest.fixture
def disk(monkeypatch, tmp_path):
    hanging = HangingDisk(monkeypatch, tmp_path / "events.jsonl")
    yield hanging
    hanging.back.set()


def test_a_disk_that_hangs_holds_up_nobody_and_the_order_stays(tmp_path, disk):
    events = [match(number) for number in range(20)]

    async def run():
        async with JsonlSink(tmp_path / "events.jsonl") as sink:
            for event in events:
                await sink.publish(event)
            await asyncio.to_thread(disk.asked.acquire)
            # That this runs, amid the first write, shows that the loop goes on.
            assert sink.waiting == len(events)
            disk.back.set()

    asyncio.run(run())
    assert events_in(tmp_path / "events.jsonl") == events


def test_a_disk_that_hangs_is_told_until_it_is_back(tmp_path, disk, monkeypatch):
    monkeypatch.setattr("stream_match.publish.jsonl._SLOW_DISK_S", 0.01)

    async def run():
        told = asyncio.Event()
        async with JsonlSink(tmp_path / "events.jsonl") as sink:
            tell = sink._tell_slow
            sink._tell_slow = lambda: (tell(), told.set())
            await sink.publish(match(1))
            await asyncio.to_thread(disk.asked.acquire)
            await told.wait()
            away = sink.delivery()
            disk.back.set()
            await drained(sink)
            return away, sink.delivery()

    away, back = asyncio.run(run())
    assert not away.connected
    assert "has not answered for 0.01 s" in away.away
    assert back.connected
    assert back.delivered == 1


def test_leaving_waits_for_no_disk_that_hangs(tmp_path, disk, monkeypatch, caplog):
    monkeypatch.setattr("stream_match.publish.jsonl._CLOSE_WAIT_S", 0.01)
    sink = JsonlSink(tmp_path / "events.jsonl")
    sink._flush_s = 0.01

    async def run():
        async with sink:
            await sink.publish(match(1))
            await asyncio.to_thread(disk.asked.acquire)

    asyncio.run(run())
    assert "1 events could not be delivered" in caplog.messages[-1]
    writers = [thread for thread in threading.enumerate() if thread.name == f"write {sink.uri}"]
    assert all(thread.daemon for thread in writers)
    disk.back.set()
    for thread in writers:
        thread.join(20)
    assert events_in(tmp_path / "events.jsonl") == [match(1)]  # the line that was begun is whole


def test_no_thread_is_left(tmp_path):
    before = threading.active_count()
    publish_all(JsonlSink(tmp_path / "events.jsonl"), [match(1)])
    with pytest.raises(SinkError):
        publish_all(JsonlSink(tmp_path / "absent" / "events.jsonl"), [])
    for thread in threading.enumerate():
        if thread.name.startswith("write jsonl:"):
            thread.join(20)
    assert threading.active_count() == before


def publish_in_steps(sink, *steps):
    """Publish an event before each step, and one behind the last."""

    async def run():
        async with sink:
            for number, step in enumerate([*steps, None]):
                await sink.publish(match(number))
                await drained(sink)
                if step is not None:
                    step()

    asyncio.run(run())


def test_a_file_that_is_moved_away_is_made_anew(tmp_path):
    """As logrotate does, unless it is told to copy."""
    path, old = tmp_path / "events.jsonl", tmp_path / "events.jsonl.1"
    publish_in_steps(JsonlSink(path), lambda: path.rename(old))
    assert events_in(old) == [match(0)]
    assert events_in(path) == [match(1)]


def test_a_folder_that_is_gone_for_a_while_is_waited_for(tmp_path):
    folder = tmp_path / "usb"
    folder.mkdir()
    path = folder / "events.jsonl"

    async def run():
        async with JsonlSink(path, backoff=at_once()) as sink:
            await sink.publish(match(1))
            await drained(sink)
            path.unlink()
            folder.rmdir()
            await sink.publish(match(2))
            await asyncio.sleep(0.05)
            assert sink.waiting == 1
            folder.mkdir()
        return sink

    sink = asyncio.run(run())
    assert events_in(path) == [match(2)]
    assert sink.set_aside == 0


def test_a_new_reader_of_a_named_pipe_gets_what_waited(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def run():
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        async with JsonlSink(pipe, backoff=at_once()) as sink:
            os.close(reader)
            await sink.publish(match(1, "ended"))
            await asyncio.sleep(0.02)
            assert sink.waiting == 1
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            await drained(sink)
            text = os.read(reader, 65536)
            os.close(reader)
            return text

    assert [from_json(line) for line in asyncio.run(run()).splitlines()] == [match(1, "ended")]
