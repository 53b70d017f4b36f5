import json
import os
import re
import subprocess
import sys

import pytest

from stream_match.cli import main
from stream_match.cli.parser import build_parser

COMMANDS = [
    ["listen"],
    ["identify"],
    ["explain"],
    ["compare"],
    ["features"],
    ["similar"],
    ["index"],
    ["index", "build"],
    ["index", "add"],
    ["index", "remove"],
    ["index", "list"],
    ["index", "info"],
    ["index", "verify"],
    ["watch"],
    ["devices"],
    ["demo"],
]


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_every_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert f"example: stream-match {' '.join(command)}" in told


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["listen", "--confg", "x"], "--confg x; did you mean --config?; see stream-match listen --help"),
        (["config", "check", "x", "--json=1"], "--json=1; see stream-match config check --help"),
        (["--versio"], None),  # the beginning of an option will do
    ],
)
def test_an_option_that_is_not_known_is_looked_for_where_it_was_given(args, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(args)
    told = capsys.readouterr()
    assert left.value.code == (0 if said is None else 2)
    assert told.err == ("" if said is None else f"stream-match: unrecognized arguments: {said}\n")


THREADS = """
import json, sys
import stream_match.cli
import numpy
from threadpoolctl import threadpool_info
json.dump([library["num_threads"] for library in threadpool_info()], sys.stdout)
"""


@pytest.mark.parametrize("asked", [None, "2"])
def test_products_take_one_thread_unless_told_otherwise(asked):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {} if asked is None else {"OPENBLAS_NUM_THREADS": asked}
    args = [sys.executable, "-c", THREADS]
    done = subprocess.run(args, capture_output=True, text=True, check=True, env=environment)
    threads = json.loads(done.stdout)
    assert threads
    assert set(threads) <= {1, min(int(asked or 1), os.cpu_count())}


HELP = """
import sys
from stream_match.cli import main
try:
    main(["listen", "--help"])
except SystemExit:
    pass
import json
json.dump(sorted(sys.modules), sys.stderr)
"""


def test_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True, cwd=None)
    loaded = set(json.loads(done.stderr))
    heavy = {"numpy", "scipy", "pydantic", "asyncio", "faiss", "aiomqtt", "soundfile", "sounddevice", "av"}
    assert not loaded & (heavy | {"librosa", "amqtt", "tqdm", "soxr"})


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["listn"], "invalid choice: 'listn'"),
        (["index", "build", "x"], "required: --out"),
        (["index", "build", "x", "--out", "y", "--jobs", "0"], "'0' is no whole number from 1 up"),
        (["listen", "--max-false-alarms-per-hour", "0"], "'0' is no number above 0"),
        (
            ["identify", "--index", "x", "y", "--max-false-alarms-per-hour", "nan"],
            "'nan' is no number above 0",
        ),
        (["identify", "x.wav"], "required: --index"),
        (["identify", "x.wav", "--index", "x", "--method", "lsh"], "invalid choice: 'lsh'"),
        (["identify", "x.wav", "--index", "x", "-k", "0"], "'0' is no whole number from 1 up"),
        (["listen", "--pace", "slow"], "invalid choice: 'slow'"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(args, told, capsys):
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert not out
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["index"]], ids=" ".join)
def test_no_command_asks_for_help(command, capsys):
    assert main(command) == 0
    asked = capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert capsys.readouterr() == asked


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert re.fullmatch(r"stream-match \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (["listen", "--source", "x.wav", "--no-onsets"], 2, "needs an index"),
        (["listen", "--config", "no.toml"], 2, "'no.toml' cannot be read: No such file"),
        (["listen", "--node", "At tic"], 2, "the command line: 'node'"),
        (["index", "info", "no_such_folder"], None, "no_such_folder"),
        (["watch", "--mqtt", "http://localhost"], 2, "cannot be understood"),
        (["watch", "--mqtt", "mqtt://127.0.0.1:1"], 1, "refuses the connection"),
    ],
)
def test_an_error_is_one_line_and_a_status(args, status, told, capsys):
    given = main(args)
    out, err = capsys.readouterr()
    assert given == status or (status is None and given in (1, 2))
    assert not out
    assert told in err
    assert len(err.splitlines()) == 1


def test_an_unexpected_error_is_one_line_unless_debugging(monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("stream_match.cli.devices.run", broken)
    assert main(["devices"]) == 1
    told = "unexpected ZeroDivisionError: by zero (run it again with --debug for the details)"
    assert capsys.readouterr().err == f"stream-match: {told}\n"
    with pytest.raises(ZeroDivisionError):
        main(["devices", "--debug"])
    monkeypatch.setenv("STREAM_MATCH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["devices"])


def test_an_interrupted_command_says_nothing(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stream_match.cli.devices.run", interrupted)
    assert main(["devices"]) == 130
    assert not capsys.readouterr().err


def test_devices_are_listed_by_the_names_that_mic_takes(monkeypatch, capsys):
    from stream_match.capture.microphone import Microphone

    found = [Microphone("USB Audio: Blue Yeti", 2, 48_000, "ALSA")]
    monkeypatch.setattr("stream_match.cli.devices.list_microphones", lambda: found)
    assert main(["devices"]) == 0
    assert capsys.readouterr().out == "mic:USB Audio: Blue Yeti   (2 ch, 48000 Hz, ALSA)\n"
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "USB Audio: Blue Yeti"
    found.clear()
    assert main(["devices"]) == 0
    assert capsys.readouterr() == ("", "stream-match: No microphone was found.\n")


def names_of(parser):
    [commands] = [action for action in parser._actions if action.choices and not action.option_strings]
    return list(commands.choices)


def test_every_command_has_its_function():
    from importlib import import_module

    needed = {
        "listen": [],
        "identify": ["--index", "i", "a"],
        "explain": ["a", "--index", "i", "--out", "o"],
        "compare": ["a", "b"],
        "features": ["a", "--set", "rp", "--out", "o"],
        "similar": ["a", "--table", "t.csv"],
        "genre": ["a"],
        "report": ["a"],
        "onsets": ["a"],
        "index build": ["p", "--out", "o"],
        "index add": ["i", "p"],
        "index update": ["i", "p"],
        "index remove": ["i", "t"],
        "index compact": ["i"],
        "index describe": ["i", "p"],
        "index hash": ["i", "p"],
        "index list": ["i"],
        "index info": ["i"],
        "index verify": ["i"],
        "history": ["--state", "s"],
        "mark": ["a", "--name", "n"],
        "watch": [],
        "name": ["i", "n", "--source", "s"],
        "doctor": [],
        "health": [],
        "devices": [],
        "config check": ["f"],
        "config schema": [],
        "config example": [],
        "demo": [],
    }
    assert list(dict.fromkeys(command.split()[0] for command in needed)) == names_of(build_parser())
    for command, more in needed.items():
        module, _, function = build_parser().parse_args([*command.split(), *more]).run.partition(":")
        assert module == command.split()[0]
        assert callable(getattr(import_module(f"stream_match.cli.{module}"), function))
