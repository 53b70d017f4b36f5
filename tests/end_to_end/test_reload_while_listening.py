"""A hangup without a terminal reads the settings again, and what has changed in them is carried out."""

import signal
import subprocess
import time

import pytest
from broadcasts import PCM
from cli.cli_process import command, env
from happenings import check_ended, matches, states
from programs import Program


@pytest.fixture
def listener(tmp_path):
    """Start a listener that has no terminal, and whose settings stand in a file."""
    programs = []

    def start(config):
        errors = tmp_path / "stderr"
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command("listen", "--config", config, "--sink", "jsonl:-"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                **env(),
            )
        programs.append(Program(process, errors))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def until_said(program, sentence, times=1):
    deadline = time.monotonic() + 40  # a limit for what is broken
    while program.stderr.count(sentence) < times:
        assert time.monotonic() < deadline, program.stderr
        time.sleep(0.05)


def running(*names):
    return lambda events: all("running" in states(events, name) for name in names)


def test_a_hangup_carries_out_what_has_changed(listener, broadcast, index, tmp_path):
    config = tmp_path / "listen.toml"

    def write(*sources, **common):
        common = {"index": index, "node": "house", **common}
        config.write_text("\n".join([*(f"{key} = '{value}'" for key, value in common.items()), *sources]))

    hall = f"[[sources]]\nname = 'hall'\nuri = '{PCM}'"
    attic = f"[[sources]]\nname = 'attic'\nuri = '{broadcast.path}'"
    cellar = attic.replace("attic", "cellar")
    write(hall, attic)
    program = listener(config)
    program.write(broadcast.pcm(0, 4))
    program.until(running("hall", "attic"))
    program.until(lambda events: matches(events, "hall", "started"))

    write(hall, cellar, node="elsewhere")
    program.process.send_signal(signal.SIGHUP)
    program.until(running("cellar"))
    program.until(lambda events: "stopped" in states(events, "attic"))
    until_said(program, "the settings are reloaded: added: cellar; removed: attic; unchanged: 1")
    until_said(program, "these settings have changed and need a restart: node")

    config.write_text("nodes = 'attic'")
    program.process.send_signal(signal.SIGHUP)
    until_said(
        program,
        f"the settings are not reloaded, and nothing has changed: {config}: the key 'nodes' is not known; "
        "did you mean 'node'?",
    )
    program.write(broadcast.pcm(4, 12))
    program.until(lambda events: matches(events, "hall")[-1].stream_s > 6)  # the same match, which goes on
    assert program.end(signal.SIGTERM) == 0
    check_ended(program.events)
    assert len(matches(program.events, "hall", "started")) == 1
    assert states(program.events, "hall").count("starting") == 1
    assert {event.node for event in program.events} == {"house"}
    assert "Traceback" not in program.stderr
