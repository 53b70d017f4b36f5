"""A signal at any moment: what has started ends, and the exit status is 0."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from cli_process import command, env

from stream_match.events import from_json

PIPE = "pcm:-?rate=22050&channels=1&format=s16le"

MOMENTS = [
    (1, signal.SIGTERM),  # before there is any audio
    (2, signal.SIGINT),
    (3, signal.SIGTERM),  # the first match has just started
    (4, signal.SIGINT),
    (8, signal.SIGTERM),
]


def listening(index, source, *more):
    args = ("listen", "--index", index, "--source", source, "--sink", "jsonl:-", *more)
    return subprocess.Popen(
        command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **env()
    )


def check_ended(lines):
    events = [from_json(line) for line in lines]
    matches = [event for event in events if event.type == "match"]
    started = [event.match_id for event in matches if event.phase == "started"]
    ended = [event.match_id for event in matches if event.phase == "ended"]
    assert started == ended
    assert events[-1].state == "stopped"


@pytest.mark.parametrize(("lines", "number"), MOMENTS)
def test_every_started_has_its_ended(index, long_broadcast, lines, number):
    with listening(index, long_broadcast, "--pace", "fast") as process:
        heard = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(number)
        rest = process.stdout.read()  # `communicate` would pass over what was read ahead
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    check_ended([*heard, *rest.splitlines()])


def test_a_pipe_that_is_held_open_does_not_hold_up_the_end(index):
    args = command(
        "listen",
        "--index",
        index,
        "--source",
        "pcm:-?rate=22050&channels=1&format=s16le",
        "--sink",
        "jsonl:-",
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(args, stdin=pipe, stdout=pipe, stderr=pipe, **env()) as process:
        process.stdin.write(bytes(2 * 22_050))
        process.stdin.flush()
        heard = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        check_ended([*heard, *process.stdout.read().splitlines()])
    assert process.returncode == 0


def test_a_signal_while_nothing_has_started_ends_at_once(index, tmp_path):
    # A named pipe in place of the index' manifest holds the loading up for ever.
    os.mkfifo(tmp_path / "manifest.json")
    with listening(tmp_path, "x.wav") as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode in (0, 1, -signal.SIGTERM)  # before Python itself is up, it cannot be caught


def test_a_reader_that_goes_away_ends_identify_quietly(index, query):
    with subprocess.Popen(
        command("identify", "--index", index, "--json", *[query[0]] * 3),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **env(),
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=30)
    assert (process.returncode, errors) == (0, "")


class Terminal:
    """A process whose controlling terminal can be closed."""

    def __init__(self, *args):
        self._master, slave = pty.openpty()
        # A session leader takes the terminal that it opens first as its own.
        attach = (
            "import os, sys; os.setsid(); os.close(os.open(sys.argv[1], os.O_RDWR)); "
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        started = [sys.executable, "-c", attach, os.ttyname(slave), *args]
        self.process = subprocess.Popen(started, stdin=slave, stdout=slave, stderr=slave, **env())
        os.close(slave)

    def close(self):
        os.close(self._master)


@pytest.mark.parametrize("sinks", [(), ("--sink", "console:")])
def test_a_terminal_that_closes_ends_every_match(index, long_broadcast, tmp_path, sinks):
    told = tmp_path / "told.jsonl"
    args = ("--index", index, "--source", long_broadcast, "--pace", "fast", "--sink", f"jsonl:{told}", *sinks)
    terminal = Terminal(*command("listen", *args))
    wait_for(lambda: "match_started" in read(told))
    terminal.close()
    assert terminal.process.wait(timeout=30) == 0
    lines = read(told).splitlines()
    check_ended(lines)
    assert len(lines) < 500  # it did not hear the broadcast to its end


def test_a_hangup_in_the_background_of_a_terminal_ends_as_sigterm_does(index, long_broadcast, tmp_path):
    told = tmp_path / "told.jsonl"
    args = ("--index", index, "--source", long_broadcast, "--pace", "fast", "--sink", f"jsonl:{told}")
    terminal = Terminal(*command("listen", *args))
    wait_for(lambda: "match_started" in read(told))
    terminal.process.send_signal(signal.SIGHUP)
    terminal.process.send_signal(signal.SIGHUP)  # the kernel's and the shell's
    assert terminal.process.wait(timeout=30) == 0
    terminal.close()
    check_ended(read(told).splitlines())


def without_terminal(*args, **more):
    pipe = subprocess.PIPE
    return subprocess.Popen(
        args, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, **env(), **more
    )


LISTEN_TO_PIPE = ("listen", "--source", "pcm:-?rate=22050&channels=1&format=s16le", "--sink", "jsonl:-")


def test_without_a_terminal_a_hangup_looks_at_the_index_at_once_and_says_what_it_is(index):
    with without_terminal(*command(*LISTEN_TO_PIPE, "--index", index)) as process:
        process.stdin.write(bytes(2 * 22_050))
        process.stdin.flush()
        process.stdout.readline()
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            said = process.stderr.readline().decode()
            assert said.endswith(f"the index {str(index)!r} is unchanged (tracks: 2)\n")
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "SIGHUP" not in errors.decode()
    assert from_json(rest.splitlines()[-1]).state == "stopped"


def test_without_a_terminal_and_an_index_a_hangup_does_nothing_and_says_so_once():
    with without_terminal(*command(*LISTEN_TO_PIPE)) as process:
        process.stdin.write(bytes(2 * 22_050))
        process.stdin.flush()
        process.stdout.readline()
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
        said = process.stderr.readline().decode()
        process.stdin.write(bytes(2 * 22_050))
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "SIGHUP" in said
    assert "SIGHUP" not in errors.decode()
    stopped = from_json(rest.splitlines()[-1])
    assert (stopped.state, stopped.stream_s) == ("stopped", 2.0)


def test_nohup_is_respected():
    ignoring = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    with without_terminal(*ignoring, *command(*LISTEN_TO_PIPE)) as process:
        process.stdin.write(bytes(2 * 22_050))
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"SIGHUP" not in errors
    assert from_json(rest.splitlines()[-1]).stream_s == 1.0


def read(path):
    return path.read_text() if path.exists() else ""


def wait_for(there, seconds=60):
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)
