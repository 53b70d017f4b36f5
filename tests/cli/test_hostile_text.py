"""Names and tags of strangers, in every command: nothing of them acts on the terminal."""

import json
import logging
import shutil

import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.cli import main
from stream_match.cli.terminal import LogFormatter

HOSTILE = "Li\x1b[2J\x1b]0;owned\x07n\nstream-match: all is well\u202egpj\u2066\u200b\x9b31m"
"""Clears the screen, sets its title, forges a line, turns the order round, colours by a C1 control."""

FORBIDDEN = "\x1b\x07\x9b\u202e\u2066\u200b\r"


def check(done, *, as_json=False, named=True):
    """What was printed is lines of ours, each of them printable."""
    for text in (done.stdout, done.stderr):
        assert not set(FORBIDDEN) & set(text)
        assert not any(line.startswith("stream-match: all is well") for line in text.splitlines())
        assert all(line.isprintable() for line in text.split("\n"))
    assert "Traceback" not in done.stderr
    if as_json:
        return [json.loads(line) for line in done.stdout.splitlines()]
    told = done.stdout + done.stderr
    assert not named or "Li [2J" in told or repr(HOSTILE)[1:-1] in told
    return []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with a piece of a hostile name and hostile tags, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / f"{HOSTILE.replace('/', '')}.flac"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
        file.title = file.artist = file.album = HOSTILE
        file.write(render(PIECES[0]))
    (folder / f"broken {HOSTILE}.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture(scope="module")
def index(hostile, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / HOSTILE
    main(["index", "build", str(hostile), "--out", str(out), "--jobs", "1"])
    return out


@pytest.fixture(scope="module")
def query(hostile):
    return next(hostile.glob("Li*"))


def test_building_and_adding(run_cli, hostile, query, tmp_path):
    done = run_cli("index", "build", hostile, "--out", tmp_path / HOSTILE, "--jobs", "1")
    assert done.returncode == 1
    check(done)
    check(run_cli("index", "add", tmp_path / HOSTILE, query))
    check(run_cli("index", "build", query, "--out", tmp_path / HOSTILE))


@pytest.mark.parametrize("command", ["list", "info", "verify"])
def test_what_an_index_holds(run_cli, index, command, tmp_path):
    done = run_cli("index", command, index)
    assert done.returncode == 0
    if command != "info":
        check(done)
    check(run_cli("index", command, tmp_path / HOSTILE))
    if command != "verify":
        (row,) = check(run_cli("index", command, index, "--json"), as_json=True)
        assert command != "list" or row["title"].startswith(HOSTILE[:4])


def test_removing(run_cli, index, tmp_path):
    copy = shutil.copytree(index, tmp_path / HOSTILE)
    check(run_cli("index", "remove", copy, HOSTILE))


def test_identifying(run_cli, index, query, hostile):
    check(run_cli("identify", "--index", index, query, next(hostile.glob("broken*")), f"{HOSTILE}.wav"))
    found, unread = check(
        run_cli("identify", "--index", index, "--json", query, next(hostile.glob("broken*"))), as_json=True
    )
    assert found["matches"][0]["track"]["title"].startswith(HOSTILE[:4])
    assert HOSTILE in unread["file"]


def test_explaining(run_cli, index, query, hostile, tmp_path):
    pytest.importorskip("matplotlib")
    check(run_cli("explain", query, "--index", index, "--out", tmp_path / "why.png"))
    check(run_cli("explain", query, "--index", index, "--out", tmp_path / "why.png", "--track", HOSTILE))
    check(run_cli("explain", query, "--index", index, "--out", tmp_path / HOSTILE / "why.png"))
    check(run_cli("explain", next(hostile.glob("broken*")), "--index", index, "--out", tmp_path / "why.png"))


def test_onsets(run_cli, query, hostile):
    check(run_cli("onsets", query))
    check(run_cli("onsets", next(hostile.glob("broken*"))))
    check(run_cli("onsets", "--from", f"{HOSTILE}.jsonl"))


def test_describing(run_cli, hostile, tmp_path):
    check(run_cli("features", hostile, "--set", "ssd", "--jobs", "1", "--out", tmp_path / f"{HOSTILE}.csv"))
    check(run_cli("features", f"{HOSTILE}.wav", "--set", "ssd", "--out", tmp_path / "t.csv"))
    check(run_cli("features", hostile, "--set", "ssd", "--out", tmp_path / HOSTILE))
    check(run_cli("similar", HOSTILE, "--table", tmp_path / f"{HOSTILE}.csv"))
    (tmp_path / "t.csv").write_text(f'id,"{HOSTILE}"\n"{HOSTILE}",1\n', encoding="utf-8")
    check(run_cli("similar", HOSTILE, "--table", tmp_path / "t.csv"))


def test_listening(run_process, index, query):
    done = run_process("listen", "--index", index, "--source", query, "--pace", "fast")
    assert done.returncode == 0
    check(done)
    assert "▶ Li [2J" in done.stdout
    check(run_process("listen", "--source", f"{HOSTILE}.wav", "--pace", "fast", "--sink", "jsonl:/dev/null"))


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["listen", "--config", f"{HOSTILE}.toml"], True),
        (["listen", "--source", f"kitchen=x.wav{HOSTILE}", "--sink", f"what:{HOSTILE}"], False),
        (["watch", "--mqtt", f"http://{HOSTILE}"], False),  # what may be a password is not shown at all
    ],
)
def test_complaints(run_cli, args, named):
    done = run_cli(*args)
    assert done.returncode == 2
    check(done, named=named)


def test_mistakes_in_the_arguments(capsys):
    for args in ([HOSTILE], ["devices", HOSTILE], ["index", "build", "x", "--out", "y", "--jobs", HOSTILE]):
        with pytest.raises(SystemExit):
            main(args)
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert told.rstrip("\n").isprintable()


def test_devices(run_cli, monkeypatch):
    from stream_match.capture.microphone import Microphone

    found = [Microphone(HOSTILE, 2, 48_000, HOSTILE)]
    monkeypatch.setattr("stream_match.cli.devices.list_microphones", lambda: found)
    check(run_cli("devices"))
    (device,) = check(run_cli("devices", "--json"), as_json=True)
    assert device["name"] == HOSTILE


def test_log_lines_and_the_lines_of_tracebacks():
    error = (ValueError, ValueError(HOSTILE), None)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "of %s", (HOSTILE,), error)
    lines = LogFormatter("%(message)s").format(record).split("\n")
    assert lines[0].startswith("of Li [2J")
    assert all(line.isprintable() for line in lines)
