"""`config check`, `config schema`, `config example`."""

import json
import os

import pytest

from stream_match.config.schema import EXAMPLE, json_schema


@pytest.fixture
def check(run_cli, tmp_path):
    def run(text, mode=0o600):
        path = tmp_path / "listen.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        done = run_cli("config", "check", path)
        return done, [line.removeprefix("stream-match: ") for line in done.stderr.splitlines()]

    return run


def test_what_is_fine_is_said_on_one_line(check, tmp_path, index):
    done, told = check(f"index = '{index}'\nsources = 'mic:'\nstate = '{tmp_path}/state'")
    assert (done.returncode, told) == (0, [])
    assert done.stdout == f"{tmp_path}/listen.toml: no mistakes; warnings: 0\n"
    assert not (tmp_path / "state").exists()


def test_all_that_is_wrong_is_said_at_once(check):
    text = "pace = 'x'\nstatee = '.'\n[[sources]]\nurl = 'mic:'\n[sources.match]\nmin_seconds = -1"
    done, told = check(text)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.partition(": ")[2] for line in told] == [
        "the key 'sources[0].url' is not known; did you mean 'uri'?",
        "the key 'statee' is not known; did you mean 'state'?",
        "'pace': expected 'real' or 'fast'.",
        "'sources[0].match.min_seconds' is -1: write a number from 0 up.",
    ]


def test_what_sources_and_sinks_do_not_take_is_wrong_too(check):
    text = """
    sinks = ["mqtt://host/+", "nowhere:"]
    [[sources]]
    uri = "x.wav"
    username = "ann"
    [[sources]]
    uri = "gopher://host"
    [[sources]]
    uri = "mic:"
    onsets = { enabled = false }
    """
    done, told = check(text)
    assert done.returncode == 2
    assert len(told) == 5
    for part in ("'username'", "'gopher:'", "nothing to listen for in 'mic'", "topic base", "'nowhere:…'"):
        assert any(part in line for line in told), part


def test_a_missing_file_of_a_password_hides_no_other_mistake_of_its_table(check):
    tables = ("[share]\nservers = 'nats://a'\nmax_sources = 0", "[[sources]]\nuri = 'mic:'\nchannel = 0")
    done, told = check("\n".join(f"{table}\npassword_file = '/no/such'" for table in tables))
    assert done.returncode == 2
    places = ("share.password", "share.max_sources", "sources[0].password", "sources[0].channel")
    for place in places:
        assert sum(f"'{place}'" in line for line in told) == 1, place
    assert len(told) == len(places)


def test_two_sources_of_one_name_are_wrong(check):
    done, told = check("sources = ['mic:', 'mic:']")
    assert done.returncode == 2
    assert told == [line for line in told if "Two sources are named 'mic'" in line] != []


