import asyncio
import json
import signal
import subprocess
from datetime import UTC, datetime

import pytest
from cli_process import command, env

from stream_match.events import OnsetEvent, StatusEvent

pytest.importorskip("amqtt")


def status(number):  # another state each time: news
    return StatusEvent(
        event_id=f"e{number:06}", node="attic", source="kitchen", time=datetime(2026, 1, 2, tzinfo=UTC),
        stream_s=float(number), state="running" if number % 2 else "stalled",
    )  # fmt: skip


async def watched(*args, end):
    from stream_match.publish.embedded import EmbeddedSink

    async with EmbeddedSink(node="attic") as sink:
        await sink.publish(status(1))
        process = await asyncio.create_subprocess_exec(
            *command("watch", "--mqtt", sink.broker_uri, *args),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **env(),
        )  # fmt: skip
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        await end(process, sink)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    return line, process.returncode, errors.decode()


async def interrupt(process, _):
    process.send_signal(signal.SIGINT)


async def interrupt_twice(process, _):
    """As `timeout -s INT` does, and people who are in a hurry."""
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.01)
    if process.returncode is None:
        process.send_signal(signal.SIGINT)


async def go_away(process, sink):
    process.stdout._transport.close()  # asyncio has no public way to close the reading end
    number = 2
    while process.returncode is None:
        await sink.publish(status(number))
        number += 1
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", [interrupt, interrupt_twice, go_away])
def test_watch_prints_events_and_ends_quietly(end):
    line, code, errors = asyncio.run(watched(end=end))
    assert line.endswith("  kitchen  · running\n")
    assert (code, errors) == (0, "")


def test_watch_prints_the_very_events_for_programs():
    line, _, _ = asyncio.run(watched("--json", end=interrupt))
    assert json.loads(line)["schema"] == "stream_match.status/1"


def onset(number, source, node="attic"):
    return OnsetEvent(
        event_id=f"o{number:06}{source}{node}",
        node=node,
        source=source,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        stream_s=float(number),
        onset_id=f"s{number}",
        onset_s=float(number),
        strength=9.5,
    )


async def filtered(*args, lines):
    """Publish sounds and states of two sources and nodes until `watch` has printed so many lines."""
    from stream_match.publish.embedded import EmbeddedSink

    async with EmbeddedSink(node="attic") as sink:
        process = await asyncio.create_subprocess_exec(
            *command("watch", "--mqtt", sink.broker_uri, "--json", *args),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **env(),
        )  # fmt: skip
        reading = asyncio.ensure_future(read_lines(process.stdout, lines))
        number = 0
        while not reading.done():
            number += 1
            for event in (status(number), onset(number, "garden"), onset(number, "kitchen", "cellar")):
                await sink.publish(event)
            await sink.publish(onset(number, "kitchen"))
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
        return await reading


async def read_lines(stream, count):
    async with asyncio.timeout(30):
        return [json.loads(await stream.readline()) for _ in range(count)]


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (("--type", "onset"), {("onset", "attic"), ("onset", "cellar")}),
        (("--type", "onset,cluster", "--source", "kitchen", "--node", "attic"), {("onset", "attic")}),
        (("--node", "cellar"), {("onset", "cellar")}),
    ],
)
def test_watch_prints_what_was_asked_for_alone(args, kept):
    told = asyncio.run(filtered(*args, lines=12))
    assert {(event["type"], event["node"]) for event in told} == kept
    if "--source" in args:
        assert {event["source"] for event in told} == {"kitchen"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--type", "matches"), "'matches' is not known: expected some of match, onset"),
        (("--source", "At tic"), "'At tic' is no name"),
        (("--mqtt", "mqtts://h?keyfile=k"), "add certfile=PATH"),
    ],
)
def test_what_watch_cannot_understand_is_refused_in_one_line(args, words):
    done = subprocess.run(command("watch", *args), capture_output=True, text=True, check=False, **env())
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_help_names_the_options_of_encryption():
    for name in ("watch", "listen"):
        done = subprocess.run(command(name, "--help"), capture_output=True, text=True, check=True, **env())
        assert all(option in done.stdout for option in ("cafile=", "certfile=", "keyfile=", "insecure=1"))
