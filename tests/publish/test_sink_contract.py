"""What every sink promises, asked of every sink. A new one adds a fixture, and a line in `FAR_SIDES`."""

import asyncio
import contextlib
import json

import pytest
from publish_samples import match, status

from stream_match.publish import open_sink
from stream_match.publish.console import Screen

EVENTS = [
    status(0, "starting"),
    *(
        match(number, "updated" if number % 3 else "started", match_id=f"m{number % 4}")
        for number in range(1, 300)
    ),
    match(300, "ended"),
    status(301, "stopped"),
]


class LinesOnStdout:
    """Reads what a sink wrote to standard output."""

    def __init__(self, uri, capfd, expected):
        self.uri = uri
        self._capfd = capfd
        self._expected = expected

    @contextlib.asynccontextmanager
    async def listening(self, _sink):
        yield

    async def arrived(self):
        return self._capfd.readouterr().out.splitlines()

    def expected(self, events):
        return [line for line in map(self._expected, events) if line is not None]


class LinesInFile(LinesOnStdout):
    """Reads a sink's file."""

    def __init__(self, path):
        super().__init__(f"jsonl:{path}", None, event_id)
        self._path = path

    async def arrived(self):
        return [json.loads(line)["event_id"] for line in self._path.read_text().splitlines()]


class Broker:
    """Listens at the broker with a client that is not ours."""

    def __init__(self, uri, ear, port=None):
        self.uri = uri
        self._open_ear = ear
        self._port = port

    @contextlib.asynccontextmanager
    async def listening(self, sink):
        port = self._port or int(sink.broker_uri.rpartition(":")[2])
        async with self._open_ear(port, "+/+/kitchen/+") as self._ear:
            yield
            await self._ear.until(lambda _: EVENTS[-1].event_id in self._ids())

    def _ids(self):
        topics = ("/kitchen/match", "/kitchen/status")  # amqtt's broker shows retained ones unasked
        heard = [payload for topic, payload, _ in self._ear.heard if topic.endswith(topics)]
        return [json.loads(payload)["event_id"] for payload in heard]

    async def arrived(self):
        return list(dict.fromkeys(self._ids()))  # at least once: a repetition is allowed

    def expected(self, events):
        return [event.event_id for event in events]


def event_id(event):
    return event.event_id


@pytest.fixture
def console(capfd):
    return LinesOnStdout("console:", capfd, Screen().line)


@pytest.fixture
def stdout(capfd):
    from stream_match.events import to_json

    return LinesOnStdout("jsonl:-", capfd, to_json)


@pytest.fixture
def file(tmp_path):
    return LinesInFile(tmp_path / "events.jsonl")


@pytest.fixture
def mqtt(mosquitto, ear):
    return Broker(f"mqtt://guest:hidden99@127.0.0.1:{mosquitto.port}", ear, mosquitto.port)


@pytest.fixture
def embedded(ear):
    pytest.importorskip("amqtt")
    return Broker("embedded:", ear)


FAR_SIDES = ["console", "stdout", "file", "mqtt", "embedded"]


@pytest.fixture(params=FAR_SIDES)
def far_side(request):
    return request.getfixturevalue(request.param)


class TestSinkContract:
    def test_every_event_arrives_in_order_and_leaving_flushes(self, far_side):
        async def run():
            sink = open_sink(far_side.uri, node="attic")
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(sink)
                await stack.enter_async_context(far_side.listening(sink))
                for event in EVENTS:
                    await sink.publish(event)
            return await far_side.arrived()

        assert asyncio.run(run()) == far_side.expected(EVENTS)

    def test_publish_returns_without_giving_way_to_anyone(self, far_side):
        async def run():
            async with open_sink(far_side.uri, node="attic") as sink:
                publishing = sink.publish(match(1, "ended"))
                with pytest.raises(StopIteration):  # done at its first step: it waited for nothing
                    publishing.send(None)

        asyncio.run(run())

    def test_the_uri_has_no_secrets(self, far_side):
        sink = open_sink(far_side.uri, node="attic")
        assert "hidden99" not in sink.uri + repr(sink)
        assert sink.uri.partition(":")[0] == far_side.uri.partition(":")[0]

    def test_entering_and_leaving_without_events(self, far_side):
        async def run():
            async with open_sink(far_side.uri, node="attic"):
                pass

        asyncio.run(run())
