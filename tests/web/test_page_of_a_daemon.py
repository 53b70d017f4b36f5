"""``listen --web`` as a process: its signals stay its own, and what is wrong is said in one sentence."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from stream_match.errors import install_command

pytest.importorskip("starlette", reason="the extra web is not installed")
pytest.importorskip("uvicorn", reason="the extra web is not installed")

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
LISTEN = ("listen", "--source", "kitchen=demo:", "--sink", "jsonl:/dev/null")


def command(*words):
    return [sys.executable, "-m", "stream_match", *map(str, words)]


def finished(*words, code=None, **env):
    """Run a command to its end; `code` is run before it in the same process."""
    run = command(*words)
    if code is not None:
        main = f"import sys; {code}; sys.argv = ['stream-match', *{list(map(str, words))!r}]"
        run = [sys.executable, "-c", f"{main}; from stream_match.__main__ import main; sys.exit(main())"]
    return subprocess.run(
        run, capture_output=True, encoding="utf-8", timeout=DEADLINE_S, check=False, cwd=ROOT,
        env={**os.environ, **env},
    )  # fmt: skip


def test_a_daemon_shows_its_page_and_ends_on_a_signal(tmp_path):
    words = (*LISTEN, "--state", tmp_path, "--web", "127.0.0.1:0")
    with subprocess.Popen(command(*words), stderr=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as daemon:
        try:
            address = next(
                found[0] for line in daemon.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+/", line))
            )
            told = state(address)
            assert told["sources"]["kitchen"]["status"]["state"] in ("starting", "running")
            with urllib.request.urlopen(f"{address}healthz", timeout=DEADLINE_S) as answer:
                assert json.load(answer)["alive"]
            with urllib.request.urlopen(f"{address}api/live", timeout=DEADLINE_S):  # a page that stays open
                began = time.monotonic()
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(DEADLINE_S) == 0
                assert time.monotonic() - began < 10.0
            assert "Traceback" not in daemon.stderr.read()
        finally:
            daemon.kill()


def state(address):
    """Return what is true, once the source is known."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{address}api/live", timeout=DEADLINE_S) as stream:
            assert stream.readline() == b"event: now\n"
            told = json.loads(stream.readline().removeprefix(b"data: "))
        if told["sources"]:
            return told
        time.sleep(0.1)
    raise AssertionError(told)


def test_other_computers_without_a_token_get_one_sentence():
    done = finished(*LISTEN, "--web", "0.0.0.0:0")
    assert done.returncode == 2
    assert "needs a token" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_extra_gets_one_sentence():
    done = finished(*LISTEN, "--web", code="sys.modules['starlette'] = None")
    assert done.returncode == 2
    assert install_command("web") in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_a_page_nothing_of_it_is_loaded():
    code = "sys.modules['starlette'] = sys.modules['uvicorn'] = None"
    done = finished(*LISTEN[:3], "--no-onsets", "--no-match", code=code)
    assert "starlette" not in done.stderr
    assert "nothing to listen for" in done.stderr.lower()


def test_a_port_in_use_does_not_keep_it_from_listening(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        words = (*LISTEN[:3], "--pace", "fast", "--sink", f"jsonl:{tmp_path / 'events'}", "--web", place)
        done = finished(*words)
    assert done.returncode == 0
    assert done.stderr.count("cannot be shown") == 1
    assert (tmp_path / "events").stat().st_size > 0
