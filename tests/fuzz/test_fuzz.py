"""A small share of what `scripts/fuzz.py` reads, and whether it tells the faults that it looks for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("av", reason="PyAV reads most of it")
pytest.importorskip("uvicorn", reason="the extra web is not installed")

ROOT = Path(__file__).parents[2]


def fuzz(*options):
    command = [sys.executable, ROOT / "scripts" / "fuzz.py", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


def test_no_input_does_harm():
    done = fuzz("--inputs", "500", "--seed", "7")
    assert done.returncode == 0, done.stdout + done.stderr
    read = [line.split(":")[0] for line in done.stdout.splitlines() if "inputs, 0 faults" in line]
    assert set(read) >= {"mqtt", "icy-headers", "icy-metadata", "playlists", "tags", "hls", "answers"}
    assert set(read) >= {"wav", "flac", "mp3", "ogg", "config", "requests", "store", "page"}


def test_every_kind_of_harm_is_told():
    done = fuzz("--controls", "--inputs", "2", "--exact", "--only", "fails", "crashes", "grows", "opens")
    assert done.returncode == 1
    for said in (
        "KeyError: 'a fault of ours'",
        "ended with -11",
        "took 400 MiB",
        "opened open ('/etc/hostname'",
    ):
        assert said in done.stdout


def test_one_that_gives_no_answer_is_given_up():
    done = fuzz("--controls", "--inputs", "3", "--exact", "--only", "waits-for-ever", "--wait", "10")
    assert done.returncode == 1
    assert "waits-for-ever: 3 inputs, 1 faults" in done.stdout


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_what_a_library_opens_is_told_too():
    done = fuzz("--controls", "--inputs", "2", "--exact", "--only", "opens-below")
    assert done.returncode == 1
    assert 'openat(AT_FDCWD, "/etc/hostname"' in done.stdout
