import asyncio
import json
import socket
import sys

import pytest
from publish_samples import match

from stream_match.errors import SinkError
from stream_match.publish.embedded import EmbeddedSink
from stream_match.publish.subscribe import subscribe

pytest.importorskip("amqtt")


def test_a_subscriber_hears_what_is_published(caplog):
    async def run():
        async with EmbeddedSink(node="attic") as sink:
            events = subscribe(sink.broker_uri)
            first = asyncio.create_task(anext(events))
            await sink.publish(match(1))
            while not first.done():  # the subscription may come after the event, which is not retained
                await asyncio.sleep(0.01)
                await sink.publish(match(2))
            await events.aclose()
            return first.result()

    assert asyncio.run(run()) in (match(1), match(2))
    assert not caplog.messages


def test_the_retained_state_is_there_for_who_comes_later(ear):
    async def run():
        async with EmbeddedSink(node="attic") as sink:
            await sink.publish(match(1))
            port = int(sink.broker_uri.rpartition(":")[2])
            async with ear(port, "+/+/+/now_playing") as heard:
                await heard.until(lambda all_: "e000001" in str(all_))

    asyncio.run(run())


def test_it_listens_on_loopback_only_and_stops_listening():
    async def run():
        async with EmbeddedSink(node="attic") as sink:
            listening = sink._broker._servers["default"].instance.sockets
            assert [each.getsockname()[0] for each in listening] == ["127.0.0.1"]
            port = listening[0].getsockname()[1]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0

    asyncio.run(run())


def test_a_taken_port_is_told():
    async def run(port):
        async with EmbeddedSink(port, node="attic"):
            pass

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SinkError, match=f"port {port}"):
            asyncio.run(run(port))


def test_without_amqtt_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "stream_match.publish.loopback", None)

    async def run():
        async with EmbeddedSink(node="attic"):
            pass

    with pytest.raises(SinkError, match=r"pip install .*\[embedded\]'"):
        asyncio.run(run())


def test_two_at_once_get_ports_of_their_own():
    async def run():
        async with EmbeddedSink(node="a") as one, EmbeddedSink(node="b") as two:
            return one.broker_uri, two.broker_uri

    one, two = asyncio.run(run())
    assert json.dumps(one) != json.dumps(two)
