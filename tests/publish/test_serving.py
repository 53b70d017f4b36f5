"""What a listener offers on a real broker beyond events: answers, one listener a name, devices."""

import asyncio
import contextlib
import json
import logging

import pytest
from publish_samples import match, status
from publish_waiting import told

from stream_match.events import to_json
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.instance import is_there
from stream_match.publish.mqtt import connect
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.overheard import LARGEST_BYTES
from stream_match.publish.serving import MOST_WAITING, Offer

NODE = "stream_match/attic/status"
MATCH = "stream_match/attic/kitchen/match"
REQUEST, RESPONSE = "stream_match/attic/request/", "stream_match/attic/response/"
DEVICE = "homeassistant/device/d/config"
ANNOUNCED = {"origin": {"name": "stream_match"}, "availability": [{"topic": NODE}]}


def offer(instance="one", **changes):
    async def answer(name, payload):
        return json.dumps({"asked": name, "bytes": len(payload)})

    return Offer(**({"answer": answer, "instance": instance} | changes))


@contextlib.asynccontextmanager
async def listening(broker, made=None):
    sink = MqttSink(Address.parse(broker.uri, {}), node="attic", backoff=Backoff(0.01, 0.05), flush_s=1.0)
    sink.serve(made or offer())
    async with sink:
        yield sink


@contextlib.asynccontextmanager
async def speaking(broker):
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        yield client


def answers(heard):
    return [(name, json.loads(payload)) for name, payload, _ in heard.heard if name.startswith(RESPONSE)]


def ids(heard):
    return [json.loads(payload)["match_id"] for payload in heard.payloads(MATCH)]


def test_requests_are_answered_in_order(mosquitto, ear):
    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto), speaking(mosquitto) as client:
            await heard.until_heard(NODE, "online")
            await client.publish(f"{REQUEST}pause", b'{"source": "kitchen"}')
            await client.publish(f"{REQUEST}health", b"")
            await client.publish(f"{REQUEST}pause/deeper", b"")
            await client.publish("stream_match/cellar/request/pause", b"")
            await client.publish(f"{REQUEST}resume", b"abc")
            await heard.until(lambda _: len(answers(heard)) == 3)
            assert answers(heard) == [
                (f"{RESPONSE}pause", {"asked": "pause", "bytes": 21}),
                (f"{RESPONSE}health", {"asked": "health", "bytes": 0}),
                (f"{RESPONSE}resume", {"asked": "resume", "bytes": 3}),
            ]
            assert not any(retained for name, _, retained in heard.heard if name.startswith(RESPONSE))

    asyncio.run(run())


def test_a_retained_request_is_ignored_and_told(mosquitto, ear, caplog):
    async def run():
        async with speaking(mosquitto) as client:
            await client.publish(f"{REQUEST}pause", b'{"source": "kitchen"}', qos=1, retain=True)
            async with ear(mosquitto.port) as heard, listening(mosquitto):
                await told(caplog, "The request pause is retained on the broker and is ignored")
                await heard.until_heard(NODE, "online")
                await client.publish(f"{REQUEST}health", b"")
                await heard.until(lambda _: answers(heard))
                assert [name for name, _ in answers(heard)] == [f"{RESPONSE}health"]

    asyncio.run(run())


def test_ten_megabytes_are_cut_off_and_answered(mosquitto, ear):
    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto), speaking(mosquitto) as client:
            await heard.until_heard(NODE, "online")
            await client.publish(f"{REQUEST}pause", b"x" * 10_000_000)
            await client.publish(f"{REQUEST}health", b"")
            await heard.until(lambda _: len(answers(heard)) == 2)
            assert [said["bytes"] for _, said in answers(heard)] == [LARGEST_BYTES + 1, 0]

    asyncio.run(run())


def test_of_a_flood_some_are_answered_and_the_rest_is_told(mosquitto, ear, caplog):
    async def run():
        gate = asyncio.Event()

        async def answer(name, payload):
            await gate.wait()
            return json.dumps({"asked": name, "bytes": len(payload)})

        async with (
            ear(mosquitto.port, f"{RESPONSE}#") as heard,
            listening(mosquitto, offer(answer=answer)) as sink,
            speaking(mosquitto) as client,
        ):
            async with ear(mosquitto.port, NODE) as node:
                await node.until_heard(NODE, "online")
            for number in range(500):
                await client.publish(f"{REQUEST}pause", str(number).encode())
            await told(caplog, "Requests come faster than they are answered")
            gate.set()
            await heard.until(lambda _: len(answers(heard)) >= MOST_WAITING)
            # Events go out all the same.
            await sink.publish(match(1))
            async with ear(mosquitto.port) as events:
                await events.until(lambda _: events.payloads("stream_match/attic/kitchen/now_playing"))
            assert len(answers(heard)) < 500

    asyncio.run(run())


