"""Unit, container and compose file: what they name is there, and our own commands understand them."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ports import free_port
from publish.conftest import MOSQUITTO

from stream_match.cli.parser import build_parser
from stream_match.config import ListenSettings
from stream_match.service.listen import FLUSH_S

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "scripts" / "deploy"
UNIT = DEPLOY / "stream_match.service"


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def test_systemd_understands_the_unit(tmp_path):
    analyze = shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "stream-match"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/stream_match/bin/stream-match", str(program)))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert ours == [], done.stderr


def test_our_program_understands_its_command(unit):
    program, *args = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/stream-match")
    parsed = build_parser().parse_args(args)
    assert parsed.run == "listen:run"
    assert str(parsed.state) == "/var/lib/" + unit["Service"]["StateDirectory"]


def test_it_is_given_the_time_that_it_needs(unit):
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "on-failure")
    assert service["RestartPreventExitStatus"] == "2"
    assert int(service["TimeoutStopSec"].rstrip("s")) > FLUSH_S
    assert "MemoryDenyWriteExecute" not in service  # numba compiles


def test_it_is_started_again_for_as_long_as_a_disk_or_a_server_is_not_there(unit):
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert "StartLimitBurst" not in unit["Unit"]
    assert unit["Service"]["RestartSec"] == "30s"


def test_the_settings_in_the_documentation_are_understood(tmp_path):
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```toml\n(node.*?)^```", text, re.M | re.S)
    path = tmp_path / "stream_match.toml"
    path.write_text(shown)
    settings = ListenSettings.from_toml(path)
    assert (settings.node, len(settings.sources), len(settings.sinks)) == ("attic", 1, 1)


def instructions():
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def test_what_the_container_copies_is_there_and_enough_for_the_wheel():
    copied = [word for name, rest in instructions() if name == "COPY" for word in rest.split()[:-1]]
    assert all((ROOT / path).exists() for path in copied)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = set(re.findall(r'^readme = "(.*)"', project, re.M)) | {"stream_match", "models", "pyproject.toml"}
    assert named <= set(copied)


def extras_of(listed):
    """Extras by name, each of which there is."""
    known = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"\n{extra} = [" in known for extra in listed.split(","))
    return set(listed.split(","))


def test_the_container_runs_without_root_and_asks_itself_how_it_is():
    said = dict(instructions())
    assert int(said["USER"]) > 0
    entry, command = json.loads(said["ENTRYPOINT"]), json.loads(said["CMD"])
    assert entry == ["stream-match"]
    parsed = build_parser().parse_args(command)
    assert parsed.run == "listen:run"
    program, *health = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    asked = build_parser().parse_args(health)
    assert (program, asked.run) == ("stream-match", "health:run")
    assert asked.web == parsed.web
    assert "[$EXTRAS]" in next(rest for name, rest in instructions() if "whl" in rest)
    assert extras_of(said["ARG"].removeprefix("EXTRAS="))


def test_the_compose_file():
    yaml = pytest.importorskip("yaml")
    told = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    ours = told["services"]["stream_match"]
    parsed = build_parser().parse_args(ours["command"])
    assert (parsed.run, parsed.sink) == ("listen:run", ["mqtt://mosquitto"])
    assert (
        DEPLOY / ours["build"]["context"] / ours["build"]["dockerfile"]
    ).resolve() == DEPLOY / "Containerfile"
    assert (ours["read_only"], ours["cap_drop"]) == (True, ["ALL"])
    assert "STREAM_MATCH_WEB_TOKEN" in ours["environment"]  # other computers reach the page
    for service in told["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            known = source in told["volumes"] or source == "./index" or (DEPLOY / source).is_file()
            assert known, volume


def with_variables(text):
    """A value of a compose file, with its variables filled in."""
    known = {"NODE": "first", "THIS": "10.0.0.1", "HOST_1": "10.0.0.1", "HOST_2": "10.0.0.2"}
    known |= {"HOST_3": "10.0.0.3", "NATS_TOKEN": "secret"}
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: known[found[1]], text)


def test_the_compose_file_of_three_machines():
    yaml = pytest.importorskip("yaml")
    told = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text(encoding="utf-8"))
    services = told["services"]
    ours = services["stream_match"]
    parsed = build_parser().parse_args([with_variables(word) for word in ours["command"]])
    assert (parsed.run, parsed.node, parsed.sink) == ("listen:run", "first", ["mqtt://10.0.0.1"])
    assert parsed.index == "milvus://10.0.0.1/mine"
    assert "10.0.0.3" in str(parsed.share)
    assert extras_of(ours["build"]["args"]["EXTRAS"]) >= {"milvus", "nats", "dask"}
    assert {name for name, service in services.items() if "profiles" not in service} == {
        "stream_match",
        "nats",
    }
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("${THIS}:") or name == "stream_match", port
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            known = source in told["volumes"] or source in ("./music", "./stream_match.toml")
            assert known or (DEPLOY / source).is_file(), volume


def test_nats_understands_the_command_of_the_compose_file(tmp_path):
    yaml = pytest.importorskip("yaml")
    server = shutil.which("nats-server") or pytest.skip(
        "nats-server is not installed (apt install nats-server)"
    )
    told = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text(encoding="utf-8"))
    command = [with_variables(word) for word in told["services"]["nats"]["command"]]
    command = [word.replace("/data", str(tmp_path)) for word in command]
    command = [word.replace("0.0.0.0:6222", f"127.0.0.1:{free_port()}") for word in command]
    command = [re.sub(r"10\.0\.0\.\d:6222", f"127.0.0.1:{free_port()}", word) for word in command]
    process = subprocess.Popen(
        [server, *command, f"--port={free_port()}", "--addr=127.0.0.1"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert any("Server is ready" in line for line in process.stderr)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_settings_beside_it_are_understood():
    settings = ListenSettings.from_toml(DEPLOY / "stream_match.toml")
    assert settings.sources
    assert str(settings.index) == "/var/lib/index"


def test_mosquitto_understands_its_settings(tmp_path):
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    text = (DEPLOY / "mosquitto.conf").read_text().replace("/mosquitto/data/", f"{tmp_path}/")
    config = tmp_path / "mosquitto.conf"
    config.write_text(text.replace("listener 1883", f"listener {free_port()} 127.0.0.1") + "user root\n")
    process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=subprocess.PIPE, text=True)
    try:
        assert any("running" in line for line in process.stderr)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
