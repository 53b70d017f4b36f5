import inspect
import re
import textwrap

import pytest

from stream_match import config
from stream_match.cli.listen import _flags
from stream_match.cli.listen_arguments import CONFIG
from stream_match.cli.parser import build_parser
from stream_match.config import ListenSettings, read_settings
from stream_match.errors import UsageError

EXAMPLE = textwrap.dedent(inspect.getdoc(config).partition("::\n\n")[2].partition("\nPaths are")[0])


def given_by(*args):
    """What the command line and the file that it names come to."""
    parsed = build_parser().parse_args(["listen", *map(str, args)])
    return read_settings(parsed.config, _flags(parsed))


def read(tmp_path, text):
    path = tmp_path / "radio.toml"
    path.write_text(text, encoding="utf-8")
    return ListenSettings.from_toml(path)


@pytest.mark.parametrize("text", [EXAMPLE, CONFIG.partition("\n")[2]])
def test_the_examples_are_understood(tmp_path, text):
    settings = read(tmp_path, text)
    assert settings.node == "attic"
    assert settings.sources[0].name == "radio-example"
    assert settings.sources[0].uri == "https://radio.example/stream"
    assert settings.sources[0].title == "Radio Example"
    assert settings.match.max_false_alarms_per_hour == 0.1


def test_the_defaults_need_no_file(tmp_path):
    settings = read(tmp_path, "")
    assert settings == ListenSettings()
    assert settings.sinks == ("console:",)
    assert settings.pace == "real"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nodes = 'attic'", "the key 'nodes' is not known; did you mean 'node'?"),
        (
            "[[sources]]\nuri = 'mic:'\n[[sources]]\nurl = 'mic:'\n",
            "'sources[1].url' is not known; did you mean 'uri'?",
        ),
        ("[[sources]]\nuri = 'mic:'\ntitel = 'x'", "'sources[0].titel' is not known; did you mean 'title'?"),
        (
            "[match]\nmax_false_alarm_per_hour = 1",
            "'match.max_false_alarm_per_hour' is not known; did you mean 'max_false_alarms_per_hour'?",
        ),
        (
            "xyz = 1",
            f"expected one of {', '.join(sorted(ListenSettings.model_fields))}.",
        ),
        ("[match]\nmax_false_alarms_per_hour = -1", "'match.max_false_alarms_per_hour' is -1: "),
        ("pace = 'quick'", "'pace': expected 'real' or 'fast'."),
        ("[[sources]]\nname = 'x'", "'sources[0].uri': it is missing."),
        ("[[sources]]\nuri = 'mic:'\nname = 'My mic'", "'sources[0].name': "),
        ("node = ", "no valid TOML: "),
        ("[onsets]\nannounce = 'yes'", "'onsets.announce': write true or false, without quotes."),
        ("[onsets]\nannounce = 1", "'onsets.announce' is 1: write true or false, without quotes."),
        (
            "[match]\nmax_false_alarms_per_hour = '1'",
            "'match.max_false_alarms_per_hour': write a number, without quotes.",
        ),
        ("[match]\nmax_false_alarms_per_hour = true", "write a number, without quotes."),
        ("node = 5", "'node': write a text, in quotes."),
        ("index = 5", "'index' is 5: write a text, in quotes."),
        ("sinks = [5]", "'sinks[0]': write a text, in quotes."),
        ("sinks = 5", "'sinks' is 5: write a list, in square brackets."),
        ("reconnect_max_seconds = 0", "'reconnect_max_seconds' is 0: write a number from 1 up."),
        ("reconnect_max_seconds = 3601", "'reconnect_max_seconds' is 3601: write a number up to 3600."),
        ("reconnect_max_seconds = inf", "'reconnect_max_seconds' is inf: write a finite number."),
        ("[onsets]\nretire_after_hours = 0", "'onsets.retire_after_hours' is 0: write a number above 0."),
        (f"[[sources]]\nuri = 'mic:'\ntitle = '{'x' * 201}'", "at most 200 letters may stand in it."),
        ("match = true", "'match' is True: write a table of settings."),
    ],
)
def test_a_mistake_at_any_level_is_one_clear_sentence(tmp_path, text, told):
    with pytest.raises(UsageError) as refused:
        read(tmp_path, text)
    assert told in str(refused.value)
    assert "radio.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_password_is_never_told(tmp_path):
    with pytest.raises(UsageError) as refused:
        read(tmp_path, "sinks = {url = 'mqtt://guest:secret@host'}")
    assert "'sinks[0].url' is not known; did you mean 'uri'?" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["username = 'a'\npassword = 8765", "headers = 8765", "headers = {X-Key = 8765}", "password = 87.65"],
)
def test_a_password_without_quotes_is_not_told_either(tmp_path, text):
    with pytest.raises(UsageError, match=r"write a (text|table)") as refused:
        read(tmp_path, f"[[sources]]\nuri = 'http://host/'\n{text}")
    assert not re.search("87.?65", str(refused.value))


@pytest.mark.parametrize(
    "text",
    [
        "sinks = 'jsonl:-'\nsources = 'mic:'",
        "sinks = ['jsonl:-']\nsources = ['mic:']",
        "sinks = ['jsonl:-']\n[sources]\nuri = 'mic:'",
        "sinks = ['jsonl:-']\n[[sources]]\nuri = 'mic:'",
    ],
)
def test_a_single_source_or_sink_needs_no_list(tmp_path, text):
    settings = read(tmp_path, text)
    assert settings.sinks == ("jsonl:-",)
    assert [source.uri for source in settings.sources] == ["mic:"]


def test_no_example_switches_on_what_few_need(tmp_path):
    for text in (EXAMPLE, CONFIG.partition("\n")[2]):
        assert "announce" not in text
        assert read(tmp_path, text).onsets == ListenSettings().onsets


def test_settings_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes("node = 'küche'".encode("latin-1"))
    with pytest.raises(UsageError, match="are not UTF-8: save them"):
        ListenSettings.from_toml(path)


def test_settings_with_the_mark_that_windows_writes_are_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbfnode = 'attic'\r\n")
    assert ListenSettings.from_toml(path).node == "attic"


def test_the_command_line_overrides_the_file(tmp_path):
    path = tmp_path / "radio.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    file = ["--config", path]
    given = ["--source", "kitchen=mic:", "--sink", "jsonl:-", "--pace", "fast", "--node", "cellar"]
    settings = given_by(*file, *given)
    assert [source.uri for source in settings.sources] == ["kitchen=mic:"]
    assert settings.sinks == ("jsonl:-",)
    assert (settings.pace, settings.node) == ("fast", "cellar")
    assert str(settings.index) == "models/demo"
    assert given_by(*file) == ListenSettings.from_toml(path)


def test_the_budget_of_the_command_line_overrides_the_file(tmp_path):
    config = tmp_path / "listen.toml"
    config.write_text("[match]\nmax_false_alarms_per_hour = 5\n")
    given = ["--config", config]
    assert given_by(*given).match.max_false_alarms_per_hour == 5
    given += ["--max-false-alarms-per-hour", "0.5"]
    assert given_by(*given).match.max_false_alarms_per_hour == 0.5