def test_what_stands_retained_is_told_on_every_connection_and_when_it_changes(mosquitto, ear):
    budget = [0.1]

    def retained(base):
        return [topics.Message(f"{base}/attic/kitchen/settings", str(budget[0]), retain=True)]

    async def run():
        async with listening(mosquitto, offer(retained=retained)) as sink:
            async with ear(mosquitto.port) as heard:
                await heard.until_heard("stream_match/attic/kitchen/settings", "0.1")
                budget[0] = 0.5
                sink.tell_again()
                await heard.until_heard("stream_match/attic/kitchen/settings", "0.5")
            mosquitto.kill()
            mosquitto.start()
            async with ear(mosquitto.port) as heard:
                await heard.until_heard("stream_match/attic/kitchen/settings", "0.5")

    asyncio.run(run())


def test_a_second_listener_of_one_name_waits_until_the_first_has_ended(mosquitto, ear, caplog):
    async def run():
        async with ear(mosquitto.port) as heard, contextlib.AsyncExitStack() as leaving:
            first = await leaving.enter_async_context(listening(mosquitto, offer("zzz")))
            await heard.until_heard(NODE, "online")
            async with listening(mosquitto, offer("aaa")) as second:
                await second.publish(match(2, match_id="second"))
                await told(caplog, "Another listener is called 'attic' on this broker")
                assert "Another listener is called 'attic'" in second.delivery().away
                await first.publish(match(1, match_id="first"))
                await heard.until(lambda _: heard.payloads(MATCH))
                # Only one of the two answers, and only one publishes.
                async with speaking(mosquitto) as client:
                    await client.publish(f"{REQUEST}health", b"")
                    await client.publish(f"{REQUEST}health", b"1")
                await heard.until(lambda _: len(answers(heard)) == 2)
                assert ids(heard) == ["first"]
                await leaving.aclose()
                await heard.until(lambda _: len(ids(heard)) == 2)
                assert heard.payloads(NODE)[-2:] == ["stopped", "online"]
                assert second.delivery().away is None
            await heard.until(lambda _: heard.payloads(NODE)[-1] == "stopped")
            assert "offline" not in heard.payloads(NODE)

    asyncio.run(run())


def test_one_that_ends_while_it_waits_for_the_name_says_nothing(mosquitto, ear, caplog):
    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto, offer("zzz")) as first:
            await heard.until_heard(NODE, "online")
            async with listening(mosquitto, offer("aaa")) as second:
                await second.publish(match(2, match_id="second"))
                await told(caplog, "Another listener is called 'attic' on this broker")
            assert second.undelivered == 1
            await first.publish(match(1, match_id="first"))
            await heard.until(lambda _: ids(heard))
            assert ids(heard) == ["first"]
            assert heard.payloads(NODE) == ["online"]

    asyncio.run(run())


def test_the_one_that_was_there_keeps_the_name_over_a_restart_of_the_broker(mosquitto, ear, caplog):
    async def run():
        async with listening(mosquitto, offer("aaa")) as first:
            async with ear(mosquitto.port) as heard:
                await heard.until_heard(NODE, "online")
            async with listening(mosquitto, offer("zzz")) as second:
                await told(caplog, "Another listener is called 'attic'")
                for _ in range(3):
                    mosquitto.kill()
                    mosquitto.start()
                    async with ear(mosquitto.port) as heard:
                        await heard.until_heard(NODE, "online")
                        await first.publish(match(1, match_id="first"))
                        await second.publish(match(2, match_id="second"))
                        await heard.until(lambda _: ids(heard))
                        assert set(ids(heard)) == {"first"}

    asyncio.run(run())


def test_an_answer_that_comes_late_is_an_answer(mosquitto, ear, caplog, monkeypatch):
    """Two that begin at the same time may both go on; the one that is answered yields, and asks again."""
    monkeypatch.setattr("stream_match.publish.serving.RETURN_S", 1.01)

    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto) as sink, speaking(mosquitto) as client:
            await heard.until_heard(NODE, "online")
            await client.publish("stream_match/attic/instance", b'{"instance": "two", "answers": "one"}')
            await told(caplog, "Another listener is called 'attic'")
            # There is none: it has the name again.
            await heard.until(
                lambda _: heard.payloads(NODE)[-1] == "online" and len(heard.payloads(NODE)) > 1
            )
            await sink.publish(match(1))
            await heard.until(lambda _: ids(heard))

    asyncio.run(run())


