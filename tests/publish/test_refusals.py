"""What a broker refuses, asked of a real one: by permission, by size, with MQTT 5 and with 3.1.1."""

import asyncio
import contextlib
import json

import pytest
from publish_brokers import CONNACK, CONNACK_OF_3, broker_that, broker_that_breaks, read_packet
from publish_samples import match, sound, status
from publish_waiting import drained, told

from stream_match.events import Track
from stream_match.publish import mqtt, topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.dialect import V5, V311, Dialect
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.policy import PATIENT_ATTEMPTS

NODE = "stream_match/attic/status"
STATUS = "stream_match/attic/kitchen/status"
PLAYING = "stream_match/attic/kitchen/now_playing"
MATCH = "stream_match/attic/kitchen/match"

LARGE = Track(id="a/b", title="x" * 1500)
LIMIT = 1800
"""A small event fits below it, one of a `LARGE` track does not."""


def make_sink(broker, version=V5):
    sink = MqttSink(
        Address.parse(broker.uri, {}), node="attic", backoff=Backoff(0.01, 0.05), dialect=Dialect(version)
    )
    sink._between_attempts = Backoff(0.001, 0.001)
    return sink


def start(broker, *lines):
    with broker.config.open("a") as config:
        config.write("\n".join(lines) + "\n")
    broker.start()


def ids(heard, topic=MATCH):
    return [json.loads(payload)["event_id"] for payload in heard.payloads(topic)]


def one_in_fifty(number):
    return match(number, "updated", track=LARGE) if number % 50 == 7 else match(number, "updated")


@pytest.fixture
def ways(absent_mosquitto, ear, caplog):
    """`ways(version, events, *lines)`: publish to a broker so set up; what arrived, and the sink."""

    def publish(version, events, *lines):
        start(absent_mosquitto, *lines)

        async def run():
            async with ear(absent_mosquitto.port) as heard:
                async with make_sink(absent_mosquitto, version) as sink:
                    for event in events:
                        await sink.publish(event)
                    await drained(sink)
                await heard.until_heard(NODE, "stopped")
                return heard, sink

        return asyncio.run(run())

    return publish


@pytest.mark.parametrize("version", [V5, V311])
@pytest.mark.parametrize("limit", ["max_packet_size", "message_size_limit"])
def test_of_a_broker_that_takes_no_large_message_all_others_come_in_order(ways, limit, version):
    events = [status(0, "starting"), *(one_in_fifty(number) for number in range(1, 200))]
    heard, sink = ways(version, events, f"{limit} {LIMIT}")
    assert ids(heard) == [event.event_id for event in events[1:] if event.track != LARGE]
    silently = version == V311 and limit == "message_size_limit"  # mosquitto acknowledges, and drops it
    assert sink.set_aside == (0 if silently else 4)


def test_with_mqtt_5_the_limit_is_known_before_and_the_node_stays_online(ways, caplog):
    heard, sink = ways(
        V5, [match(1, track=LARGE), match(2, "ended", track=LARGE)], f"max_packet_size {LIMIT}"
    )
    assert heard.payloads(NODE) == ["online", "stopped"]
    assert f"takes packets of {LIMIT} bytes at most" in caplog.text
    assert heard.payloads(MATCH) == []
    assert sink.set_aside == 2


def test_with_mqtt_3_the_node_goes_offline_no_oftener_than_it_takes_to_find_out(ways, caplog):
    events = [one_in_fifty(number) for number in range(200)]
    heard, sink = ways(V311, events, f"max_packet_size {LIMIT}")
    assert heard.payloads(NODE).count("offline") <= 6  # three for the match, three for what is playing
    assert "broke again and again" in caplog.text
    assert sink.set_aside == 4


