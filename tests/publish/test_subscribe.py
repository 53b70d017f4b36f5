import asyncio
import sys
from contextlib import aclosing
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import cluster, match, onset, sound, status
from publish_waiting import WAIT_S

from stream_match.errors import SinkError, UsageError
from stream_match.events import from_json, to_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.console import Screen
from stream_match.publish.outbox import Outbox
from stream_match.publish.reader import Reader
from stream_match.publish.subscribe import subscribe

FILTERS = ("base/+/+/match", "base/attic/+/status")
MATCH = "base/attic/kitchen/match"


def payload(event):
    return to_json(event).encode()


def test_reads_typed_events():
    reader = Reader(FILTERS)
    assert reader.read(MATCH, payload(match(1))) == match(1)
    assert reader.read("base/attic/kitchen/status", payload(status(2))) == status(2)


def test_a_repetition_is_dropped():
    reader = Reader(FILTERS)
    assert reader.read(MATCH, payload(match(1))) is not None
    assert reader.read(MATCH, payload(match(1))) is None


def test_the_memory_of_ids_is_bounded():
    reader = Reader(FILTERS, seen_ids=2)
    for number in (1, 2, 3):
        reader.read(MATCH, payload(match(number)))
    assert len(reader._seen) == 2
    assert reader.read(MATCH, payload(match(3))) is None
    assert reader.read(MATCH, payload(match(1))) is not None


def test_messages_that_were_not_asked_for_are_ignored():
    reader = Reader(FILTERS)
    assert reader.read("base/hall/kitchen/status", payload(status(1))) is None
    assert reader.read("other/attic/kitchen/match", payload(match(1))) is None
    assert reader.malformed == 0


def test_malformed_payloads_are_counted_and_told_once(caplog):
    reader = Reader(FILTERS)
    for broken in (
        b"{",
        b"\xff",
        b"[]",
        b'{"type": "match"}',
        b'{"schema": "stream_match.match/1", "type": "match"}',
    ):
        assert reader.read(MATCH, broken) is None
    assert reader.malformed == 5
    assert len(caplog.messages) == 1


def test_types_and_versions_of_the_future_are_ignored(caplog):
    reader = Reader(FILTERS)
    for unknown in (
        b'{"schema": "stream_match.future/1", "type": "future"}',
        b'{"schema": "stream_match.match/2"}',
        b"",
    ):
        assert reader.read(MATCH, unknown) is None
    assert (reader.malformed, reader.unknown) == (0, 2)
    assert not caplog.messages


