import asyncio
from contextlib import aclosing

import pytest
from publish_samples import match, status

from stream_match.errors import SinkError, UsageError
from stream_match.events import to_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.reader import Reader
from stream_match.publish.subscribe import subscribe

FILTERS = ("base/+/+/match", "base/attic/+/status")
MATCH = "base/attic/kitchen/match"
WAIT_S = 20


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
    assert reader.malformed == 0
    assert not caplog.messages


@pytest.mark.parametrize("names", [{"node": "#"}, {"source": "a/b"}, {"node": ""}])
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