def test_sounds_too_large_for_a_broker_of_mqtt_3_do_not_break_the_connection_for_ever(ways):
    large = {f"feature_{number}": 0.5 for number in range(200)}
    events = []
    for number in range(0, 60, 2):
        events += [sound(number, features=large), match(number + 1, "updated")]
    heard, _ = ways(V311, events, f"max_packet_size {LIMIT}")
    assert ids(heard) == [event.event_id for event in events if event.type == "match"]
    assert heard.payloads(NODE).count("offline") <= 3


def test_what_is_playing_is_not_said_wrongly_when_it_is_too_large(ways):
    events = [match(1), match(2, "updated", match_id="m2", track=LARGE)]
    heard, _ = ways(V5, events, f"max_packet_size {LIMIT}")
    assert set(heard.payloads(PLAYING)) == {topics.NOTHING_PLAYING}


@pytest.fixture
def acl(tmp_path):
    """Lines for a broker that lets anyone read, and write nothing but what is given."""

    def lines(*allowed):
        file = tmp_path / "acl"
        file.write_text("".join(f"topic {rule}\n" for rule in ("read #", *allowed)))
        file.chmod(0o600)
        # mosquitto 2.0.11 breaks off over a denied message when its queues are unbounded.
        return f"acl_file {file}\nmax_queued_messages 100000"

    return lines


def test_with_mqtt_5_a_missing_permission_is_told_and_the_others_go_on(ways, acl, caplog):
    events = [match(1), status(2), match(3, "ended"), status(4, "stopped")]
    permission = acl(f"write {NODE}", "write stream_match/attic/kitchen/status")
    heard, sink = ways(V5, events, permission)
    assert [json.loads(said)["state"] for said in heard.payloads("stream_match/attic/kitchen/status")][
        -1
    ] == ("stopped")
    assert heard.payloads(MATCH) == []
    assert sink.set_aside == 2
    assert "does not allow it to this user: check the permissions (ACL) (reason code 135)" in caplog.text
    assert heard.payloads(NODE) == ["online", "stopped"]


def test_events_go_on_where_the_state_of_the_node_is_not_allowed(absent_mosquitto, acl, ear, caplog):
    start(absent_mosquitto, acl(f"write {MATCH}"))

    async def run():
        async with ear(absent_mosquitto.port) as heard, make_sink(absent_mosquitto) as sink:
            await sink.publish(match(1))
            await heard.until(lambda _: heard.payloads(MATCH))

    asyncio.run(run())
    assert NODE in caplog.text


def test_an_event_that_is_no_json_does_not_stop_its_source(mosquitto, ear):
    """Neither its own topic nor the retained ones of the match that it belongs to."""
    broken = match(1).model_copy(update={"source_name": "caf\udce9"})

    async def run():
        async with ear(mosquitto.port) as heard, make_sink(mosquitto) as sink:
            for event in (broken, status(2), match(3, "ended")):
                await sink.publish(event)
            await drained(sink)
            await heard.until(lambda _: "e000003" in "".join(heard.payloads(MATCH)))
            return sink

    assert asyncio.run(run()).set_aside == 1


def test_a_broker_that_is_merely_stopped_is_not_told_as_a_wrong_password(mosquitto, caplog):
    async def run():
        async with make_sink(mosquitto) as sink:
            for number in range(40):
                await sink.publish(match(number, "updated"))
                if number % 10 == 5:
                    mosquitto.stop()
                    await sink.publish(match(1000 + number, "updated"))
                    await asyncio.sleep(0.05)
                    mosquitto.start()
                await asyncio.sleep(0.005)
            await drained(sink)
            assert sink.set_aside == 0

    asyncio.run(run())
    assert "password" not in caplog.text
    assert caplog.messages


