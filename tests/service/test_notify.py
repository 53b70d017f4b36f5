"""What a service manager is told, over real sockets: by paths and by abstract names."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest
from cli.cli_process import command, env
from service_fakes import hear, live, real_time, run

from stream_match.service.health import Health
from stream_match.service.notify import MAX_STATUS, Notifier, _status, notifying

WAIT_S = 60.0


@contextlib.contextmanager
def manager(address):
    """A socket as systemd has one; its datagrams."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        heard.settimeout(WAIT_S)
        yield heard


@pytest.fixture(params=["path", "abstract"])
def address(request, tmp_path):
    return (
        f"@stream_match-{os.getpid()}-{time.monotonic_ns()}"
        if request.param == "abstract"
        else str(tmp_path / "n")
    )


def told(heard):
    """What has arrived so far."""
    heard.setblocking(False)
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(heard.recv(4096).decode())
    return found


def test_what_is_said_arrives(address):
    with manager(address) as heard:
        notifier = Notifier.of_process({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
        assert (notifier.is_heard, notifier.watchdog_s) == (True, 30.0)
        notifier.say("READY=1", "STATUS=x")
        with notifier.reloading():
            pass
        notifier.close()
        ready, reloading, again = told(heard)
    assert ready == "READY=1\nSTATUS=x"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert abs(int(reloading.rpartition("=")[2]) / 1e6 - time.monotonic()) < WAIT_S
    assert again == "READY=1"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1"},
        {"NOTIFY_SOCKET": "relative"},
    ],
)
def test_without_a_manager_nothing_is_said(environ):
    notifier = Notifier.of_process(environ)
    assert (notifier.is_heard, notifier.watchdog_s) == (False, None)
    notifier.say("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "period_s"),
    [
        ("20000000", "", 20.0),
        ("20000000", str(os.getpid()), 20.0),
        ("20000000", "1", None),
        ("0", "", None),
        ("-5", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_whether_a_watchdog_waits(tmp_path, usec, pid, period_s):
    notifier = Notifier.of_process(
        {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    )
    assert notifier.watchdog_s == period_s
    notifier.close()


def test_a_manager_that_has_gone_is_no_error(tmp_path):
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.say("READY=1")
    notifier.close()
    notifier.close()


def health(**changes):
    base = {
        "node": "attic", "version": "0", "time": "2026-01-01T00:00:00Z", "uptime_s": 1,
        "ok": True, "alive": True, "troubles": (), "sources": (), "sinks": (), "store": None, "index": None,
    }  # fmt: skip
    return Health.model_validate({**base, **changes})


def test_the_status_is_one_short_line_whatever_a_server_has_said():
    said = _status(health(troubles=("radio: gone\nWATCHDOG=trigger\x1b[31m" + "x" * 5000,)))
    assert said.startswith("STATUS=0 of 0 sources running; radio: gone WATCHDOG=trigger")
    assert "\n" not in said
    assert len(said) == MAX_STATUS + len("STATUS=")


def test_the_watchdog_is_fed_while_all_is_alive_and_no_longer(tmp_path, caplog):
    address = str(tmp_path / "n")
    now = {"health": health()}

    async def told_for(world):
        stop = asyncio.Event()
        async with notifying(lambda: now["health"], stop, world, Notifier(address, 8.0)):
            await asyncio.sleep(20.5)  # every 4 s
            fed = told(heard)
            now["health"] = health(alive=False, ok=False, troubles=("mic: audio has been waiting",))
            await asyncio.sleep(20)
            starved = told(heard)
            stop.set()
            await asyncio.sleep(1)
        return fed, starved, told(heard)

    with manager(address) as heard:
        fed, starved, end = run(told_for)
    assert fed[0].startswith("READY=1\nSTATUS=")
    assert [said.startswith("WATCHDOG=1\n") for said in fed[1:]] == [True] * 5
    assert len(starved) == 5
    assert not any("WATCHDOG" in said for said in starved)
    assert "mic: audio has been waiting" in starved[0]
    assert caplog.text.count("The watchdog is not fed any more") == 1
    assert any(said.startswith("STOPPING=1") for said in end)


def test_a_source_that_is_sought_for_hours_keeps_it_fed(tmp_path, monkeypatch):
    address = str(tmp_path / "n")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    pings = []

    async def heard_for(world):
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_later(20_000, stop.set)

        def count():
            pings.extend(told(heard))
            loop.call_later(50, count)

        count()
        source = live("radio", [*real_time(5), OSError("gone")], [OSError("refused")])
        await hear(world, source, stop=stop, pace="real")

    with manager(address) as heard:
        run(heard_for)
    assert sum("WATCHDOG=1" in said for said in pings) >= 20_000 / 30
    assert any("0 of 1 sources running; radio: reconnecting" in said for said in pings)


def test_a_listener_says_when_it_is_ready_and_when_it_ends(address, tmp_path):
    given = env()
    given["env"] |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    args = (
        "listen",
        "--source",
        "pcm:-?rate=22050&channels=1&format=s16le",
        "--sink",
        f"jsonl:{tmp_path / 'e'}",
    )
    with manager(address) as heard:
        process = subprocess.Popen(command(*args), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, **given)
        try:
            said = [heard.recv(4096).decode()]
            assert said[0].startswith("READY=1\n")
            while not said[-1].startswith("WATCHDOG=1"):
                said.append(heard.recv(4096).decode())
            process.send_signal(signal.SIGTERM)
            while not said[-1].startswith("STOPPING=1"):
                said.append(heard.recv(4096).decode())
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()
            process.stdin.close()
