"""Encryption, asked of a real broker."""

import asyncio
import shutil
import ssl
import subprocess

import pytest
from publish_samples import match
from publish_waiting import drained, told

from stream_match.errors import SinkError
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.tls import tls_trouble

NAMES = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]


def make_sink(uri, **options):
    return MqttSink(Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.05), **options)


def deliver(uri):
    async def run():
        async with make_sink(uri) as sink:
            await sink.publish(match(1))
            await drained(sink)

    asyncio.run(run())


def fail(uri, caplog, words):
    async def run():
        async with make_sink(uri, flush_s=0.1):
            await told(caplog, words)

    asyncio.run(run())


@pytest.fixture
def certify(tmp_path):
    """`certify(name)`: a certificate that stands for itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")

    def make(name, *protection):
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        how = [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            *(protection or ("-nodes",)),
            "-days",
            "2",
            *NAMES,
        ]
        subprocess.run([*how, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return certificate, key

    return make


@pytest.fixture
def broker(absent_mosquitto, certify):
    """`broker(*lines)`: one that encrypts, and the certificate to trust."""

    def start(*lines):
        certificate, key = certify("broker")
        with absent_mosquitto.config.open("a") as config:
            config.write("\n".join([f"certfile {certificate}", f"keyfile {key}", *lines, ""]))
        absent_mosquitto.start()
        return f"mqtts://127.0.0.1:{absent_mosquitto.port}", certificate

    return start


def test_with_the_right_certificate(broker):
    uri, certificate = broker()
    deliver(f"{uri}?cafile={certificate}")
    deliver(f"{uri}?insecure=1")


def test_an_unknown_certificate_is_told_with_what_helps(broker, caplog):
    fail(broker()[0], caplog, "no encryption to be trusted")
    assert "cafile=PATH" in caplog.text
    assert "insecure=1" in caplog.text


def test_a_certificate_for_another_name_is_told_with_what_helps(broker, caplog):
    uri, certificate = broker()
    fail(f"{uri.replace('127.0.0.1', '127.1')}?cafile={certificate}", caplog, "no encryption")
    assert "write the host as its certificate names it" in caplog.text
    assert "cafile=PATH" not in caplog.text


@pytest.mark.parametrize("code", [9, 10])  # not valid yet, and not any more
def test_a_certificate_out_of_time_is_told_with_what_helps(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    error.verify_code, error.verify_message = code, "the certificate is out of time"
    assert "check the clock of this computer" in tls_trouble(error)


def test_a_broker_without_encryption_is_told(mosquitto, caplog):
    fail(mosquitto.uri.replace("mqtt:", "mqtts:"), caplog, "mqtt:// is without encryption")


def test_a_broker_that_asks_for_a_certificate_gets_it(broker, certify, caplog):
    certificate, key = certify("client")
    uri, trusted = broker(f"cafile {certificate}", "require_certificate true")
    deliver(f"{uri}?cafile={trusted}&certfile={certificate}&keyfile={key}")
    fail(f"{uri}?cafile={trusted}", caplog, "certfile=PATH")
    assert "our client certificate" in caplog.text


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_file_of_authorities_is_told_at_once(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(SinkError, match="cafile="):
        deliver(f"mqtts://localhost?cafile={path}")


def test_a_bad_certificate_of_the_client_is_told_at_once(certify, tmp_path):
    certificate, key = certify("one")
    other, _ = certify("two")
    locked, locked_key = certify("locked", "-passout", "pass:secret")
    for query in (
        f"certfile={tmp_path}/absent.pem",
        f"certfile={certificate}",
        f"certfile={other}&keyfile={key}",
        f"certfile={locked}&keyfile={locked_key}",
    ):
        with pytest.raises(SinkError, match="certfile="):
            deliver(f"mqtts://localhost?{query}")
