import pytest

from stream_match.errors import UsageError
from stream_match.publish import open_sink
from stream_match.publish.address import Address, redact

SECRETS = {"STREAM_MATCH_MQTT_USERNAME": "env-user", "STREAM_MATCH_MQTT_PASSWORD": "env-pass"}


def test_everything_in_a_uri():
    address = Address.parse(
        "mqtts://us%40er:p%2Fa%23ss@example.org:8884/home/radio?cafile=/ca.pem&insecure=yes", {}
    )
    assert address == Address(
        "example.org", 8884, "home/radio", True, "/ca.pem", True, username="us@er", password="p/a#ss"
    )


def test_the_certificate_of_the_client():
    address = Address.parse("mqtts://host?certfile=me.pem&keyfile=me.key", {})
    assert (address.certfile, address.keyfile) == ("me.pem", "me.key")


def test_what_a_uri_need_not_say():
    assert Address.parse("mqtt://localhost", {}) == Address("localhost", 1883, "stream_match")
    assert Address.parse("mqtts://localhost/", {}).port == 8883


def test_the_environment_may_hold_the_secrets():
    address = Address.parse("mqtt://localhost", SECRETS)
    assert (address.username, address.password) == ("env-user", "env-pass")
    address = Address.parse("mqtt://me:mine@localhost", SECRETS)
    assert (address.username, address.password) == ("me", "mine")


def test_secrets_show_nowhere():
    address = Address.parse("mqtt://me:mine@[::1]/radio", {})
    assert address.uri == "mqtt://[::1]:1883/radio"
    assert "me" not in repr(address).replace("username", "")
    assert "mine" not in repr(address)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mqtt://me:hidden@host/base", "mqtt://***@host/base"),
        ("mqtt://me:hid#den@host", "mqtt://***@host"),
        ("mqtt://me:hid@den@host", "mqtt://***@host"),
        ("mqtt://me:hidden", "mqtt://***"),
        ("mqtt://me:hid/den", "mqtt://***"),
        ("mqtt://host:1883/base", "mqtt://host:1883/base"),
        ("mqtt://[::1]:1883", "mqtt://[::1]:1883"),
    ],
)
def test_redact(uri, shown):
    assert redact(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        "mqtt://",
        "mqtt:",
        "mqtt:///base",
        "mqtt://me:hidden",
        "mqtt://me:hid#den@host",
        "mqtt:/me:hidden@host",
        "mqtts:me:hidden@host/base",
        "mqtt:////me:hidden@host//x",
        "mqtts://host?xmqtt://me:hidden@host",
        "mqtt://me:hid/den@host",
        "mqtt://host:0",
        "mqtt://host:99999",
        "mqtt://a..b",
        "mqtt://" + 64 * "a",
        "mqtt://[::1",
        "mqtt://host/a/+/b",
        "mqtt://host/$SYS",
        "mqtt://host/a//b",
        "mqtt://host?cafile=x",
        "mqtts://host?cafiel=x",
        "mqtts://host?insecure=perhaps",
        "mqtts://host?cafile=",
        "mqtts://host?keyfile=key.pem",
        "http://host",
        "console:loud",
        "embedded:1883",
        "embedded:?port=70000",
        "embedded:?prot=1",
        "jsonl:",
        "events.jsonl",
        "",
    ],
)
def test_a_uri_that_cannot_be_understood_is_refused_in_one_sentence(uri):
    with pytest.raises(UsageError) as refused:
        open_sink(uri, node="attic")
    message = str(refused.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "hid" not in message


@pytest.mark.parametrize("node", ["", "At tic", "a/b", "+", "x" * 65])
def test_a_node_that_does_not_fit_in_a_topic_is_refused(node):
    with pytest.raises(UsageError, match="node"):
        open_sink("jsonl:-", node=node)


def test_the_tls_port_without_tls_is_told(caplog):
    Address.parse("mqtt://host:8883", {})
    assert "mqtts://" in caplog.text
    caplog.clear()
    Address.parse("mqtts://host", {})
    assert not caplog.messages


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mqtt://me:hidden@host", "mqtt://host:1883/stream_match"),
        ("MQTTS://host/radio", "mqtts://host:8883/radio"),
        ("embedded:", "embedded:"),
        ("embedded:?port=1883", "embedded:?port=1883"),
        ("jsonl:-", "jsonl:-"),
        ("jsonl:events.jsonl", "jsonl:events.jsonl"),
        ("console:", "console:"),
    ],
)
def test_every_sink_has_a_uri_without_secrets(uri, shown):
    assert open_sink(uri, node="attic").uri == shown
