"""A signal at any moment: what has started ends, and the exit status is 0."""

import os
import signal
import subprocess

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
        rest, errors = process.communicate(timeout=30)
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
