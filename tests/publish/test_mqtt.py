import asyncio
import contextlib
import errno
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from publish_samples import match, status
from publish_waiting import WAIT_S, drained, told

from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.mqtt_sink import MqttSink

NODE = "stream_match/attic/status"
STATUS = "stream_match/attic/kitchen/status"
PLAYING = "stream_match/attic/kitchen/now_playing"
MATCH = "stream_match/attic/kitchen/match"


def make_sink(uri, **options):
    options.setdefault("backoff", Backoff(0.01, 0.05))
    return MqttSink(Address.parse(uri, {}), node="attic", **options)


def test_online_while_it_runs_and_stopped_after_a_clean_end(mosquitto, ear):
    async def run():
        async with ear(mosquitto.port) as heard:
            async with make_sink(mosquitto.uri) as sink:
                await heard.until_heard(NODE, "online")
                await sink.publish(match(1))
                await heard.until(lambda _: heard.payloads(PLAYING))
                assert json.loads(heard.payloads(PLAYING)[-1])["event_id"] == "e000001"
            await heard.until_heard(NODE, "stopped")
            assert heard.payloads(PLAYING)[-1] == topics.NOTHING_PLAYING
        async with ear(mosquitto.port) as heard:
            await heard.until(lambda all_: len(all_) == 2)
            assert sorted(heard.heard) == [(PLAYING, topics.NOTHING_PLAYING, True), (NODE, "stopped", True)]

    asyncio.run(run())