HOSTILE = {
    "brackets": b"[" * 100_000,
    "objects": b'{"a":' * 100_000,
    "nested in an event": b'{"schema": "stream_match.match/1", "type": "match", "track": ' + b"[" * 50_000,
    "ten megabytes": b'"' + b"x" * 10_000_000 + b'"',
    "no UTF-8": b"\xff\xfe" * 1000,
    "half a letter": b'{"schema": "\xc3',
    "a lone surrogate": b'{"schema": "stream_match.match/1", "type": "\\ud800"}',
    "a large number": b"9" * 100_000,
    "NaN": b"NaN",
    "null bytes": b"\0" * 1000,
    "a long id": payload(match(1, match_id="m" * 10_000)),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_any_payload_is_skipped_and_counted(name):
    reader = Reader(FILTERS)
    assert reader.read(MATCH, HOSTILE[name]) is None
    assert reader.malformed == 1
    assert reader.read(MATCH, payload(match(1))) == match(1)


DAMAGE = [
    b"",
    b"9" * 30,
    b"1e308",
    b"-",
    b'"',
    b"null",
    b"[",
    b"0001-01-01",
    b"\\ud800",
    b"\x80",
    b"\x1b",
    b"\n",
]


@settings(max_examples=300, deadline=None)
@given(
    st.randoms(use_true_random=False), st.sampled_from([match(1), status(1), sound(1), onset(1), cluster(1)])
)
def test_an_event_that_was_damaged_on_its_way_does_no_harm(random, event):
    """It is skipped, or it is still an event, and then it can be shown and told on."""
    damaged = bytearray(payload(event))
    for _ in range(random.randint(1, 8)):
        place = random.randrange(len(damaged))
        damaged[place : place + random.randint(0, 6)] = random.choice(DAMAGE)
    read = Reader(("base/+/+/+",)).read(MATCH, bytes(damaged))
    if read is not None:
        assert Screen(UTC).line(read) is None or from_json(to_json(read)) == read


@pytest.mark.parametrize(
    "names", [{"node": "#"}, {"source": "a/b"}, {"node": ""}, {"types": ("matches",)}, {"types": ()}]
)
def test_a_name_that_is_none_is_refused(names):
    with pytest.raises(UsageError):
        asyncio.run(anext(subscribe("mqtt://localhost", **names)))


def test_an_absent_broker_is_told(absent_mosquitto):
    with pytest.raises(SinkError, match="refuses the connection"):
        asyncio.run(anext(subscribe(absent_mosquitto.uri)))


def test_a_wrong_password_is_told_and_not_shown(guarded_mosquitto):
    with pytest.raises(SinkError, match="user or password") as refused:
        asyncio.run(anext(subscribe(f"mqtt://guest:hidden@127.0.0.1:{guarded_mosquitto.port}")))
    assert "hidden" not in str(refused.value)


def test_it_outlives_the_broker(absent_mosquitto):
    """Patient from the start, and over a restart; broken and repeated messages do not disturb it."""
    import aiomqtt

    async def say(*payloads):
        async with aiomqtt.Client("127.0.0.1", absent_mosquitto.port) as client:
            for each in payloads:
                # Retained, so that it does not matter who comes first.
                await client.publish("stream_match/attic/kitchen/status", each, qos=1, retain=True)

    async def run():
        events = subscribe(absent_mosquitto.uri, patient=True, backoff=Backoff(0.01, 0.05))
        async with aclosing(events), asyncio.timeout(WAIT_S):
            first = asyncio.create_task(anext(events))
            await asyncio.sleep(0)
            absent_mosquitto.start()
            await say(b"{", payload(status(1)))
            assert await first == status(1)
            second = asyncio.create_task(anext(events))
            await say(payload(status(1)))
            absent_mosquitto.kill()
            absent_mosquitto.start()
            await say(payload(status(2)))
            assert await second == status(2)

    asyncio.run(run())


STATUS = "stream_match/attic/kitchen/status"
PLAYING = "stream_match/attic/kitchen/now_playing"
NODE = "stream_match/attic/status"


async def say(broker, *messages):
    """Publish what another client would; each is a topic, a payload, and whether it is retained."""
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for topic, said, retained in messages:
            await client.publish(topic, said, qos=1, retain=retained)


async def take(events, count):
    async with asyncio.timeout(WAIT_S):
        return [await anext(events) for _ in range(count)]


def test_hostile_payloads_that_are_retained_end_no_subscription(mosquitto):
    hostile = [(f"stream_match/attic/s{n}/status", said, True) for n, said in enumerate(HOSTILE.values())]

    async def run():
        await say(mosquitto, *hostile, (PLAYING, HOSTILE["brackets"], True), (NODE, HOSTILE["objects"], True))
        async with aclosing(subscribe(mosquitto.uri)) as events:
            await say(mosquitto, (STATUS, payload(status(1)), True))
            return await take(events, 1)

    assert asyncio.run(run()) == [status(1)]


KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from publish_samples import match, status
from stream_match.publish import open_sink

async def main():
    async with open_sink(sys.argv[1], node="attic") as sink:
        for event in (status(1), match(2), match(3, "updated")):
            await sink.publish(event)
        while sink.waiting:
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def kill_a_listener(uri):
    folder = str(Path(__file__).parent)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, uri, folder, stdout=asyncio.subprocess.PIPE
    )
    await process.stdout.readline()
    process.kill()
    await process.wait()
    process._transport.close()


