"""Listeners that keep what they tell: nothing is lost by a kill, by an absent broker, by a full disk."""

import json
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from broadcasts import PCM
from happenings import check_ended, ids, matches, states
from programs import fed, run
from subscriber import subscribed

from stream_match.events import from_json
from stream_match.service.orphans import REASON
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE

ROOT = Path(__file__).parents[2]
NODE = ("--node", "attic", "--pace", "fast")


@contextmanager
def keeping(tmp_path, index, *sinks, source="hall"):
    """A listener with a state folder, fed through its standard input."""
    args = ("listen", "--index", index, "--source", f"{source}={PCM}", *NODE, "--state", tmp_path / "state")
    more = [word for sink in sinks for word in ("--sink", sink)]
    with fed(tmp_path, *args, *more, "--sink", "jsonl:-") as listener:
        yield listener


def kept(tmp_path):
    """The events in the store of a listener that has ended."""
    store = Store(tmp_path / "state" / FILE)
    store.open()
    try:
        return [row.event for row in store.after(0, 10_000)]
    finally:
        store.close()


def lasting(events):
    return [event for event in events if event.type not in ("onset", "onset_cluster")]


def arrived(subscriber):
    """The events of QoS 1 that came on topics of their own, without repetitions."""
    told = [
        from_json(payload)
        for topic, payload in subscriber.items
        if topic.endswith(("/match", "/cluster", "/hall/status", "/kitchen/status")) and "{" in payload
    ]
    return list({event.event_id: event for event in told}.values())


def test_what_a_killed_listener_left_is_ended_by_the_next_one(index, broadcast, mosquitto, tmp_path):
    with subscribed(mosquitto.port) as subscriber:
        with keeping(tmp_path, index, mosquitto.uri) as first:
            first.write(broadcast.pcm(0, 8))
            subscriber.until(lambda _: subscriber.match_events(), "a match")
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
        # The next one listens to something else: nobody but the store knows of the hall.
        with keeping(tmp_path, index, mosquitto.uri, source="kitchen") as second:
            subscriber.until(
                lambda _: states(arrived(subscriber), "hall")[-1] == "stopped", "the end of the hall"
            )
            subscriber.until(
                lambda _: (
                    subscriber.last("attic/hall/status") == subscriber.last("attic/hall/now_playing") == ""
                ),
                "nothing of it to stand any more",
            )
            assert second.end() == 0
        subscriber.until(lambda _: subscriber.last("attic/status") == "stopped")
        told = arrived(subscriber)
    check_ended(told)
    ended = matches(told, "hall", "ended")
    last = [event for event in matches(told, "hall") if event.phase != "ended"][-1]
    assert [event.reason for event in ended] == [REASON]
    assert (ended[0].ended_s, ended[0].time, ended[0].match_id) == (last.stream_s, last.time, last.match_id)
    words = [
        payload for topic, payload in subscriber.items if topic.endswith("/attic/hall/status") and payload
    ]
    assert json.loads(words[-1])["reason"] == REASON
    assert [event.event_id for event in kept(tmp_path)] == ids(told)


def test_what_was_told_while_the_broker_was_away_survives_a_kill(
    index, broadcast, remembering_mosquitto, tmp_path
):
    broker = remembering_mosquitto
    broker.start()
    with subscribed(broker.port) as subscriber:
        broker.stop()
        with keeping(tmp_path, index, broker.uri) as first:
            first.write(broadcast.pcm())
            first.until(lambda events: len(matches(events, phase="started")) == 2)
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
        before = [event.event_id for event in lasting(first.events)]
        broker.start()
        with keeping(tmp_path, index, broker.uri) as second:
            subscriber.until(lambda _: "starting" in states(arrived(subscriber))[1:], "the second listener")
            assert second.end() == 0
        subscriber.until(lambda _: subscriber.last("attic/status") == "stopped")
        told = arrived(subscriber)
    assert ids(told)[: len(before)] == before
    assert ids(told) == ids(kept(tmp_path))
    check_ended(told)


def test_a_file_of_events_goes_on_where_a_kill_has_cut_it(index, broadcast, tmp_path):
    path = tmp_path / "events.jsonl"
    with keeping(tmp_path, index, f"jsonl:{path}") as first:
        first.write(broadcast.pcm(0, 8))
        first.until(matches)
        first.end(signal.SIGKILL)
    path.write_bytes(path.read_bytes()[:-20])  # as a loss of power may leave it
    with keeping(tmp_path, index, f"jsonl:{path}") as second:
        assert second.end() == 0
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    written = list(dict.fromkeys(event.event_id for event in lasting(map(from_json, whole))))
    assert written[-4:] == ids(kept(tmp_path))[-4:]
    check_ended(kept(tmp_path))


def test_a_disk_without_room_ends_nothing(index, broadcast, tmp_path):
    """The system lets no file grow beyond a few kilobytes: what a full disk does, for one process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with keeping(tmp_path, index) as listener:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            listener.write(broadcast.pcm())
            assert listener.end() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_ended(listener.events)
    assert len(matches(listener.events, phase="started")) == 2
    assert listener.stderr.count("Listening goes on from memory") == 1
    assert "Traceback" not in listener.stderr


def test_the_history_of_a_broadcast(index, broadcast, tmp_path):
    with keeping(tmp_path, index) as listener:
        listener.write(broadcast.pcm())
        assert listener.end() == 0
    done = run("history", "--state", tmp_path / "state", "--json")
    airings = [json.loads(line) for line in done.stdout.splitlines()]
    ended = matches(listener.events, phase="ended")
    assert [airing["track"]["id"] for airing in airings] == [event.track.id for event in ended]
    for airing, event in zip(airings, ended, strict=True):
        assert airing["seconds"] == pytest.approx(event.ended_s - event.started_s, abs=0.002)


def test_killed_again_and_again_nothing_is_lost_and_nothing_invented():
    """A small share of `scripts/soak.py`, which needs minutes for more."""
    pytest.importorskip("av", reason="PyAV reads the radio station")
    from publish.conftest import MOSQUITTO

    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    command = [sys.executable, ROOT / "scripts" / "soak.py", "--rounds", "3", "--seed", "7"]
    command += ["--true-within", "100"]  # a limit for what is broken: the computer may be busy
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rounds: 3, faults: 0" in done.stdout
