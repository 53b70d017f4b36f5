import inspect
import textwrap

import pytest

from stream_match import config
from stream_match.cli.listen import _settings
from stream_match.cli.parser import CONFIG, build_parser
from stream_match.config import ListenSettings
from stream_match.errors import UsageError

EXAMPLE = textwrap.dedent(inspect.getdoc(config).partition("::\n\n")[2].partition("\nPaths are")[0])


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
            "expected one of index, match, node, onsets, pace, reconnect_max_seconds, sinks, sources, state.",
        ),
        ("[match]\nmax_false_alarms_per_hour = -1", "'match.max_false_alarms_per_hour' is -1: "),
        ("pace = 'quick'", "'pace': Input should be 'real' or 'fast'."),
        ("[[sources]]\nname = 'x'", "'sources[0].uri': Field required."),
        ("[[sources]]\nuri = 'mic:'\nname = 'My mic'", "'sources[0].name': "),
        ("node = ", "no valid TOML: "),
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
        read(tmp_path, "sinks = 'mqtt://guest:secret@host'")
    assert "'sinks'" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_settings_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="no valid TOML"):
        ListenSettings.from_toml(path)


def test_the_command_line_overrides_the_file(tmp_path):
    path = tmp_path / "radio.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    file = ["listen", "--config", str(path)]
    given = ["--source", "kitchen=mic:", "--sink", "jsonl:-", "--pace", "fast", "--node", "cellar"]
    settings = _settings(build_parser().parse_args([*file, *given]))
    assert [source.uri for source in settings.sources] == ["kitchen=mic:"]
    assert settings.sinks == ("jsonl:-",)
    assert (settings.pace, settings.node) == ("fast", "cellar")
    assert str(settings.index) == "models/demo"
    assert _settings(build_parser().parse_args(file)) == ListenSettings.from_toml(path)


def test_the_budget_of_the_command_line_overrides_the_file(tmp_path):
    config = tmp_path / "listen.toml"
    config.write_text("[match]\nmax_false_alarms_per_hour = 5\n")
    given = ["listen", "--config", str(config)]
    assert _settings(build_parser().parse_args(given)).match.max_false_alarms_per_hour == 5
    given += ["--max-false-alarms-per-hour", "0.5"]
    assert _settings(build_parser().parse_args(given)).match.max_false_alarms_per_hour == 0.5
