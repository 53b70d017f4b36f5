"""Houses that know the contract only: one that reads and one that asks, over a real broker."""

import json
from signal import SIGKILL, SIGTERM

import pytest
from broadcasts import PCM
from programs import fed, run
from subscriber import subscribed

from stream_match.capture.demo import PIECES
from stream_match.shipped import shipped

PHASES = {"started": {"updated", "ended"}, "updated": {"updated", "ended"}, "ended": set()}


class House:
    """Follows a listener by what the contract says of topics and payloads."""

    def __init__(self, base, node, source):
        self._here = f"{base}/{node}/{source}"
        self._node = f"{base}/{node}/status"
        self.node = self.state = self.playing = None
        self.plays = {}  # match_id: phases
        self.tracks = {}
        self.sounds = 0
        self._seen = set()

    def hear(self, topic, payload):
        if topic == self._node:
            self.node = payload
        elif topic == f"{self._here}/now_playing":
            self.playing = (json.loads(payload)["track"] or {}).get("id")
        elif topic.startswith(f"{self._here}/") and not topic.endswith("/settings"):
            self._hear_event(topic.rpartition("/")[2], json.loads(payload))

    def _hear_event(self, kind, event):
        assert event["type"] == kind
        assert event["schema"] == f"stream_match.{kind}/1"
        if event["event_id"] in self._seen:  # QoS 1 is at least once
            return
        self._seen.add(event["event_id"])
        if kind == "status":
            self.state = event["state"]
        elif kind == "onset_cluster":
            self.sounds += 1
        elif kind == "match":
            self._hear_match(event)

    def _hear_match(self, event):
        phases = self.plays.setdefault(event["match_id"], [])
        assert event["phase"] in (PHASES[phases[-1]] if phases else {"started"})
        assert event["event_type"] == f"match_{event['phase']}"
        phases.append(event["phase"])
        self.tracks[event["match_id"]] = event["track"]["id"]