def test_after_a_kill_a_subscriber_that_was_there_tells_the_end(mosquitto):
    async def run():
        async with aclosing(subscribe(mosquitto.uri)) as events:
            first = asyncio.create_task(anext(events))
            await asyncio.sleep(0.5)  # so that it is there before what is not retained
            await kill_a_listener(mosquitto.uri)
            return [await first, *await take(events, 4)]

    told = [event.event_id for event in asyncio.run(run())]
    assert told == ["e000001", "e000002", "e000003", "e000003-ended", "e000001-stopped"]


def test_after_a_kill_a_subscriber_that_comes_later_tells_the_same_end(mosquitto):
    async def run():
        await kill_a_listener(mosquitto.uri)
        for _ in range(2):
            async with aclosing(subscribe(mosquitto.uri)) as events:
                told = await take(events, 3)
            assert [event.event_id for event in told] == ["e000001", "e000003-ended", "e000001-stopped"]

    asyncio.run(run())


def test_only_the_types_that_were_asked_for_are_yielded(mosquitto):
    async def run():
        await kill_a_listener(mosquitto.uri)
        async with aclosing(subscribe(mosquitto.uri, types=("match",))) as events:
            return await take(events, 1)

    assert [event.event_id for event in asyncio.run(run())] == ["e000003-ended"]


def test_a_slow_consumer_loses_sounds_before_ends_and_never_the_connection(mosquitto, monkeypatch, caplog):
    monkeypatch.setattr("stream_match.publish.subscribe.Outbox", lambda: Outbox(50))
    messages = [("stream_match/attic/kitchen/onset_cluster", payload(sound(n)), False) for n in range(200)]
    ends = [match(n, "ended", match_id=f"m{n}") for n in range(1000, 1010)]
    messages += [("stream_match/attic/kitchen/match", payload(end), False) for end in ends]

    async def run():
        async with aclosing(subscribe(mosquitto.uri)) as events:
            await say(mosquitto, (STATUS, payload(status(2001)), True))
            assert await take(events, 1) == [status(2001)]
            await say(mosquitto, *messages)  # while nobody takes anything
            await asyncio.sleep(0.3)
            taken = await take(events, 50)
            assert taken[-10:] == ends
            await say(mosquitto, (STATUS, payload(status(2002)), True))
            assert await take(events, 1) == [status(2002)]

    asyncio.run(run())
    assert "faster than they are read" in caplog.text


def test_a_filter_that_is_refused_is_told():
    """As some brokers refuse it; mosquitto itself takes any filter, and sends nothing."""
    from stream_match.publish.policy import RefusedError
    from stream_match.publish.subscribe import _Hearing

    hearing = _Hearing("base", "+", "+", frozenset({"cluster"}))
    with pytest.raises(SinkError, match="no permission"):
        hearing.begin([RefusedError("not-authorised", "no permission")])


def test_a_message_whose_topic_is_no_text_does_not_end_the_connection():
    """mosquitto refuses such topics; not every broker does."""

    async def serve(reader, writer):
        def publish(topic, said):
            body = len(topic).to_bytes(2) + topic + b"\0" + said
            assert 128 <= len(body) < 16_384
            writer.write(bytes([0x31, 128 | len(body) % 128, len(body) // 128]) + body)

        await reader.readuntil(b"MQTT")
        writer.write(bytes([0x20, 3, 0, 0, 0]))
        identifier = b"\0\1"  # of the first packet that wants an answer
        await reader.readuntil(b"now_playing")
        writer.write(bytes([0x90, 10]) + identifier + bytes([0, 1, 1, 1, 1, 1, 1, 1]))
        publish(b"\xff\xff", b"x" * 200)
        publish(STATUS.encode(), payload(status(1)))
        await reader.read()
        writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            uri = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with aclosing(subscribe(uri)) as events:
                return await take(events, 1)

    assert asyncio.run(run()) == [status(1)]