def test_what_is_suspicious_is_a_warning(check, tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_MATCH_NODES", "x")
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    (tmp_path / "file").write_text("")
    text = f"""
    index = "{tmp_path}/no/index"
    genre_model = "{tmp_path}/no/model"
    state = "{tmp_path}/file/state"
    sinks = ["mqtt://ann:hunter2@host", "mqtt://ann:hunter2@host"]
    [[sources]]
    uri = "{tmp_path}/gone.wav"
    [[sources]]
    uri = "http://host/"
    username = "ann"
    password_file = "{secret}"
    """
    done, told = check(text, mode=0o644)
    assert done.returncode == 0
    assert all(line.startswith("warning: ") for line in told)
    for part in (
        "STREAM_MATCH_NODES is no setting",
        f"no index in '{tmp_path}/no/index'",
        f"no model in '{tmp_path}/no/model'",
        f"state folder '{tmp_path}/file/state'",
        f"'{tmp_path}/listen.toml' holds a secret",
        f"the file '{secret}' holds a secret",
        f"the file '{tmp_path}/gone.wav' is not there (source 'gone')",
        "a sink is there twice (mqtt:…)",
    ):
        assert sum(part in line for line in told) == 1, part
    assert len(told) == 8
    assert "hunter2" not in done.stderr + done.stdout


def test_without_a_source_or_an_index_it_is_said(check):
    _, told = check("")
    assert told == ["warning: it names no source: listen needs --source then"]
    _, told = check("sources = 'mic:'")
    assert told == ["warning: no index is named, so that no track is recognised"]


def test_a_page_for_others_without_a_token_is_wrong(check, tmp_path, monkeypatch):
    page = "sources = 'mic:'\n[web]\nlisten = '0.0.0.0:8765'\n"
    done, (line,) = check(page)
    assert done.returncode == 2
    assert "it needs a token" in line
    done, (line,) = check(f"{page}token_file = '{tmp_path}/gone'")
    assert (done.returncode, "gone' cannot be read" in line) == (2, True)
    monkeypatch.setenv("STREAM_MATCH_WEB_TOKEN", "0123456789abcdef")
    assert check(page)[0].returncode == 0


@pytest.mark.parametrize(
    ("share", "wrong"),
    [
        ("servers = 'nats://hunter2@a,b/bucket'", "The server 'nats://***' cannot be understood"),
        ("servers = ['hunter2']", "The server '***' cannot be understood"),
        ("servers = 'nats://a'", "The source 'mic' belongs to one machine and cannot be shared"),
        ("servers = 'nats://a'\nusername = 'ann'", "a username needs a password"),
        ("servers = 'nats://a'\nkeyfile = 'k.pem'", "a keyfile needs its certfile"),
        ("servers = 'nats://a'\nmax_sources = 0", "write a number from 1 up"),
        ("servers = 5", "write a list, in square brackets"),
        ("fleet = 'At tic'", "only lower-case letters"),
        ("lease_second = 5", "did you mean 'lease_seconds'?"),
    ],
)
def test_sharing_that_cannot_be_is_wrong(check, share, wrong):
    done, told = check(f"sources = 'mic:'\n[share]\n{share}")
    assert done.returncode == 2
    assert sum(wrong in line for line in told) == 1, told
    assert "hunter2" not in done.stdout + done.stderr


def test_sharing_that_can_be_is_fine(check, tmp_path, index):
    (tmp_path / "token").write_text("hunter2")
    (tmp_path / "token").chmod(0o600)
    done, told = check(
        f"sources = 'http://host/'\nindex = '{index}'\n[share]\nservers = 'tls://a,b,c'\n"
        f"password_file = '{tmp_path}/token'"
    )
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize(("sinks", "warned"), [("'console:'", 1), ("['jsonl:-', 'mqtt://host']", 0)])
def test_discovery_without_a_broker_is_a_warning(check, sinks, warned):
    _, told = check(f"sources = 'mic:'\nsinks = {sinks}\n[home_assistant]\ndiscovery = true")
    assert sum("discovery goes over an MQTT broker" in line for line in told) == warned


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_state_folder_that_cannot_be_written_is_a_warning(check, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    _, told = check(f"sources = 'mic:'\nstate = '{tmp_path}/locked/state'")
    assert any("cannot be written" in line for line in told)


@pytest.mark.parametrize("text", [None, "node = ", "[" * 100_000])
def test_a_file_that_cannot_be_read_is_one_sentence(run_cli, tmp_path, text):
    path = tmp_path / "listen.toml"
    if text is not None:
        path.write_text(text)
    done = run_cli("config", "check", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_schema_and_the_example_are_printed(run_cli):
    assert json.loads(run_cli("config", "schema").stdout) == json_schema()
    assert run_cli("config", "example").stdout == EXAMPLE.read_text(encoding="utf-8")


def test_config_alone_shows_what_there_is(run_cli):
    done = run_cli("config")
    assert done.returncode == 0
    assert all(action in done.stdout for action in ("check", "schema", "example"))
