"""What Home Assistant is told of a source."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_match.publish import topics
from stream_match.publish.discovery import (
    Device,
    components,
    device_message,
    device_topic,
    is_of_node,
)

ROOT = Path(__file__).parents[2]
PYTHON = "STREAM_MATCH_TEST_HOME_ASSISTANT"
"""Names a Python that has Home Assistant; docs/home-assistant.md says how to make one."""

BASE = "stream_match"


def device(**changes):
    return Device(**({"node": "attic", "source": "kitchen", "title": "Küche", "version": "1"} | changes))


def payload(**changes):
    return json.loads(device_message("homeassistant", BASE, device(**changes)).payload)


def test_one_retained_message_says_all_of_a_source():
    message = device_message("homeassistant", BASE, device())
    assert message.retain
    assert message.topic.startswith("homeassistant/device/stream_match_attic_kitchen_")
    told = json.loads(message.payload)
    assert told["device"]["name"] == "Küche"
    assert {key: one["platform"] for key, one in told["components"].items()} == {
        "match": "event",
        "cluster": "event",
        "now_playing": "sensor",
        "level": "sensor",
        "audio": "binary_sensor",
        "false_alarms": "number",
        "pause": "switch",
    }
    assert told["availability_mode"] == "all"
    assert [one["topic"] for one in told["availability"]] == [
        "stream_match/attic/status",
        "stream_match/attic/kitchen/status",
    ]
    assert is_of_node(told, topics.node_status(BASE, "attic", "").topic)
    assert not is_of_node(told, topics.node_status(BASE, "cellar", "").topic)


def test_who_does_not_listen_for_it_does_not_announce_it():
    assert set(payload(matches=False)["components"]) == {"audio", "level", "pause", "cluster"}
    assert set(payload(sounds=False)["components"]) >= {"match", "now_playing", "false_alarms"}
    assert "cluster" not in payload(sounds=False)["components"]


def test_topics_of_two_sources_never_meet():
    places = [(BASE, "a_b", "c"), (BASE, "a", "b_c"), ("other", "a", "b_c"), (BASE, "a", "b-c")]
    found = {device_topic("homeassistant", *place) for place in places}
    assert len(found) == len(places)
    assert all(set(one.split("/")[2]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for one in found)


def test_what_is_not_named_any_more_is_removed():
    before = payload(named=[("cluster", "doorbell"), ("track", "jingle")])["components"]
    after = payload(named=[("cluster", "doorbell")], gone=sorted(before))["components"]
    removed = {key: one for key, one in after.items() if set(one) == {"platform"}}
    assert set(removed) == set(before) - set(payload(named=[("cluster", "doorbell")])["components"])
    assert {key: one["platform"] for key, one in removed.items()} == {
        key: before[key]["platform"] for key in removed
    }


def test_clusters_of_one_name_are_one():
    twice = device(named=[("cluster", "doorbell"), ("cluster", "doorbell"), ("track", "doorbell")])
    named = [key for key in components(BASE, twice) if "_pulse_" in key or "_trigger_" in key]
    assert len(named) == 4


@given(names=st.lists(st.text(max_size=80), max_size=5))
def test_every_entity_has_an_identity_of_its_own(names):
    found = components(BASE, device(named=[("cluster", name) for name in names]))
    identities = [one["unique_id"] for one in found.values() if "unique_id" in one]
    assert len(identities) == len(set(identities))
    triggers = [(one["type"], one["subtype"]) for one in found.values() if "subtype" in one]
    assert len(triggers) == len(set(triggers)) == len(set(names))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def seen():
    """What Home Assistant makes of it, by entity: what it shows, or what is wrong."""
    python = os.environ.get(PYTHON)
    if python is None and importlib.util.find_spec("homeassistant") is None:
        pytest.skip(f"no Home Assistant: set {PYTHON} to a Python that has it (docs/home-assistant.md)")
    done = load(ROOT / "scripts" / "check_discovery.py").check(Path(python or sys.executable))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told, done.stderr
    return {(one["device"], one["key"]): one for one in told}


def test_home_assistant_takes_every_entity(seen):
    assert [one for one in seen.values() if "wrong" in one] == []
    assert len(seen) == 17


def test_home_assistant_shows_what_is_meant(seen):
    def shows(key):
        return seen["Kitchen", key]["shows"]

    assert shows("audio")[:3] == ["ON", "OFF", "OFF"]
    assert shows("pause") == ["OFF", "ON", "OFF"]
    assert shows("level") == ["-21.5", "None", "None"]
    assert shows("now_playing")[:3] == ["jingle", 'The "Title"', "nothing"]
    assert json.loads(shows("now_playing")[3])["place"] == 83.0
    assert json.loads(shows("now_playing")[5]) == {}
    assert json.loads(shows("false_alarms")[1]) == {"source": "kitchen", "max_false_alarms_per_hour": 0.5}
    # A source that is paused is there: else nobody could resume it.
    assert seen["Kitchen", "pause"]["available"] == [
        ["online", "offline", "offline"],
        ["online", "online", "offline"],
    ]


def test_each_trigger_and_pulse_hears_its_own_name_alone(seen):
    heard = [one["shows"] for (_, key), one in seen.items() if key.startswith("cluster_")]
    assert sorted(heard) == sorted(
        [["heard", "", "", ""], ["ON", "", "", ""], ["", "heard", "", ""], ["", "ON", "", ""]]
    )
    heard = [one["shows"] for (_, key), one in seen.items() if key.startswith("track_")]
    assert sorted(heard) == [["ON", "", ""], ["heard", "", ""]]
