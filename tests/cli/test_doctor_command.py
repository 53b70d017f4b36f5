"""`doctor` and `health` of real brokers, servers and files: what is wrong is found, nothing is left."""

import asyncio
import datetime
import ipaddress
import json
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from capture.capture_servers import Server, serving
from fleet.nats_servers import nats
from publish.conftest import absent_mosquitto, guarded_mosquitto, mosquitto

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.doctor import broker, check, computer, storage
from stream_match.errors import install_command
from stream_match.publish.address import Address
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.serving import Offer
from stream_match.service.claim import claimed
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE

__all__ = ["absent_mosquitto", "guarded_mosquitto", "mosquitto", "nats"]

SECRET = "s3cr3t%40word"


@pytest.fixture
def doctor(run_cli, stranger):
    """Run the command; return its exit status and the checks by their names."""

    def run(*args, source=stranger):
        done = run_cli("doctor", "--json", *(("--source", f"file={source}") if source else ()), *args)
        assert not done.stderr
        checks = [json.loads(line) for line in done.stdout.splitlines()]
        assert all(set(found) == {"check", "ok", "said", "do"} for found in checks)
        assert done.returncode == (0 if all(found["ok"] for found in checks) else 1)
        assert all(found["do"] for found in checks if not found["ok"])
        assert SECRET not in done.stdout
        assert "s3cr3t@word" not in done.stdout
        return {found["check"].partition(": ")[2] or found["check"]: found for found in checks}

    return run


def failed(checks):
    return [name for name, found in checks.items() if not found["ok"]]


def test_a_house_in_order(doctor, index, mosquitto, tmp_path):
    checks = doctor("--index", index, "--state", tmp_path / "state", "--sink", mosquitto.uri)
    assert failed(checks) == []
    assert {
        "clock",
        f"index {index}",
        "state folder",
        "disk",
        "store",
        "name",
        "connection",
        "login",
        "messages",
    } <= set(checks)
    assert "2 tracks" in checks[f"index {index}"]["said"]
    assert " s heard" in checks["source file"]["said"]
    assert not (tmp_path / "state").exists()  # it only looks


def test_what_was_written_to_try_the_broker_is_gone(doctor, mosquitto, ear):
    async def left():
        async with ear(mosquitto.port) as heard:
            heard._client  # noqa: B018 - subscribed to everything
            import aiomqtt

            async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
                await client.publish("end", "of it", qos=1)
            await heard.until_heard("end", "of it")
            return [entry for entry in heard.heard if entry[0] != "end"]

    assert failed(doctor("--sink", f"{mosquitto.uri}/base")) == []
    assert asyncio.run(left()) == []


@pytest.fixture
def ear():
    from publish.conftest import _ear

    return _ear


def test_lines_for_people(run_cli, stranger):
    done = run_cli("doctor", "--source", stranger, "--source", "gone=/no/such.wav")
    assert "✗ source gone: " in done.stdout
    assert "    → Check that the file is there and can be read." in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 failed")


def test_a_wrong_password_and_a_right_one(doctor, guarded_mosquitto):
    host = f"127.0.0.1:{guarded_mosquitto.port}"
    wrong = doctor("--sink", f"mqtt://guest:{SECRET}@{host}")
    assert failed(wrong) == ["login"]
    assert "refuses user or password" in wrong["login"]["said"]
    right = doctor("--sink", f"mqtt://guest:secret@{host}")
    assert failed(right) == []
    assert "mqtts://" in right["login"]["do"]  # it works, but should not


def test_a_password_in_a_file_is_read_and_where_it_may_stand_is_said(doctor, guarded_mosquitto, tmp_path):
    (tmp_path / "password").write_text("wrong\n")
    config = tmp_path / "listen.toml"
    config.write_text(
        f"[[sinks]]\nuri = 'mqtt://127.0.0.1:{guarded_mosquitto.port}'\nusername = 'guest'\n"
        f"password_file = '{tmp_path / 'password'}'\n"
    )
    wrong = doctor("--config", config)
    assert failed(wrong) == ["login"]
    assert "password_file" in wrong["login"]["do"]
    assert "password_file" in wrong["login"]["said"]
    (tmp_path / "password").write_text("secret\n")
    assert failed(doctor("--config", config)) == []


@contextmanager
def called(mosquitto, node):
    """A listener of a name on a broker."""

    async def answer(*_):
        return "{}"

    async def listen(begun, over):
        sink = MqttSink(Address.parse(mosquitto.uri, {}), node=node)
        sink.serve(Offer(answer=answer, instance="0"))
        async with sink:
            while sink.delivery().connected is False:  # noqa: ASYNC110 - it has no event for that
                await asyncio.sleep(0.01)
            begun.set()
            await asyncio.to_thread(over.wait)

    begun, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(listen(begun, over)))
    thread.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        over.set()
        thread.join()