@pytest.mark.parametrize("word", [b"", b"{", b"[1]", b'{"instance": 5}', b'{"instance": "two"}'])
def test_words_about_the_name_that_are_none_do_no_harm(word, mosquitto, ear):
    async def run():
        async with (
            ear(mosquitto.port, "stream_match/attic/#") as heard,
            listening(mosquitto),
            speaking(mosquitto) as client,
        ):
            await heard.until_heard(NODE, "online")
            await client.publish("stream_match/attic/instance", word)
            await client.publish(f"{REQUEST}health", b"")
            await heard.until(lambda _: answers(heard))
            assert heard.payloads(NODE) == ["online"]

    asyncio.run(run())


def test_a_listener_that_was_killed_keeps_nobody_waiting_for_ever(mosquitto, ear):
    """Its `online` may stand for a while: who takes over asks, waits a second for an answer, and goes on."""

    async def run():
        async with speaking(mosquitto) as client:
            await client.publish(NODE, b"online", qos=1, retain=True)
        async with listening(mosquitto) as sink, ear(mosquitto.port) as heard:
            await sink.publish(match(1))
            await heard.until(lambda _: heard.payloads("stream_match/attic/kitchen/now_playing"))

    asyncio.run(run())


def test_what_waits_is_delivered_to_a_broker_that_comes_back_at_the_end(absent_mosquitto, ear, caplog):
    async def run():
        sink = MqttSink(Address.parse(absent_mosquitto.uri, {}), node="attic", backoff=Backoff(0.01, 0.05))
        sink.serve(offer())
        await sink.__aenter__()
        await sink.publish(match(1))
        await told(caplog, "refuses the connection")
        ending = asyncio.create_task(sink.__aexit__(None, None, None))
        await asyncio.sleep(0)
        absent_mosquitto.start()
        await ending
        assert sink.undelivered == 0
        async with ear(absent_mosquitto.port) as heard:
            await heard.until_heard(NODE, "stopped")

    asyncio.run(run())


def test_devices_are_announced_anew_when_home_assistant_begins(mosquitto, ear):
    made = offer(retained=lambda _: [topics.Message(DEVICE, "{}", retain=True)], birth="homeassistant/status")

    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto, made), speaking(mosquitto) as client:
            await heard.until_heard(DEVICE, "{}")
            await client.publish("homeassistant/status", b"offline")
            await client.publish("homeassistant/status", b"online")
            await heard.until(lambda _: len(heard.payloads(DEVICE)) == 2)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("standing", "deleted"),
    [
        (ANNOUNCED, True),
        (ANNOUNCED | {"origin": {"name": "zigbee2mqtt"}}, False),
        (ANNOUNCED | {"availability": [{"topic": "stream_match/cellar/status"}]}, False),
        (ANNOUNCED | {"availability": "attic"}, False),
        ([1, 2], False),
        ("text", False),
    ],
)
def test_what_was_announced_is_deleted_if_it_is_ours(standing, deleted, mosquitto, ear):
    made = offer(announced=lambda _: {DEVICE: NODE})

    async def run():
        async with speaking(mosquitto) as client:
            await client.publish(DEVICE, json.dumps(standing).encode(), qos=1, retain=True)
            async with ear(mosquitto.port) as heard, listening(mosquitto, made):
                await heard.until_heard(NODE, "online")
                await client.publish(f"{REQUEST}health", b"")
                await heard.until(lambda _: answers(heard))
        async with ear(mosquitto.port) as later:
            await later.until_heard(NODE, "stopped")
            await asyncio.sleep(0)
            assert (DEVICE not in {name for name, _, _ in later.heard}) is deleted

    asyncio.run(run())


def of_before(found):
    """An offer of a listener that listens to the kitchen, and empties the topics of what it had before."""

    def seen(source):
        if source != "kitchen":
            found.add(source)
        return source != "kitchen"

    def retained(base):
        gone = [topic for source in sorted(found) for topic in topics.retained_topics(base, "attic", source)]
        settings = topics.Message(f"{base}/attic/kitchen/settings", "{}", retain=True)
        return [settings, *(topics.Message(topic, "", retain=True) for topic in gone)]

    return offer(retained=retained, found=seen)


def standing(heard):
    """What stands on the broker, as a new subscriber is told."""
    return {topic for topic, payload, retained in heard.heard if retained and payload}


async def stand(client, *messages):
    for topic, payload in messages:
        await client.publish(topic, payload, qos=1, retain=True)


