"""A signal while something plays, heard at its own pace: every started has its ended, wherever events go."""

import json
import signal
from contextlib import ExitStack

from happenings import check_ended, ids, matches
from programs import started
from subscriber import subscribed

SIGNALS = {"term": signal.SIGTERM, "int": signal.SIGINT}


def test_every_match_ends_on_a_signal(index, broadcast, mosquitto, tmp_path):
    with ExitStack() as stack:
        subscriber = stack.enter_context(subscribed(mosquitto.port))
        args = ("listen", "--index", index, "--source", f"hall={broadcast.path}")
        sinks = ("--sink", mosquitto.uri, "--sink", "jsonl:-")
        listeners = {
            node: stack.enter_context(started(tmp_path, *args, *sinks, "--node", node)) for node in SIGNALS
        }
        for node, listener in listeners.items():
            listener.until(lambda events: matches(events, phase="started"))
            assert listener.end(SIGNALS[node]) == 0
        for node, listener in listeners.items():
            check_ended(listener.events)
            last = matches(listener.events)[-1]
            assert last.phase == "ended"
            assert last.stream_s < broadcast.seconds / 2
            subscriber.until(lambda _, node=node: subscriber.last(f"{node}/status") == "stopped")
            told = [event.event_id for event in subscriber.match_events() if event.node == node]
            assert told == ids(matches(listener.events))
            assert json.loads(subscriber.last(f"{node}/hall/now_playing")) == {"track": None}
            assert "Traceback" not in listener.stderr
