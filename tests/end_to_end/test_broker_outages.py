"""The broker goes away and comes back: every match arrives, and the retained topics are true in the end."""

import json
import signal
from contextlib import contextmanager

import pytest
from broadcasts import PCM
from happenings import check_ended, ids, matches
from programs import fed, started
from publish.conftest import Mosquitto
from subscriber import subscribed

from stream_match.events import from_json

NODE = ("--node", "attic")


def check_all_arrived(subscriber, events):
    """Check that every match event arrived, in order, and that all is said to be over."""
    check_ended(events)
    sent = ids(matches(events))
    subscriber.until(lambda _: set(subscriber.ids()) >= set(sent), "every match")
    assert subscriber.ids() == sent
    subscriber.until(lambda _: subscriber.last("attic/status") == "stopped", "the node to stop")
    assert json.loads(subscriber.last("attic/hall/now_playing")) == {"track": None}
    assert json.loads(subscriber.last("attic/hall/status"))["state"] == "stopped"


@contextmanager
def listening_to_stdin(tmp_path, index, broker):
    source = ("--source", f"hall={PCM}", "--pace", "fast")
    with fed(
        tmp_path, "listen", "--index", index, *source, *NODE, "--sink", broker.uri, "--sink", "jsonl:-"
    ) as it:
        yield it


def playing(subscriber):
    """The id of the event that `now_playing` shows."""
    return json.loads(subscriber.last("attic/hall/now_playing") or "{}").get("event_id")


def freeze(broker):
    """Let a broker take what is sent, and answer nothing: what it took dies with it."""
    broker.process.send_signal(signal.SIGSTOP)


OUTAGES = {"killed": Mosquitto.kill, "stopped": Mosquitto.stop, "frozen, then killed": freeze}


@pytest.mark.parametrize("begin", OUTAGES.values(), ids=OUTAGES)
def test_a_broker_that_is_restarted_in_mid_broadcast(
    begin, index, broadcast, remembering_mosquitto, tmp_path
):
    broker = remembering_mosquitto
    broker.start()
    with subscribed(broker.port) as subscriber, listening_to_stdin(tmp_path, index, broker) as listener:
        listener.write(broadcast.pcm(0, 12))
        listener.until(lambda events: len(matches(events)) >= 2)
        # What a broker took and had not passed on dies with it; nothing may be under way.
        subscriber.until(lambda _: playing(subscriber) == matches(listener.events)[-1].event_id)
        subscriber.until(lambda _: subscriber.ids() == ids(matches(listener.events)))
        subscriber.settle()
        begin(broker)
        before = len(matches(listener.events))
        listener.write(broadcast.pcm(12, 25))
        listener.until(lambda events: len(matches(events, phase="started")) == 2)
        broker.close()
        broker.start()
        listener.write(broadcast.pcm(25))
        subscriber.until(lambda _: len(subscriber.ids()) > before)
        assert listener.end() == 0
        check_all_arrived(subscriber, listener.events)


def test_a_broker_that_is_restarted_while_a_file_is_read_fast(
    index, long_broadcast, remembering_mosquitto, tmp_path
):
    broker, path = remembering_mosquitto, tmp_path / "events.jsonl"
    broker.start()
    source = ("--source", f"hall={long_broadcast.path}", "--pace", "fast")
    with subscribed(broker.port) as subscriber:
        args = ("listen", "--index", index, *source, *NODE, "--sink", broker.uri, "--sink", f"jsonl:{path}")
        with started(tmp_path, *args) as listener:
            subscriber.until(lambda _: subscriber.ids())
            broker.stop()
            broker.start()
            assert listener.end() == 0
        check_all_arrived(subscriber, [from_json(line) for line in path.read_text().splitlines()])


def test_a_broker_that_is_absent_at_first(index, broadcast, remembering_mosquitto, tmp_path):
    broker = remembering_mosquitto
    broker.start()
    with subscribed(broker.port) as subscriber:
        broker.stop()
        with listening_to_stdin(tmp_path, index, broker) as listener:
            listener.write(broadcast.pcm())
            listener.until(lambda events: len(matches(events, phase="started")) == 2)
            assert not subscriber.items
            broker.start()
            subscriber.until(lambda _: subscriber.ids())
            assert listener.end() == 0
            check_all_arrived(subscriber, listener.events)
        assert "refuses the connection" in listener.stderr


def test_a_listener_that_is_killed_is_called_offline(index, broadcast, mosquitto, tmp_path):
    with (
        subscribed(mosquitto.port) as subscriber,
        listening_to_stdin(tmp_path, index, mosquitto) as listener,
    ):
        listener.write(broadcast.pcm(0, 8))
        subscriber.until(lambda _: subscriber.match_events())
        assert subscriber.last("attic/status") == "online"
        assert listener.end(signal.SIGKILL) == -signal.SIGKILL
        subscriber.until(lambda _: subscriber.last("attic/status") == "offline", "the last will")