def test_a_reader_of_the_contract_follows_the_demo(mosquitto):
    with subscribed(mosquitto.port) as ear:
        done = run(
            "listen", "--source", "hall=demo:", "--index", shipped("demo"), "--pace", "fast",
            "--node", "attic", "--sink", mosquitto.uri,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        ear.until(lambda items: ("stream_match/attic/status", "stopped") in items)
        house = House("stream_match", "attic", "hall")
        heard_playing = set()
        for topic, payload in ear.items:
            house.hear(topic, payload)
            heard_playing.add(house.playing)
    assert (house.node, house.state, house.playing) == ("stopped", "stopped", None)
    assert all(phases[-1] == "ended" for phases in house.plays.values())
    assert set(house.tracks.values()) == {piece.id for piece in PIECES}
    assert heard_playing == {piece.id for piece in PIECES} | {None}
    assert house.sounds > 100


class Asker:
    """Asks a listener, as a script of a house does."""

    def __init__(self, ear):
        self._ear = ear
        self._count = 0

    def __call__(self, request, **content):
        self._count += 1
        wanted = self._count
        payload = json.dumps({**content, "transaction": wanted})
        self._ear.publish(f"stream_match/attic/request/{request}", payload, qos=1)
        topic = f"stream_match/attic/response/{request}"
        mine = (topic, f'{{"transaction": {wanted}, ')
        items = self._ear.until(lambda items: any((t, p[: len(mine[1])]) == mine for t, p in items), request)
        return next(json.loads(p) for t, p in items if (t, p[: len(mine[1])]) == mine)


def devices(ear):
    """What stands under the topics of discovery at the end."""
    return {topic: payload for topic, payload in ear.items if topic.startswith("homeassistant/device/")}


def test_what_is_asked_named_and_announced(index, broadcast, mosquitto, tmp_path):
    state = tmp_path / "state"
    args = (
        "listen", "--index", index, "--source", f"hall={PCM}", "--node", "attic",
        "--state", state, "--sink", mosquitto.uri,
    )  # fmt: skip

    asked = ("--node", "attic", "--source", "hall", "--mqtt", mosquitto.uri)

    def name(cluster, text):
        return run("name", cluster, text, *asked)

    with fed(tmp_path, *args, "--discovery") as listener, subscribed(mosquitto.port) as ear:
        ask = Asker(ear)
        listener.write(broadcast.pcm(0, 14))
        ear.until(lambda items: sum(topic.endswith("/onset_cluster") for topic, _ in items) > 3)
        told = json.loads(next(payload for topic, payload in ear.items if topic.endswith("/onset_cluster")))
        (topic,) = devices(ear)
        assert "doorbell" not in devices(ear)[topic]

        done = name(told["cluster_id"], "doorbell")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"The cluster {told['cluster_id']} of hall is called 'doorbell' now.\n"
        ear.until(lambda _: "doorbell" in devices(ear)[topic])
        done = name("never", "doorbell")
        assert done.returncode == 2
        assert done.stderr.startswith(
            "stream-match: The listener 'attic' says: The source 'hall' has never told"
        )

        (source,) = ask("health")["data"]["sources"]
        assert (source["source"], source["state"]) == ("hall", "running")
        assert ask("false_alarms", source="hall", max_false_alarms_per_hour=3)["status"] == "ok"
        ear.until(
            lambda items: ("stream_match/attic/hall/settings", '{"max_false_alarms_per_hour": 3.0}') in items
        )
        nearly = ask("candidates", source="hall")["data"]["candidates"]
        assert all(one["why"] and one["rejection"] and one["track"]["id"] for one in nearly)
        assert [one["refused"] for one in ask("reload")["data"]["indexes"].values()] == [None]
        assert ask("pause", source="hall")["data"]["paused"] is True
        ear.until(lambda items: any('"state":"paused"' in payload for _, payload in items))
        assert ask("nothing")["status"] == "error"
        assert listener.end(SIGTERM) == 0
        assert name(told["cluster_id"], "bell").stderr == (
            f"stream-match: The listener 'attic' is stopped on {mosquitto.uri}/stream_match: "
            "start it first.\n"
        )
        # The next one goes on paused, with the name; discovery is switched off, and the device is deleted.
        with fed(tmp_path, *args) as listener:
            listener.write(broadcast.pcm(0, 2))
            ear.until(lambda _: devices(ear)[topic] == "")
            ear.until(lambda _: json.loads(ear.last("attic/hall/status"))["state"] == "paused")
            assert ask("resume", source="hall")["status"] == "ok"
            listener.write(broadcast.pcm(0, 14))
            ear.until(lambda items: any('"name":"doorbell"' in payload for _, payload in items[-200:]))
            assert listener.end() == 0
    done = run("history", "--state", state, "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("discovery", [("--discovery",), ()])
def test_a_source_that_has_left_the_settings_leaves_nothing_behind(
    discovery, index, broadcast, mosquitto, tmp_path
):
    def listening(source, *more):
        args = ("listen", "--index", index, "--source", f"{source}={PCM}", "--node", "attic")
        return fed(tmp_path, *args, "--sink", mosquitto.uri, *more)

    def hear(listener, source, signal):
        listener.write(broadcast.pcm(0, 8))
        ear.until(lambda items: any(topic.endswith(f"/{source}/match") for topic, _ in items))
        assert listener.end(signal) == (0 if signal == SIGTERM else -SIGKILL)

    with subscribed(mosquitto.port) as ear:
        with listening("hall", "--discovery") as first:
            hear(first, "hall", SIGKILL)
        assert all(ear.last(f"attic/hall/{what}") for what in ("status", "now_playing", "settings"))
        (device,) = devices(ear)
        with listening("kitchen", *discovery) as second:
            ear.until(lambda _: devices(ear)[device] == "")
            hear(second, "kitchen", SIGTERM)
        ear.until(lambda _: ear.last("attic/status") == "stopped")
    with subscribed(mosquitto.port, "later") as later:
        later.settle()
        standing = [topic for topic, payload in later.items if payload]
        assert "stream_match/attic/kitchen/status" in standing
        assert not [topic for topic in standing if "hall" in topic]


def test_name_says_why_there_is_no_answer(mosquitto):
    done = run("name", "1", "x", "--node", "nobody", "--source", "hall", "--mqtt", mosquitto.uri)
    assert done.returncode == 1
    assert done.stderr == (
        f"stream-match: No listener 'nobody' has ever been on {mosquitto.uri}/stream_match: "
        "check --node, and its sink.\n"
    )
    done = run("name", "1", "x", "--node", "No Name", "--source", "hall", "--mqtt", mosquitto.uri)
    assert done.returncode == 2
    assert "is no name" in done.stderr
