"""Radio that stalls, breaks off, is no radio or is not there: told, tried again, and the others go on."""

import asyncio
import io
import signal
import socket
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile
from arrivals import WAIT_S
from broadcasts import excerpt
from capture.capture_servers import cut_off, icecast, whole
from happenings import check_ended, matches, states
from programs import started

from stream_match.capture import open_source
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.uri import redact
from stream_match.capture.url import UrlSource
from stream_match.catalog import load_index
from stream_match.config import ListenSettings, MatchSettings
from stream_match.engine import Engine
from stream_match.service import World, always, listen

pytest.importorskip("av")

SILENT_S = 0.5
FAST = 50  # times as fast as in earnest, for whoever waits before another attempt


@pytest.fixture(scope="module")
def mp3():
    """Ten seconds of a piece that the index knows."""
    buffer = io.BytesIO()
    soundfile.write(buffer, excerpt(PIECES[2], 3, 13), SAMPLE_RATE_HZ, format="MP3")
    return buffer.getvalue()


def check_other_source(events):
    """Check that the file was heard from beginning to end."""
    assert states(events, "other") == ["starting", "running", "stopped"]
    found = [event.track.id for event in matches(events, "other", "started")]
    assert found == [PIECES[0].id, PIECES[1].id]


def reasons(events, source, state="reconnecting"):
    return {e.reason for e in events if e.type == "status" and (e.source, e.state) == (source, state)}


def check_a_match_per_opening(events, source):
    """Check that a match ends before the loss is told, and that another opening brings another match."""
    own = [event for event in events if event.source == source]
    lost = next(place for place, event in enumerate(own) if event.type == "status" and event.reason)
    before = [event.phase for event in matches(own[:lost])]
    assert (before[0], before[-1], before.count("started")) == ("started", "ended", 1)
    first, second = matches(own, phase="started")[:2]
    assert first.match_id != second.match_id
    assert first.track.id == second.track.id == PIECES[2].id
    assert second.started_s > first.stream_s


def test_what_breaks_off_is_garbage_or_refuses(index, broadcast, server, mp3, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, 50_000, dtype=np.uint8).tobytes()
    server.pages |= {
        "/radio": icecast(mp3, {0: "Slow Water"}),
        "/file.mp3": cut_off(mp3, len(mp3) * 3 // 4),
        "/noise": whole(noise),
    }
    with ExitStack() as stack:
        unheard = stack.enter_context(socket.socket())
        unheard.bind(("127.0.0.1", 0))  # bound and not listening
        sources = {
            "radio": server.url("/radio"),
            "cut": server.url("/file.mp3"),
            "noise": server.url("/noise"),
            "refusing": f"http://ann:hunter2@127.0.0.1:{unheard.getsockname()[1]}/t0ken/x.pls?key=s3cret",
            "other": broadcast.path,
        }
        given = [word for name, uri in sources.items() for word in ("--source", f"{name}={uri}")]
        args = ("listen", "--index", index, *given, "--pace", "fast", "--sink", "jsonl:-")
        listener = stack.enter_context(started(tmp_path, *args))
        listener.until(
            lambda events: (
                len(matches(events, "radio", "started")) >= 2
                and "stopped" in states(events, "other")
                and "failed" in states(events, "cut")
                and {"noise", "refusing"} <= {e.source for e in events if e.type == "status" and e.reason}
            )
        )
        assert listener.end(signal.SIGTERM) == 0
    events = listener.events
    check_ended(events)
    check_other_source(events)
    check_a_match_per_opening(events, "radio")
    assert reasons(events, "radio") == {f"{redact(sources['radio'])} has ended the stream"}
    (reason,) = reasons(events, "refusing")
    assert "refuses the connection" in reason
    (reason,) = reasons(events, "noise")
    assert "audio" in reason
    # A file that breaks off is not begun anew.
    assert states(events, "cut") == ["starting", "running", "failed"]
    assert len(matches(events, "cut", "started")) == 1
    assert "Traceback" not in listener.stderr
    told = listener.stderr + "".join(map(repr, events))
    assert not [secret for secret in ("hunter2", "t0ken", "s3cret") if secret in told]


class Kept:
    """A sink that keeps what it is told, and asks for the end when it has `enough(events)`."""

    uri = "kept:"

    def __init__(self, enough, stop):
        self.events = []
        self._enough = enough
        self._stop = stop

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def publish(self, event):
        self.events.append(event)
        if self._enough(self.events):
            self._stop.set()


def test_a_stream_that_stalls(index, broadcast, server, mp3):
    def stalling_radio(handler):
        handler.begin(Content_Type="audio/mpeg", icy_metaint=len(mp3) * 2)
        handler.wfile.write(mp3)
        handler.server.over.wait(WAIT_S)

    def opened(wanted):
        if wanted.name == "other":
            return open_source(wanted)
        return UrlSource(wanted.uri, wanted.name, open_timeout_s=SILENT_S, read_timeout_s=SILENT_S)

    def enough(events):
        return len(matches(events, "radio", "started")) >= 2 and "stopped" in states(events, "other")

    async def listened():
        stop = asyncio.Event()
        sink = Kept(enough, stop)
        world = World(
            open_source=opened,
            open_sink=lambda *_, **__: sink,
            sleep=lambda seconds: asyncio.sleep(seconds / FAST),
        )
        sources = [
            {"name": "radio", "uri": server.url("/radio")},
            {"name": "other", "uri": str(broadcast.path)},
        ]
        settings = ListenSettings(node="attic", pace="fast", sources=sources, sinks=["kept:"])
        async with asyncio.timeout(WAIT_S):
            report = await listen(
                settings, always(lambda: Engine(reference, MatchSettings())), stop=stop, world=world
            )
        return report, sink.events

    server.pages["/radio"] = stalling_radio
    reference = load_index(index)
    report, events = asyncio.run(listened())
    assert report.failed == []
    check_ended(events)
    check_other_source(events)
    check_a_match_per_opening(events, "radio")
    (reason,) = reasons(events, "radio")
    assert reason.endswith(f"has sent nothing for {SILENT_S:g} s")
    assert next(e for e in events if e.type == "status" and e.reason).attempt == 1