def test_an_error_of_the_library_with_code_4_is_no_refusal(monkeypatch):
    """paho's 4 is "no connection" here, and "bad user name or password" in a CONNACK alone."""
    import aiomqtt

    from stream_match.publish.overheard import Overheard
    from stream_match.publish.policy import AwayError

    address = Address("localhost")
    with pytest.raises(AwayError) as lost, mqtt._translated(address, Overheard(welcomed=True)):
        raise aiomqtt.MqttCodeError(4, "Could not publish message")
    assert lost.value.kind == "lost"
    with pytest.raises(AwayError) as lost, mqtt._translated(address, Overheard()):
        raise aiomqtt.exceptions.MqttConnectError(134)
    assert lost.value.kind == "credentials"


@contextlib.asynccontextmanager
async def server(answer):
    """A server on loopback that reads, answers once with `answer`, and hangs up."""
    calls = []

    async def serve(reader, writer):
        calls.append(await reader.read(1000))
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield f"mqtt://127.0.0.1:{running.sockets[0].getsockname()[1]}", calls


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x01", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_does_not_understand_mqtt_5_is_asked_in_3_at_once(answer, caplog):
    async def run():
        async with (
            server(answer) as (uri, calls),
            MqttSink(Address.parse(uri), node="attic", flush_s=0.1, backoff=Backoff(60, 60)) as sink,
        ):
            await told(caplog, "it is tried again")
            assert sink._dialect.version == V5  # nothing worked
            return [call[8] for call in calls]  # the level of the protocol in a CONNECT

    assert asyncio.run(run()) == [V5, V311]


def levels_asked(connections, answers):
    """Connect so often; `answers(number, version)` to CONNECT: True, False for a hang-up, None for none."""
    dialect, levels = Dialect(), []

    async def serve(reader, writer):
        _, packet = await read_packet(reader)
        levels.append(packet[6])
        answer = answers(len(levels), packet[6])
        if answer:
            writer.write(CONNACK if packet[6] == V5 else CONNACK_OF_3)
        if answer is not False:
            await reader.read()
        writer.close()

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            for _ in range(connections):
                async with mqtt.connect(address, dialect=dialect):
                    pass

    asyncio.run(run())
    return levels


@pytest.mark.parametrize("other", [None, False])
def test_a_broker_of_mqtt_5_that_was_starting_is_spoken_to_in_mqtt_5_again(other, monkeypatch):
    """Else its reason codes and its limit would be lost for months."""
    monkeypatch.setattr("stream_match.publish.mqtt.ANSWER_S", 0.3)
    assert levels_asked(3, lambda number, _: True if number > 1 else other) == [V5, V311, V5, V5]


@pytest.mark.parametrize("other", [None, False])
def test_a_broker_that_does_not_answer_in_mqtt_5_is_asked_in_3_first_from_then_on(other, monkeypatch):
    """So does amqtt, which is silent when there is a last will."""
    monkeypatch.setattr("stream_match.publish.mqtt.ANSWER_S", 0.3)
    answered = levels_asked(3, lambda _, version: True if version == V311 else other)
    assert answered == [V5, V311, V5, V311, V311]


def test_a_broker_of_mqtt_5_may_be_replaced_by_one_of_3_and_that_by_one_of_5():
    def answers(number, version):
        return version == (V311 if 2 < number < 8 else V5)

    assert levels_asked(7, answers) == [V5, V5, V5, V311, V5, V311, V311, V311, V5, V311, V5]


def test_an_event_that_is_never_acknowledged_does_not_hold_up_the_others(monkeypatch, caplog):
    monkeypatch.setattr("stream_match.publish.mqtt.ANSWER_S", 0.1)

    async def run():
        async with broker_that(lambda topic: None if topic == MATCH else 0) as (uri, published):
            sink = MqttSink(Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.05))
            async with sink:
                for event in (match(1), status(2)):
                    await sink.publish(event)
                await drained(sink)
            return published.count(MATCH), published.count(STATUS) > 0, sink.set_aside

    assert asyncio.run(run()) == (PATIENT_ATTEMPTS, True, 1)
    assert "does not answer" in caplog.text