PROGRAM = """
import asyncio, sys
from stream_match.publish import open_sink

async def main():
    async with open_sink(sys.argv[1], node="attic"):
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_offline_when_the_process_is_killed(mosquitto, ear):
    async def run():
        async with ear(mosquitto.port) as heard:
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, mosquitto.uri)
            await heard.until_heard(NODE, "online")
            process.kill()
            await process.wait()
            await heard.until_heard(NODE, "offline")

    asyncio.run(run())


def test_a_late_last_will_of_an_earlier_run_is_corrected(mosquitto, ear):
    import aiomqtt

    async def run():
        async with make_sink(mosquitto.uri), ear(mosquitto.port) as heard:
            await heard.until_heard(NODE, "online")
            async with aiomqtt.Client("127.0.0.1", mosquitto.port) as other:
                await other.publish(NODE, "offline", qos=1, retain=True)
            await heard.until(lambda _: heard.payloads(NODE)[-2:] == ["offline", "online"])

    asyncio.run(run())


async def publish_over_outages(sink, mosquitto, events, outages):
    """Publish in small steps while the broker is stopped and restarted on the same port."""
    for number, event in enumerate(events):
        await sink.publish(event)
        if number in outages:
            mosquitto.stop()
        if number - 40 in outages:
            mosquitto.start()
        await asyncio.sleep(0.001)


async def collect(mosquitto, ids, last, ready):
    """Collect the ids of match events, over outages, until the last has come."""
    import aiomqtt

    while last not in ids:
        try:
            async with aiomqtt.Client(
                "127.0.0.1", mosquitto.port, identifier="collector", clean_session=False, timeout=2
            ) as client:
                await client.subscribe(MATCH, qos=1)
                ready.set()
                async for message in client.messages:
                    ids.append(json.loads(message.payload)["event_id"])
                    if ids[-1] == last:
                        break
        except aiomqtt.MqttError:
            await asyncio.sleep(0.005)


def test_no_match_is_lost_when_the_broker_dies_in_mid_stream(absent_mosquitto, tmp_path, caplog):
    """The broker keeps what it acknowledged, as real ones are set up; so every loss would be ours."""
    with absent_mosquitto.config.open("a") as config:
        config.write(f"persistence true\npersistence_location {tmp_path}/\n")
    absent_mosquitto.start()
    events = [match(number, "updated") for number in range(400)]
    ids = []

    async def run():
        ready = asyncio.Event()
        collector = asyncio.create_task(collect(absent_mosquitto, ids, events[-1].event_id, ready))
        await ready.wait()
        async with make_sink(absent_mosquitto.uri) as sink:
            await publish_over_outages(sink, absent_mosquitto, events, {100, 250})
            await drained(sink)
            async with asyncio.timeout(WAIT_S):
                await collector

    asyncio.run(run())
    assert list(dict.fromkeys(ids)) == [event.event_id for event in events]
    assert not [record for record in caplog.records if record.name == "asyncio"]


@pytest.mark.parametrize(("error", "shown"), [(OSError(errno.EBADF, "gone"), False), (OSError("real"), True)])
def test_only_the_harmless_noise_of_a_dying_broker_is_kept_out_of_the_log(mosquitto, caplog, error, shown):
    async def run():
        async with make_sink(mosquitto.uri) as sink:
            await sink.publish(match(1))
            await drained(sink)
            context = {
                "message": "Exception in callback BaseSelectorEventLoop.add_writer()",
                "exception": error,
            }
            asyncio.get_running_loop().call_exception_handler(context)

    asyncio.run(run())
    assert bool(caplog.messages) is shown


def test_retained_states_are_there_again_when_a_broker_forgot_them(mosquitto, ear):
    async def run():
        async with make_sink(mosquitto.uri) as sink:
            for event in (status(1, "starting"), status(2, "running"), match(3), match(4, "updated")):
                await sink.publish(event)
            await drained(sink)
            mosquitto.kill()
            mosquitto.start()  # keeps nothing on disk
            async with ear(mosquitto.port) as heard:
                await heard.until(lambda all_: {NODE, STATUS, PLAYING} <= {topic for topic, *_ in all_})
                assert heard.payloads(NODE) == ["online"]
                assert [json.loads(payload)["state"] for payload in heard.payloads(STATUS)] == ["running"]
                assert json.loads(heard.payloads(PLAYING)[0])["event_id"] == "e000004"
                assert heard.payloads(MATCH) == []

    asyncio.run(run())


def test_a_broker_that_comes_late_gets_everything(absent_mosquitto, ear, caplog):
    events = [status(0), *(match(number) for number in range(1, 20)), match(20, "ended")]

    async def run():
        async with make_sink(absent_mosquitto.uri) as sink:
            for event in events:
                await sink.publish(event)
            await told(caplog, "refuses the connection")
            absent_mosquitto.start()
            await drained(sink)
        async with ear(absent_mosquitto.port) as heard:
            await heard.until_heard(NODE, "stopped")

    asyncio.run(run())
    complaints = [line for line in caplog.messages if "refuses" in line]
    assert len(complaints) == 1  # however often it was tried


def test_leaving_without_a_broker_ends_in_time_and_says_what_is_lost(absent_mosquitto, caplog):
    async def run():
        async with make_sink(absent_mosquitto.uri, flush_s=0.2) as sink:
            await sink.publish(match(1, "ended"))
        return sink

    sink = asyncio.run(run())
    assert sink.waiting == 1
    assert "1 events could not be delivered to mqtt://127.0.0.1" in caplog.messages[-1]


def test_a_full_outbox_drops_updates_first_and_tells_the_states_all_the_same(mosquitto, ear, caplog):
    events = [
        status(0, "starting"),
        status(1, "running"),
        match(2),
        *(match(number, "updated") for number in range(3, 40)),
        *(match(number, "ended", match_id=f"m{number}") for number in range(40, 60)),
    ]

    async def run():
        sink = make_sink(mosquitto.uri, capacity=10)
        for event in events:
            await sink.publish(event)
        assert sink.dropped == 39
        async with ear(mosquitto.port) as heard:
            async with sink:
                await heard.until(lambda _: "e000059" in "".join(heard.payloads(MATCH)))
            ids = [json.loads(payload)["event_id"] for payload in heard.payloads(MATCH)]
            assert ids == [event.event_id for event in events[40:]]
            assert json.loads(heard.payloads(STATUS)[-1])["state"] == "running"

    asyncio.run(run())
    assert len([line for line in caplog.messages if "is full" in line]) == 1


def test_a_wrong_password_is_told_and_never_shown(guarded_mosquitto, caplog):
    caplog.set_level(logging.DEBUG)
    uri = f"mqtt://guest:hidden@127.0.0.1:{guarded_mosquitto.port}"

    async def run():
        async with make_sink(uri, flush_s=0.1) as sink:
            await sink.publish(match(1))
            await told(caplog, "refuses user or password")

    asyncio.run(run())
    assert "STREAM_MATCH_MQTT_PASSWORD" in caplog.text
    assert "hidden" not in caplog.text


def test_the_right_password_opens(guarded_mosquitto):
    async def run():
        async with make_sink(f"mqtt://guest:secret@127.0.0.1:{guarded_mosquitto.port}") as sink:
            await sink.publish(match(1))
            await drained(sink)

    asyncio.run(run())


def test_an_unknown_host_is_told(caplog):
    async def run():
        async with make_sink("mqtt://no-such-host.invalid", flush_s=0.1):
            await told(caplog, "'no-such-host.invalid'")

    asyncio.run(run())


@contextlib.asynccontextmanager
async def mute_server():
    """Accepts connections and never says a word; gives its URI, and an event for the first connection."""
    called, writers = asyncio.Event(), []

    async def accept(_reader, writer):
        writers.append(writer)
        called.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", called
        for writer in writers:
            writer.close()
            await writer.wait_closed()


def test_a_server_that_never_answers_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr("stream_match.publish.mqtt.ANSWER_S", 0.05)

    async def run():
        async with mute_server() as (uri, _), make_sink(uri, flush_s=0.1):
            await told(caplog, "does not answer")

    asyncio.run(run())


def test_leaving_while_it_dials_leaves_nothing_behind(caplog):
    async def run():
        async with mute_server() as (uri, called), make_sink(uri, flush_s=0):
            await called.wait()

    asyncio.run(run())
    assert not caplog.messages


def test_no_client_library_is_loaded_before_it_is_needed():
    code = (
        "import sys, stream_match, stream_match.publish as p, stream_match.publish.subscribe;"
        "p.open_sink('mqtt://localhost', node='n'); p.open_sink('embedded:', node='n');"
        "assert not {'aiomqtt', 'paho', 'amqtt'} & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("library", "file"), [("aiomqtt", "mqtt.py"), ("amqtt", "loopback.py")])
def test_each_mqtt_library_is_named_in_one_file_only(library, file):
    folder = Path(topics.__file__).parents[1]
    naming = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    assert {path.name for path in folder.rglob("*.py") if naming.search(path.read_text())} == {file}
