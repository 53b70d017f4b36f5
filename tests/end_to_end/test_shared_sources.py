"""Three listeners share sources over three servers. One of each is killed: nothing is lost or doubled."""

import json
import signal
from collections import Counter

import numpy as np
import pytest
import soundfile
from fleet.nats_servers import three_nats
from happenings import check_ended, matches, states
from programs import started
from subscriber import subscribed

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.events import from_json
from stream_match.service.orphans import REASON
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE

__all__ = ["three_nats"]

NODES = ("attic", "barn", "cellar")
SOURCES = tuple(f"radio{number}" for number in range(6))


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Seven processes begin at once, and a lease takes its time: limits for what is broken, as everywhere."""
    monkeypatch.setattr("arrivals.WAIT_S", 200)
    monkeypatch.setattr("programs.WAIT_S", 200)


@pytest.fixture
def config(tmp_path, broadcast, index, mosquitto):
    """The settings of all three; the sources go on for longer than any test."""
    path, audio = tmp_path / "streams.toml", tmp_path / "long.flac"
    soundfile.write(audio, np.tile(broadcast.samples, 40), SAMPLE_RATE_HZ, subtype="PCM_16")
    sources = [f'[[sources]]\nname = "{name}"\nuri = "{audio}"' for name in SOURCES]
    common = [f'index = "{index}"', f'sinks = ["{mosquitto.uri}", "jsonl:-"]', "[share]", "lease_seconds = 6"]
    path.write_text("\n".join([*common, *sources]))
    return path


def listening(tmp_path, config, node, servers):
    state = tmp_path / f"state-{node}"
    return started(
        tmp_path, "listen", "--config", config, "--node", node, "--state", state, "--share", servers
    )


def told(subscriber):
    """The events of QoS 1 on the broker, without repetitions."""
    names = ("/match", "/status")
    found = [
        from_json(payload)
        for topic, payload in subscriber.items
        if topic.endswith(names) and topic.count("/") == 3 and payload.startswith("{")
    ]
    return list({event.event_id: event for event in found}.values())


def kept(tmp_path, node):
    store = Store(tmp_path / f"state-{node}" / FILE)
    store.open()
    try:
        return [row.event for row in store.after(0, 100_000)]
    finally:
        store.close()


def owners(subscriber, *nodes):
    """Which of the nodes tell that a source runs, by source."""
    last = {(event.node, event.source): event.state for event in told(subscriber) if event.type == "status"}
    return {
        source: [node for node in nodes if last.get((node, source)) in ("running", "stalled")]
        for source in SOURCES
    }


def all_run(subscriber, *nodes):
    return all(len(found) == 1 for found in owners(subscriber, *nodes).values())


def fleet(subscriber, node):
    said = subscriber.last(f"fleet/{node}/sources")
    return None if said is None else json.loads(said)


def owned(subscriber, node):
    return [one["source"] for one in (fleet(subscriber, node) or {"sources": []})["sources"]]


def check_never_doubled(events, killed):
    """Check that a source begins at one node when the one before has told its end, or was killed."""
    for source in SOURCES:
        own = [event for event in events if event.type == "status" and event.source == source]
        open_at = {}
        for event in sorted(own, key=lambda event: event.time):
            if event.state == "starting":
                assert set(open_at) <= {event.node, killed}, (source, event, open_at)
                open_at[event.node] = event
            elif event.state == "stopped":
                open_at.pop(event.node, None)


def test_a_killed_listener_and_a_killed_server(tmp_path, config, three_nats, mosquitto):
    with subscribed(mosquitto.port) as ear:
        programs = {}
        with (
            listening(tmp_path, config, "attic", three_nats.uris) as programs["attic"],
            listening(tmp_path, config, "barn", three_nats.uris) as programs["barn"],
            listening(tmp_path, config, "cellar", three_nats.uris) as programs["cellar"],
        ):
            ear.until(lambda _: all_run(ear, *NODES), "each source at one of three")
            ear.until(lambda _: sorted(len(owned(ear, node)) for node in NODES) == [2, 2, 2], "two each")
            ear.until(lambda _: any(event.node == "attic" for event in ear.match_events()), "a match")

            assert programs["attic"].end(signal.SIGKILL) == -signal.SIGKILL
            ear.until(lambda _: all_run(ear, "barn", "cellar"), "all at the other two")
            ear.until(lambda _: ear.last("attic/status") == "offline")

            three_nats.servers[0].kill()
            heard = Counter(event.node for event in ear.match_events())
            ear.until(
                lambda _: all(
                    Counter(event.node for event in ear.match_events())[node] > heard[node]
                    for node in ("barn", "cellar")
                ),
                "matches after the death of a server",
            )
            ear.until(lambda _: all_run(ear, "barn", "cellar"), "all at two, with two servers")

            before = fleet(ear, "attic")["since"]
            with listening(tmp_path, config, "attic", three_nats.uris) as again:
                ear.until(lambda _: fleet(ear, "attic")["since"] not in (None, before), "its return")
                ear.until(lambda _: len(owned(ear, "attic")) == 2, "its share of the sources")
                ear.until(lambda _: all_run(ear, *NODES), "each source at one of three again")
                for program in (again, programs["barn"], programs["cellar"]):
                    program.process.send_signal(signal.SIGTERM)
                for program in (again, programs["barn"], programs["cellar"]):
                    assert program.end() == 0, program.stderr
                    assert "Traceback" not in program.stderr
        for node in NODES:
            ear.until(lambda _, node=node: ear.last(f"{node}/status") == "stopped")
            assert fleet(ear, node)["sources"] == []
        events = told(ear)
    for node in NODES:
        own = [event for event in events if event.node == node]
        check_ended(own)
        check_ended(kept(tmp_path, node))
        in_store = {event.event_id for event in kept(tmp_path, node)}
        assert {event.event_id for event in own} <= in_store
        for source in {event.source for event in own}:
            assert states(own, source)[-1] == "stopped"
    assert REASON in {event.reason for event in events if event.node == "attic"}
    moved = {event.reason for event in events if event.type == "status" and event.state == "stopped"}
    assert "it goes to attic" in moved
    check_never_doubled(events, killed="attic")
    assert matches(events, phase="started")
