"""The example that is shipped: it loads, it has every setting, and its defaults are those of the code."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from stream_match.config import ListenSettings, SinkSettings, SourceSettings, read_settings
from stream_match.config.schema import EXAMPLE, json_schema
from stream_match.config.settings import Settings

TEXT = EXAMPLE.read_text(encoding="utf-8")
ABSENT = {"password"}  # would not go with password_file


def switched_on():
    """The example with every setting in it made, but for those of which another takes the place."""
    head, _, sinks = TEXT.partition("#[[sinks]]")
    text = re.sub(r"^#(?=[a-z_]+ = |\[)", "", head, flags=re.MULTILINE)
    return re.sub(r"^password = .*\n", "", text, flags=re.MULTILINE), "[[sinks]]" + sinks.replace("\n#", "\n")


def test_the_example_is_understood_as_it_stands():
    found = read_settings(EXAMPLE)
    assert [source.uri for source in found.sources] == ["mic:"]
    assert found.model_copy(update={"sources": ()}) == ListenSettings()


def test_every_setting_of_the_example_can_be_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("radio", "mqtt", "nats"):
        Path(name).write_text("secret")
    text, sinks = switched_on()
    ListenSettings.from_mapping(tomllib.loads(text), where="the example")
    ListenSettings.from_mapping(tomllib.loads(sinks), where="the example")


def keys(table, place=()):
    """The keys of a table and of the tables in it, each with its place."""
    for key, value in table.items():
        yield (*place, key), value
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict) and key != "headers":
            yield from keys(inner, (*place, key))


def models(model, place=()):
    yield place, model
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from models(field.annotation, (*place, key))


MODELS = {
    **dict(models(ListenSettings)),
    **dict(models(SourceSettings, ("sources",))),
}


def test_every_setting_is_in_the_example():
    text, sinks = switched_on()
    found = {place for place, _ in keys(tomllib.loads(text))}
    for place, model in MODELS.items():
        if place[:1] == ("sources",) and len(place) > 1:
            continue  # as the common tables, it says
        missing = {key for key in model.model_fields if (*place, key) not in found} - ABSENT
        assert not missing, f"{place}: add them to {EXAMPLE.name}"
    assert {key for (_, key), _ in list(keys(tomllib.loads(sinks)))[1:]} | ABSENT == set(
        SinkSettings.model_fields
    )
    assert "#password = " in TEXT


def test_the_defaults_in_the_example_are_those_of_the_code():
    text, _ = switched_on()
    compared = 0
    for place, value in keys(tomllib.loads(text)):
        field = MODELS[place[:-1]].model_fields[place[-1]]
        if isinstance(value, dict) or place[-1] in ("uri", "sources"):
            continue
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        if default is None:
            assert "None by default" in comment_on(place[-1]), place
        else:
            assert (value, type(value)) == (default, type(default)), place
            compared += 1
    assert compared > 12


def comment_on(key):
    """All comments right above a key."""
    return " ".join(re.findall(rf"((?:^# .*\n)+)#{key} = ", TEXT, flags=re.MULTILINE)).replace("\n#", "")


def test_each_setting_has_a_comment():
    assert re.findall(r"\n\n(#?[a-z_]+ = )", TEXT) == []


SCHEMA = json_schema()


def test_the_committed_schema_is_that_of_the_code():
    committed = Path(__file__).parents[2] / "models" / "schema" / "config.schema.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == SCHEMA, "run scripts/export_schemas.py"


def judged(text):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    return [error.json_path for error in validator.iter_errors(tomllib.loads(text))]


def test_the_schema_takes_what_the_code_takes():
    text, sinks = switched_on()
    for good in (
        text,
        sinks,
        TEXT,
        "sources = 'mic:'\nsinks = 'jsonl:-'",
        "sources = ['mic:']",
        "[sources]\nuri = 'mic:'",
    ):
        assert judged(good) == []


@pytest.mark.parametrize(
    "text", ["nodes = 'x'", "[match]\nenabeld = true", "[[sources]]\nurl = 'x'", "[store]\nkeep_days = 0"]
)
def test_the_schema_refuses_what_the_code_refuses(text):
    assert judged(text)
