"""What libraries print stays away from the terminal; what we say does not."""

import os
import subprocess
import sys

import pytest
from cli_process import command, env

# The command line, with a command that stands for what libraries do: it writes past Python, warns, and leaves
# an object of a binding alive, which complains when everything else has ended.
NOISY = """
import os, sys, threading, time, warnings
from stream_match import __main__
from stream_match.cli import devices, terminal

def keep(resampler):
    time.sleep(60)

def run(args):
    import soxr
    os.write(2, b"[layer3.c:1771] error: dequantization failed!\\n")
    warnings.warn("deprecated")
    threading.Thread(target=keep, args=(soxr.ResampleStream(48_000, 22_050, 1),), daemon=True).start()
    terminal.complain("this is ours")
    terminal.say("and this")
    return 0

devices.run = run
sys.exit(__main__.main())
"""


def run(*args, program=NOISY):
    done = [sys.executable, "-c", program, *args]
    return subprocess.run(done, capture_output=True, text=True, timeout=60, check=False, **env())


def test_only_what_we_say_is_heard():
    done = run("devices")
    assert (done.returncode, done.stdout, done.stderr) == (0, "and this\n", "stream-match: this is ours\n")


def test_who_debugs_hears_everything():
    done = run("devices", "--debug")
    assert "dequantization failed" in done.stderr
    assert "deprecated" in done.stderr
    assert "nanobind: leaked" in done.stderr
    assert "this is ours" in done.stderr


def test_help_and_mistakes_are_still_told():
    assert "usage: stream-match" in run("--help").stdout
    assert "invalid choice" in run("nonsense").stderr


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_output_is_no_crash(closed, index):
    args = " ".join(map(repr, command("index", "info", index)))
    number = {"stdout": 1, "stderr": 2}[closed]
    done = subprocess.run(
        ["/bin/sh", "-c", f"{args} {number}>&-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **env(),
    )
    assert done.returncode == (1 if closed == "stdout" else 0)
    if closed == "stdout":
        assert done.stderr.startswith("stream-match: standard output is closed")


def test_a_killed_build_leaves_no_complaint_of_its_own(music, tmp_path):
    """Semaphores, were there any, would be told of by a process that outlives the build."""
    import signal
    import time

    args = command("index", "build", music, "--out", tmp_path / "out", "--jobs", "2", "--debug")
    with subprocess.Popen(
        args, stderr=subprocess.PIPE, text=True, start_new_session=True, **env()
    ) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("out/.work-*/work/*.part")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        errors = process.stderr.read()  # it ends with the last of its processes
    assert errors == ""