def test_a_name_that_another_listener_has(doctor, mosquitto, tmp_path):
    config = tmp_path / "listen.toml"
    config.write_text(f"node = 'attic'\nsinks = ['{mosquitto.uri}']\n")
    state = ("--config", config, "--state", tmp_path)
    assert doctor(*state)["node"]["said"] == "No listener is called 'attic' there now."
    with called(mosquitto, "attic"):
        taken = doctor(*state)
        assert failed(taken) == ["node"]
        assert "another name (node = …)" in taken["node"]["do"]
        with claimed(tmp_path):  # it is the one of these settings
            assert (doctor(*state)["node"]["ok"], doctor(*state)["node"]["do"]) == (True, None)
        alone = doctor("--config", config)["node"]
        assert (alone["ok"], "If it is another one" in alone["do"]) == (True, True)
    with called(mosquitto, "cellar"):
        assert failed(doctor(*state)) == []


def test_an_address_of_the_page_that_is_taken(doctor, tmp_path):
    pytest.importorskip("uvicorn", reason="the extra web is not installed")
    config = tmp_path / "listen.toml"

    def page(port, *more):
        config.write_text(f"node = 'attic'\n[web]\nlisten = '127.0.0.1:{port}'\n")
        return doctor("--config", config, *more)["page"]

    with deaf() as port:
        pass
    assert page(port)["ok"]
    with serving(Server()) as server:
        taken = page(server.server_port)
        assert (taken["ok"], "is taken by another program" in taken["said"]) == (False, True)
        healthy = {"alive": True, "ok": True}
        server.pages["/healthz"] = answering(healthy)
        assert "is taken by another page" in page(server.server_port)["said"]  # behind a token, as it seems
        server.pages["/api/health"] = answering({**healthy, "node": "cellar"})
        assert "the page of the listener 'cellar'" in page(server.server_port)["said"]
        server.pages["/api/health"] = answering({**healthy, "node": "attic"})
        alone = page(server.server_port)
        assert (alone["ok"], "If it is another one" in alone["do"]) == (True, True)
        assert not page(server.server_port, "--state", tmp_path)["ok"]
        with claimed(tmp_path):
            own = page(server.server_port, "--state", tmp_path)
        assert (own["ok"], own["do"]) == (True, None)
        assert "The listener 'attic' shows it" in own["said"]
    config.write_text("[web]\nlisten = '192.0.2.1:8765'\ntoken = '0123456789abcdef'\n")
    elsewhere = doctor("--config", config)["page"]
    assert (elsewhere["ok"], "Errno" in elsewhere["said"]) == (False, False)


def test_what_a_user_may_not_publish(doctor, absent_mosquitto, tmp_path):
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    with absent_mosquitto.config.open("a") as config:
        config.write(f"acl_file {rules}\n")
    absent_mosquitto.start()
    checks = doctor("--sink", absent_mosquitto.uri)
    assert failed(checks) == ["messages"]
    assert "ACL" in checks["messages"]["do"]


def test_a_broker_that_is_not_there_and_a_name_that_nobody_knows(doctor, absent_mosquitto):
    checks = doctor("--sink", absent_mosquitto.uri)
    assert failed(checks) == ["connection"]
    assert "Nothing listens on port" in checks["connection"]["said"]
    assert "login" not in checks
    assert failed(doctor("--sink", "mqtt://no-such-host.invalid")) == ["name"]


@contextmanager
def deaf():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_broker_that_says_nothing_does_not_hold_it_up(doctor, monkeypatch):
    monkeypatch.setattr(broker, "STAGE_S", 2.0)
    began = time.monotonic()
    with deaf() as port:
        assert failed(doctor("--sink", f"mqtt://127.0.0.1:{port}")) == ["login"]
        assert failed(doctor("--sink", f"mqtts://127.0.0.1:{port}")) == ["encryption"]
    assert time.monotonic() - began < 30


