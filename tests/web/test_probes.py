"""What monitors ask a real listener for: /healthz without a token, /metrics as Prometheus reads them."""

import asyncio
import http.client
import json
import subprocess
import time

import pytest
from cli.cli_process import command, env
from ports import free_port

pytest.importorskip("starlette", reason="the extra web is not installed")
pytest.importorskip("prometheus_client", reason="the extra web is not installed")

from prometheus_client import parser

from stream_match.errors import UsageError
from stream_match.service.health import Health
from stream_match.service.metrics import OF_SERVICE, OF_SINKS, OF_SOURCES, exposition
from stream_match.web.probes import probe_routes

TOKEN = "0123456789abcdef0123456789abcdef"
WAIT_S = 60.0

SOURCE = {
    "source": "hall", "source_name": "The hall", "uri": "mic:", "live": True, "state": "running",
    "reason": None, "attempt": 0, "since": "2026-11-28T08:00:00Z", "hint": "Digital silence", "stuck": None,
    "last_audio_at": "2026-11-28T08:00:09Z", "level_dbfs": -20.0, "audio_s": 100.0, "engine_s": 2.0,
    "real_time_factor": 0.02, "queue_s": 0.5, "waited_s": 1.0, "dropped_s": 0.25, "overruns": 1,
    "outage_s": 3.0, "reconnects": 4, "onsets_suppressed": 5, "matches": 6, "sounds": 7, "last_match": None,
    "best_candidate_score": None,
}  # fmt: skip
SINK = {
    "sink": "mqtt://host:1883/base", "connected": False, "waiting": 12, "delivered": 30, "dropped": 1,
    "set_aside": 2, "publish_delay_s": 0.004,
}  # fmt: skip
HEALTH = {
    "node": "attic", "version": "1.2", "time": "2026-11-28T08:00:10Z", "uptime_s": 101.0, "ok": False,
    "alive": True, "troubles": ("x",), "sources": (SOURCE,), "sinks": (SINK,),
    "store": {"path": "s", "trouble": None, "unsaved": 0, "megabytes": 1.5},
    "indexes": ({"name": "i", "generation": 3, "tracks": 208, "trouble": None},),
}  # fmt: skip


def read(text):
    """The numbers of an exposition, by name and labels, as Prometheus reads them."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_of_the_health_is_a_metric():
    found = read(exposition(Health.model_validate(HEALTH)))
    assert found["stream_match_audio_seconds_total", "hall"] == 100.0
    assert found["stream_match_real_time_factor", "hall"] == 0.02
    assert found["stream_match_queue_seconds", "hall"] == 0.5
    assert found["stream_match_overruns_total", "hall"] == 1
    assert found["stream_match_reconnects_total", "hall"] == 4
    assert found["stream_match_matches_total", "hall"] == 6
    assert found["stream_match_last_audio_timestamp_seconds", "hall"] == 1_795_852_809.0
    assert found["stream_match_hint", "hall"] == 1
    assert found["stream_match_source_state", "hall", "running"] == 1
    assert found["stream_match_source_state", "failed", "hall"] == 0
    assert found["stream_match_outbox_events", "mqtt://host:1883/base"] == 12
    assert found["stream_match_sink_connected", "mqtt://host:1883/base"] == 0
    assert found["stream_match_publish_delay_seconds", "mqtt://host:1883/base"] == 0.004
    assert found["stream_match_index_tracks", "i"] == 208
    assert found["stream_match_index_degraded", "i"] == 0
    assert found["stream_match_store_bytes",] == 1_500_000
    assert found["stream_match_store_ok",] == 1
    assert (found["stream_match_ok",], found["stream_match_alive",]) == (0, 1)
    assert found["stream_match_info", "1.2", "attic"] == 1
    assert "process_resident_memory_bytes" in {name for name, *_ in found}


def test_names_are_as_prometheus_wants_them():
    for name, (kind, words, _) in {**OF_SOURCES, **OF_SINKS, **OF_SERVICE}.items():
        assert kind in ("counter", "gauge")
        assert words
        assert not name.endswith("_total"), name  # the library adds it to counters
        assert not name.endswith(("_ms", "_s", "_milliseconds")), name


def test_an_index_whose_server_is_away_is_degraded():
    away = {**HEALTH["indexes"][0], "degraded": "the Milvus server host:1 cannot be reached, or is too slow"}
    found = read(exposition(Health.model_validate({**HEALTH, "indexes": (away,)})))
    assert found["stream_match_index_degraded", "i"] == 1


def test_what_is_not_known_is_left_out():
    bare = {**HEALTH, "store": None, "indexes": (), "sources": ({**SOURCE, "level_dbfs": None},)}
    found = {name for name, *_ in read(exposition(Health.model_validate(bare)))}
    assert not found & {"stream_match_store_ok", "stream_match_index_tracks", "stream_match_level_dbfs"}
    assert not found & {"stream_match_best_candidate_score", "stream_match_last_match_timestamp_seconds"}


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UsageError, match=r"pip install .*\[web\]'"):
        exposition(Health.model_validate(HEALTH))


def test_healthz_is_503_where_a_restart_helps():
    told = {"alive": True, "ok": False, "sources": ["a secret place"]}
    healthz = probe_routes(lambda: told, lambda: "")[0].endpoint
    answer = asyncio.run(healthz(None))
    assert (answer.status_code, json.loads(answer.body)) == (200, {"alive": True, "ok": False})
    told["alive"] = False
    assert asyncio.run(healthz(None)).status_code == 503


def ask(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail("it does not come about")


def test_a_listener_is_asked(tmp_path):
    port = free_port()
    given = env()
    given["env"]["STREAM_MATCH_WEB_TOKEN"] = TOKEN
    args = ["--source", "hall=pcm:-?rate=22050&channels=1&format=s16le", "--state", tmp_path / "state"]
    args += ["--sink", f"jsonl:{tmp_path / 'events'}", "--web", f"127.0.0.1:{port}", "--node", "attic"]
    known = {"Authorization": f"Bearer {TOKEN}"}
    process = subprocess.Popen(
        command("listen", *args), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, **given
    )
    try:
        process.stdin.write(b"\x00\x10\x00\xf0" * 22_050 * 2)  # four seconds
        process.stdin.flush()
        until(lambda: ask(port, "/healthz") == (200, '{"alive":true,"ok":true}'))
        assert ask(port, "/metrics")[0] == 401
        until(
            lambda: read(ask(port, "/metrics", **known)[1])["stream_match_audio_seconds_total", "hall"] >= 3
        )
        health = Health.model_validate_json(ask(port, "/api/health", **known)[1])
        assert (health.node, health.sources[0].source, health.sources[0].state) == (
            "attic",
            "hall",
            "running",
        )
        asked = subprocess.run(
            command("health", "--web", f"127.0.0.1:{port}", "--json"),
            capture_output=True, text=True, timeout=WAIT_S, check=True, **given,
        )  # fmt: skip
        assert json.loads(asked.stdout)["sources"][0]["source"] == "hall"
    finally:
        process.stdin.close()
        assert process.wait(WAIT_S) == 0
