import asyncio
import json
import signal
import subprocess
from datetime import UTC, datetime

import pytest
from cli_process import command, env

from stream_match.events import StatusEvent

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


async def go_away(process, sink):
    process.stdout._transport.close()  # asyncio has no public way to close the reading end
    number = 2
    while process.returncode is None:
        await sink.publish(status(number))
        number += 1
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", [interrupt, go_away])
def test_watch_prints_events_and_ends_quietly(end):
    line, code, errors = asyncio.run(watched(end=end))
    assert line.endswith("  kitchen  · running\n")
    assert (code, errors) == (0, "")


def test_watch_prints_the_very_events_for_programs():
    line, _, _ = asyncio.run(watched("--json", end=interrupt))
    assert json.loads(line)["schema"] == "stream_match.status/1"