@pytest.fixture
def encrypted(absent_mosquitto, tmp_path):
    """`encrypted(days)`: a broker whose certificate ends in so many days."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def start(days):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(7).not_valid_before(now - datetime.timedelta(days=90))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        certificate, private = tmp_path / "broker.pem", tmp_path / "broker.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        lines = f"certfile {certificate}\nkeyfile {private}\n"
        if lines not in (said := absent_mosquitto.config.read_text()):
            absent_mosquitto.config.write_text(said + lines)
        absent_mosquitto.start()
        return f"mqtts://127.0.0.1:{absent_mosquitto.port}", certificate

    return start


def test_encryption_that_is_good_for_long_or_not_trusted_or_of_another_name(doctor, encrypted):
    uri, certificate = encrypted(60)
    good = doctor("--sink", f"{uri}?cafile={certificate}")
    assert failed(good) == []
    assert (
        "good for 59 days" in good["encryption"]["said"] or "good for 60 days" in good["encryption"]["said"]
    )
    assert good["encryption"]["do"] is None
    assert failed(unknown := doctor("--sink", uri)) == ["encryption"]
    assert "cafile=PATH" in unknown["encryption"]["do"]
    other = doctor("--sink", f"{uri.replace('127.0.0.1', '127.1')}?cafile={certificate}")
    assert failed(other) == ["encryption"]
    assert "as its certificate names it" in other["encryption"]["do"]
    assert "insecure=1" in doctor("--sink", f"{uri}?insecure=1")["encryption"]["do"]


def test_a_certificate_that_ends_soon_and_one_that_has_ended(doctor, encrypted, absent_mosquitto):
    uri, certificate = encrypted(3)
    soon = doctor("--sink", f"{uri}?cafile={certificate}")
    assert failed(soon) == []
    assert soon["encryption"]["do"] == "Have the certificate renewed."
    absent_mosquitto.kill()
    uri, certificate = encrypted(-1)
    over = doctor("--sink", f"{uri}?cafile={certificate}")
    assert failed(over) == ["encryption"]
    assert "expired" in over["encryption"]["said"]


def test_encryption_where_there_is_none(doctor, mosquitto):
    checks = doctor("--sink", mosquitto.uri.replace("mqtt:", "mqtts:"))
    assert failed(checks) == ["encryption"]
    assert "mqtt://" in checks["encryption"]["do"]


def write(path, y):
    soundfile.write(path, y, SAMPLE_RATE_HZ)
    return path


def test_servers_that_sources_are_shared_over(doctor, nats, tmp_path):
    config = tmp_path / "listen.toml"
    token = SECRET.replace("%40", "@")
    server, bare = nats(f'authorization {{ token: "{token}" }}'), nats(jetstream=False)

    def checks(servers, password=token):
        config.write_text(f"[share]\nservers = '{servers}'\npassword = '{password}'")
        found = doctor("--config", config)
        return [found[name] for name in found if name.startswith("fleet")]

    (found,) = checks(server.uri)
    assert (found["ok"], found["said"]) == (True, "It keeps the leases of the fleet 'stream_match'.")
    overridden = doctor("--config", config, "--share", bare.uri)
    assert "has no JetStream" in next(found for name, found in overridden.items() if "fleet" in name)["said"]
    (found,) = checks(server.uri, "other")
    assert "refuses us: check the token" in found["said"]
    (found,) = checks(bare.uri)
    assert "has no JetStream" in found["said"]
    (found,) = checks("nats://")
    assert "cannot be understood" in found["said"]


def test_silence_and_faint_sound(doctor, tmp_path):
    silent = write(tmp_path / "silent.wav", np.zeros(3 * SAMPLE_RATE_HZ))
    found = doctor(source=silent)["source file"]
    assert (found["ok"], "digital silence" in found["said"]) == (False, True)
    faint = write(tmp_path / "faint.wav", np.random.default_rng(1).normal(0, 3e-4, 3 * SAMPLE_RATE_HZ))
    found = doctor(source=faint)["source file"]
    assert (found["ok"], "very faint" in found["do"]) == (True, True)


def test_a_source_that_hangs_is_given_up(doctor, monkeypatch):
    from stream_match.doctor import sources

    monkeypatch.setattr(sources, "OPEN_S", 1.0)
    with deaf() as port:
        checks = doctor("--source", f"radio=http://ann:{SECRET}@127.0.0.1:{port}/live", source=None)
    assert failed(checks) == ["source radio"]
    assert "no answer within 1 s" in checks["source radio"]["said"]


def test_a_clock_that_differs_from_a_server_s(monkeypatch, doctor):
    with serving(Server()) as server:
        url = server.url("/live")
        assert "as at 127.0.0.1" in asyncio.run(_clock(url))["said"]

        class Past(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return super().now(tz) + datetime.timedelta(seconds=shift)

        monkeypatch.setattr(computer, "datetime", Past)
        shift = 3600
        assert "is +360" in asyncio.run(_clock(url))["said"]
        shift = -20 * 365 * 86_400
        assert "The clock says 200" in asyncio.run(_clock(url))["said"]


async def _clock(url):
    found = await check.checked("clock", lambda: check.aside(lambda: computer._clock([url])), limit_s=20)
    return vars(found)


def test_a_state_folder_that_is_in_use(doctor, tmp_path):
    with claimed(tmp_path):
        assert "a listener uses it now" in doctor("--state", tmp_path)["state folder"]["said"]
    assert "now" not in doctor("--state", tmp_path)["state folder"]["said"]


def test_a_file_that_events_go_to(doctor, tmp_path):
    for place in ("no/events.jsonl", "", "events.jsonl"):
        path = tmp_path / place
        check = doctor("--sink", f"jsonl:{path}")[f"sink jsonl:{path}"]
        assert check["ok"] == (place == "events.jsonl"), check
        assert str(tmp_path) in check["said"]
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_a_file_where_the_state_folder_should_be(doctor, tmp_path):
    (tmp_path / "state").touch()
    assert failed(doctor("--state", tmp_path / "state" / "deeper")) == ["state folder"]


def test_a_store_that_is_sound_damaged_later_or_earlier(doctor, tmp_path):
    path = tmp_path / FILE
    store = Store(path)
    store.open()
    store.close()
    assert "0 events" in doctor("--state", tmp_path)["store"]["said"]
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert failed(doctor("--state", tmp_path)) == ["store"]
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    found = doctor("--state", tmp_path)["store"]
    assert (found["ok"], "sets it aside" in found["do"]) == (False, True)


def test_too_little_room(doctor, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LITTLE_BYTES", 1 << 60)
    assert failed(doctor("--state", tmp_path)) == ["disk"]


def test_a_damaged_index(doctor, index, tmp_path):
    import shutil

    copy = shutil.copytree(index, tmp_path / "copy")
    (copy / "manifest.json").write_text("{")
    assert failed(doctor("--index", copy)) == [f"index {copy}"]


def test_settings_that_are_wrong_are_the_only_check(doctor, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text('sinks = ["mqtt://host"]\n[store]\nkeep_dys = 3\n')
    checks = doctor("--config", config, source=None)
    assert failed(checks) == ["settings"] == list(checks)
    assert "keep_days" in checks["settings"]["said"]


def test_a_missing_library(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "amqtt", None)
    with pytest.raises(check.Finding, match="amqtt is not installed") as caught:
        computer._library("amqtt", "amqtt", "embedded")
    assert caught.value.do == f"{install_command('embedded')}."


def answering(body, code=200):
    def page(handler):
        handler.send_response(code)
        handler.end_headers()
        handler.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    return page


def test_how_a_listener_is(run_cli):
    with serving(Server()) as server:

        def health(alive, ok, *args, code=200):
            server.pages["/healthz"] = answering({"alive": alive, "ok": ok}, code)
            server.pages["/api/health"] = answering({"alive": alive, "ok": ok, "troubles": ["radio: gone"]})
            done = run_cli("health", "--web", f"127.0.0.1:{server.server_port}", *args)
            return done.returncode, done.stdout.splitlines()

        assert health(True, True) == (0, ["ok", "radio: gone"])
        assert health(True, False) == (0, ["not ok", "radio: gone"])
        assert health(True, False, "--strict")[0] == 1
        assert health(False, False, code=503)[0] == 1
        assert json.loads(health(True, True, "--json")[1][0])["troubles"] == ["radio: gone"]
        server.pages["/healthz"] = answering({"alive": True, "ok": False})
        server.pages["/api/health"] = answering({}, 401)
        done = run_cli("health", "--web", f"127.0.0.1:{server.server_port}")
        said = "The page wants its token: set STREAM_MATCH_WEB_TOKEN to be told why."
        assert (done.returncode, done.stdout.splitlines()) == (0, ["not ok", said])
        server.pages["/healthz"] = answering({"alive": True, "ok": True})
        done = run_cli("health", "--web", f"127.0.0.1:{server.server_port}")
        assert done.stdout.splitlines() == ["ok"]
        server.pages["/healthz"] = answering(b"<html>")
        assert run_cli("health", "--web", f"127.0.0.1:{server.server_port}").returncode == 1
    done = run_cli("health", "--web", f"127.0.0.1:{server.server_port}")
    where = f"127.0.0.1:{server.server_port}"
    said = f"start the listener (listen --web {where}), or give the address of its page."
    assert (done.returncode, done.stderr) == (1, f"stream-match: Nothing answers at {where}: {said}\n")
    done = run_cli("health", "--web", "no-such-host.invalid:80")
    assert (done.returncode, "No computer is known as 'no-such-host.invalid'" in done.stderr) == (1, True)
    assert run_cli("health", "--web", "nonsense").returncode == 2
    assert threading.active_count() < 50