def test_a_broker_that_never_acknowledges_anything_loses_no_event(monkeypatch, caplog):
    monkeypatch.setattr("stream_match.publish.mqtt.ANSWER_S", 0.05)
    answering = []

    async def run():
        async with broker_that(lambda _: 0 if answering else None) as (uri, published):
            sink = MqttSink(Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.02))
            async with sink:
                await sink.publish(match(1, "ended"))
                while published.count(NODE) < 8:  # noqa: ASYNC110  (the broker has no event for it)
                    await asyncio.sleep(0.01)
                answering.append(True)
                await drained(sink)
            return published.count(MATCH), sink.set_aside

    assert asyncio.run(run()) == (1, 0)


@pytest.mark.parametrize("topic", [MATCH, PLAYING, NODE])
def test_a_quota_that_is_exceeded_is_waited_for_and_the_node_stays_online(topic, caplog):
    codes = 6 * [151]

    def answer(name):
        return codes.pop() if name == topic and codes else 0

    async def run():
        async with broker_that(lambda name: codes.pop() if name == topic and codes else 0) as (
            uri,
            published,
        ):
            sink = MqttSink(Address.parse(uri, {}), node="attic")
            sink._quota = Backoff(0.01, 0.02)
            async with sink:
                await sink.publish(match(1))
                await drained(sink)
            return published, sink.set_aside

    published, set_aside = asyncio.run(run())
    assert published.count(topic) >= 7
    assert published.count(NODE) == 2 + 6 * (topic == NODE)  # online and stopped: one connection
    assert set_aside == 0
    assert "a quota is exceeded (reason code 151)" in caplog.text


def test_leaving_while_a_quota_is_exceeded_ends_in_time(caplog):
    async def run():
        async with broker_that(lambda topic: 151 if topic == MATCH else 0) as (uri, _):
            async with MqttSink(Address.parse(uri, {}), node="attic", flush_s=0.3) as sink:
                await sink.publish(match(1))
                await told(caplog, "a quota is exceeded")
            return sink.waiting

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("code", [128, 131, 144, 149, 153, 200])
def test_whatever_the_code_of_a_refusal_it_is_told_and_the_next_event_goes_on(code, caplog):
    async def run():
        async with broker_that(lambda topic: code if topic == MATCH else 0) as (uri, published):
            sink = MqttSink(Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.02))
            sink._between_attempts = Backoff(0.001, 0.001)
            async with sink:
                for event in (match(1), status(2)):
                    await sink.publish(event)
                await drained(sink)
            return published.count(MATCH), published.count(NODE), sink.set_aside

    assert asyncio.run(run()) == (3, 2, 1)  # online and stopped: the connection was kept
    assert f"(reason code {code})" in caplog.text


def test_a_listener_that_leaves_before_all_is_delivered_is_called_offline(mosquitto, ear):
    """Its states on the broker are not the last word: readers tell the ends."""

    async def run():
        async with ear(mosquitto.port) as heard:
            sink = MqttSink(Address.parse(mosquitto.uri, {}), node="attic", flush_s=0)
            async with sink:
                await heard.until_heard(NODE, "online")
                for number in range(500):
                    await sink.publish(match(number, "updated"))
            await heard.until_heard(NODE, "offline")
            assert sink.waiting

    asyncio.run(run())


def test_a_last_will_that_comes_late_does_not_undo_a_clean_stop():
    """The broker tells the will of an earlier run while `stopped` is under way."""
    will = bytes([0x30, 3 + len(NODE) + len("offline"), 0, len(NODE)]) + NODE.encode() + b"\0offline"

    async def run():
        async with broker_that_breaks(lambda *_: False, before_stopped=will) as (uri, published):
            async with MqttSink(Address.parse(uri, {}), node="attic") as sink:
                await sink.publish(match(1))
                await drained(sink)
            return published

    assert [said for topic, said in asyncio.run(run()) if topic == NODE] == ["online", "stopped"]