def told_of(source, node="attic", state="running"):
    return f"stream_match/{node}/{source}/status", to_json(status(1, state, source=source, node=node))


def test_what_stands_of_sources_of_before_is_deleted_and_nothing_of_other_nodes(mosquitto, ear):
    others = [
        told_of("hall", node="cellar"),
        ("stream_match/cellar/hall/settings", "{}"),
        ("stream_match/attic/odd/status", "on"),  # not ours: whoever wrote it
        ("stream_match/attic/lamp/status", '{"type": "status", "node": "attic", "source": "other"}'),
        ("stream_match/attic/lamp/settings", "{}"),
    ]

    async def run():
        async with speaking(mosquitto) as client:
            gone = [(f"stream_match/attic/hall/{one}", "{}") for one in ("settings", "now_playing")]
            await stand(client, told_of("kitchen"), told_of("hall"), *gone, *others)
        found = set()
        async with ear(mosquitto.port) as heard, listening(mosquitto, of_before(found)):
            await heard.until(lambda _: heard.payloads("stream_match/attic/hall/status")[-1:] == [""])
        async with ear(mosquitto.port) as later:
            await later.until_heard(NODE, "stopped")
            await later.until(lambda _: len(standing(later)) >= len(others) + 3)
            assert found == {"hall"}
            assert standing(later) == {topic for topic, _ in others} | {
                NODE, told_of("kitchen")[0], "stream_match/attic/kitchen/settings",
            }  # fmt: skip

    asyncio.run(run())


def test_the_last_word_of_a_source_that_is_no_more_is_heard_and_does_not_stay(mosquitto, ear):
    """As the orphan of a killed listener, and as a source that a reload has removed."""

    async def run():
        found = set()
        topic, _ = told_of("hall")
        async with (
            ear(mosquitto.port) as heard,
            listening(mosquitto, of_before(found)) as sink,
        ):
            await sink.publish(match(1, "ended", source="hall"))
            await sink.publish(status(2, "stopped", source="hall"))
            await sink.publish(status(3, "stopped"))
            await heard.until(lambda _: heard.payloads(topic)[-1:] == [""])
            assert json.loads(heard.payloads(topic)[-2])["state"] == "stopped"
            await heard.until(lambda _: heard.payloads("stream_match/attic/hall/now_playing")[-1:] == [""])
        async with ear(mosquitto.port) as later:
            await later.until_heard(NODE, "stopped")
            await later.until(lambda _: "stream_match/attic/kitchen/now_playing" in standing(later))
            assert {name.split("/")[2] for name in standing(later) - {NODE}} == {"kitchen"}

    asyncio.run(run())


def test_a_listener_that_waits_for_the_name_deletes_nothing(mosquitto, ear, caplog):
    async def run():
        async with ear(mosquitto.port) as heard, listening(mosquitto, offer("zzz")) as first:
            await heard.until_heard(NODE, "online")
            await first.publish(status(1, source="hall"))
            await heard.until(lambda _: heard.payloads(told_of("hall")[0]))
            waiting = of_before(set())
            async with listening(mosquitto, waiting):
                await told(caplog, "Another listener is called 'attic'")
                await first.publish(status(2, source="hall"))
                await heard.until(lambda _: len(heard.payloads(told_of("hall")[0])) == 2)
            assert "" not in heard.payloads(told_of("hall")[0])

    asyncio.run(run())


def test_a_listener_is_found_by_its_name_and_keeps_it(mosquitto, ear):
    async def is_found(node):
        async with connect(Address.parse(mosquitto.uri, {})) as connection:
            return await is_there(connection, "stream_match", node)

    async def run():
        assert not await is_found("attic")
        async with ear(mosquitto.port) as heard, listening(mosquitto, offer("0")) as sink:
            await heard.until_heard(NODE, "online")
            assert await is_found("attic")
            assert not await is_found("cellar")
            await sink.publish(match(1))
            await heard.until(lambda _: ids(heard))
        assert not await is_found("attic")

    asyncio.run(run())


def test_a_sink_that_offers_nothing_subscribes_to_its_status_alone(mosquitto, ear, caplog):
    async def run():
        caplog.set_level(logging.INFO)
        async with (
            ear(mosquitto.port) as heard,
            MqttSink(Address.parse(mosquitto.uri, {}), node="attic"),
            speaking(mosquitto) as client,
        ):
            await heard.until_heard(NODE, "online")
            await client.publish(f"{REQUEST}health", b"")
            await client.publish("fence", b"")
            await heard.until_heard("fence", "")
        assert not answers(heard)
        assert not heard.payloads("stream_match/attic/instance")

    asyncio.run(run())
