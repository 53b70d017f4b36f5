"""Flags go before the environment, the environment before the file; a typo is told wherever it stands."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.cli import DEBUG_VARIABLE
from stream_match.config import ListenSettings, MatchSettings, OnsetSettings, read_settings
from stream_match.config.environment import OTHERS, from_environment, strange_variables
from stream_match.config.layers import Layer, checked, complaints
from stream_match.errors import UsageError
from stream_match.milvus import address as milvus_address
from stream_match.publish import address


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "listen.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.delenv("STREAM_MATCH_MILVUS_SERVER", raising=False)  # of tests

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"STREAM_MATCH_{name}", value)

    return put


RATES = [0.1, 0.5, 2.0, 7.0]


@pytest.mark.parametrize("of_file", [None, 0.5])
@pytest.mark.parametrize("of_environment", [None, 2.0])
@pytest.mark.parametrize("of_flags", [None, 7.0])
def test_the_command_line_goes_before_the_environment_before_the_file(
    file, environment, of_file, of_environment, of_flags
):
    key = "max_false_alarms_per_hour"
    path = file("" if of_file is None else f"[match]\n{key} = {of_file}\nmin_seconds = 3")
    if of_environment is not None:
        environment(MATCH__MAX_FALSE_ALARMS_PER_HOUR=str(of_environment))
    flags = {} if of_flags is None else {"match": {key: of_flags}}
    found = read_settings(path, flags).match
    given_ = [value for value in (of_flags, of_environment, of_file) if value is not None]
    assert found.max_false_alarms_per_hour == (given_ or [0.1])[0]
    assert found.min_seconds == (0 if of_file is None else 3)  # a table is joined, not replaced


def test_the_environment_has_settings_of_every_type(environment):
    environment(
        NODE="attic",
        INDEX="models/mine",
        PACE="fast",
        SOUNDS_LIKE="false",
        RECONNECT_MAX_SECONDS="30",
        ONSETS__ANNOUNCE="1",
        ONSETS__FEATURES="seed",
        STORE__KEEP_DAYS="1.5",
        SINKS='["jsonl:-", "mqtt://broker"]',
        SOURCES="kitchen=mic:",
        SHARE__SERVERS="nats://a, b:4333,c",
        SHARE__MAX_SOURCES="4",
        STATE="",  # empty is absent
    )
    found = read_settings(None)
    assert (found.node, str(found.index), found.pace, found.state) == ("attic", "models/mine", "fast", None)
    assert (found.sounds_like, found.reconnect_max_seconds, found.store.keep_days) == (False, 30.0, 1.5)
    assert (found.onsets.announce, found.onsets.features) == (True, "seed")
    assert found.sinks == ("jsonl:-", "mqtt://broker")
    assert [source.uri for source in found.sources] == ["kitchen=mic:"]
    assert (found.share.servers, found.share.max_sources) == (("nats://a", "b:4333", "c"), 4)


def test_a_name_of_digits_stays_a_text_in_the_environment(environment):
    environment(NODE="12")
    assert read_settings(None).node == "12"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "MATCH__ENABLD",
            "1",
            "STREAM_MATCH_MATCH__ENABLD: the key 'match.enabld' is not known",
        ),
        (
            "MATCH__MIN_SECONDS",
            "soon",
            "MATCH_MATCH__MIN_SECONDS: 'match.min_seconds': write a number",
        ),
        ("MATCH__ENABLED", "perhaps", "STREAM_MATCH_MATCH__ENABLED: 'match.enabled': write true or false"),
        ("MATCH", "[[[", "STREAM_MATCH_MATCH: 'match': write a table of settings"),
        ("MATCH", "[" * 100_000, "STREAM_MATCH_MATCH: 'match': write a table of settings"),
        ("SOURCES__0__URI", "mic:", "STREAM_MATCH_SOURCES: the key 'sources[0].0' is not known"),
        ("SINKS", "5", "STREAM_MATCH_SINKS: 'sinks' is 5: write a list"),
        ("PACE", "quick", "STREAM_MATCH_PACE: 'pace': expected 'real' or 'fast'"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(environment, name, value, told):
    environment(**{name: value})
    with pytest.raises(UsageError) as refused:
        read_settings(None)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_variable_that_is_no_setting_is_told_and_passed_over(environment):
    environment(NODES="attic", SERVICE_HOST="10.0.0.1", MQTT_USERNAME="ann", MATCH__ENABLED="true")
    assert list(strange_variables()) == [
        "the variable STREAM_MATCH_NODES is no setting and is passed over; did you mean STREAM_MATCH_NODE?",
        "the variable STREAM_MATCH_SERVICE_HOST is no setting and is passed over",
    ]
    assert read_settings(None).node is None


def test_variables_of_ours_that_are_no_settings_are_known():
    modules = (address, milvus_address)
    named = {value for module in modules for key, value in vars(module).items() if key.endswith("_VARIABLE")}
    assert named | {DEBUG_VARIABLE} == OTHERS


def test_the_environment_is_read_only_where_settings_are_read(environment):
    environment(NODE="attic")
    assert ListenSettings().node is None
    assert from_environment() == {"node": "attic"}


TYPOS = [
    ("nodee = 'x'", "'nodee' is not known; did you mean 'node'?"),
    ("[match]\nenabeld = true", "'match.enabeld' is not known; did you mean 'enabled'?"),
    ("[onsets]\nanounce = true", "'onsets.anounce' is not known; did you mean 'announce'?"),
    ("[store]\nkeep_day = 1", "'store.keep_day' is not known; did you mean 'keep_days'?"),
    ("[[sources]]\nuri = 'mic:'\nchanel = 1", "'sources[0].chanel' is not known; did you mean 'channel'?"),
    (
        "[[sources]]\nuri = 'mic:'\n[sources.match]\nmin_second = 1",
        "'sources[0].match.min_second' is not known; did you mean 'min_seconds'?",
    ),
    (
        "[[sources]]\nuri = 'mic:'\n[sources.onsets]\nenable = true",
        "'sources[0].onsets.enable' is not known; did you mean 'enabled'?",
    ),
    ("[[sinks]]\nuri = 'console:'\nuser = 'x'", "'sinks[0].user' is not known; did you mean 'username'?"),
]


@pytest.mark.parametrize(("text", "told"), TYPOS)
def test_a_typo_in_any_table_is_refused_with_the_key_that_was_meant(file, text, told):
    with pytest.raises(UsageError, match=r"listen\.toml: the key") as refused:
        read_settings(file(text))
    assert told in str(refused.value)


def tables(model, place=()):
    """All tables of settings, as places of keys."""
    yield place
    for key, value in model.model_dump().items():
        if isinstance(value, dict) and value:
            yield from tables(getattr(model, key), (*place, key))


@pytest.mark.parametrize("place", list(tables(ListenSettings())))
def test_no_table_takes_a_key_that_it_does_not_know(place):
    content = {"no_such_key": 1}
    for key in reversed(place):
        content = {key: content}
    (told,) = complaints([Layer(content, "x")])
    assert told.startswith(f"x: the key {'.'.join([*place, 'no_such_key'])!r} is not known;")


def test_all_mistakes_are_told_at_once_the_misspelt_first(file):
    path = file("pace = 'x'\n[match]\nenabeld = 1\nmin_seconds = -1\n[[sources]]\nurl = 'mic:'\n[[sources]]")
    told = complaints([Layer(read_toml(path), "listen.toml")])
    assert [sentence.split("'")[1] for sentence in told] == [
        "sources[0].url", "match.enabeld", "pace", "sources[1].uri", "match.min_seconds",
    ]  # fmt: skip


def read_toml(path):
    from stream_match.config.toml import read_toml

    return read_toml(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "x = " + "[" * 50_000, "x = 1" * 300_000])
def test_a_file_that_is_too_deep_or_too_long_is_one_sentence(file, text):
    with pytest.raises(UsageError) as refused:
        read_settings(file(text))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_what_a_source_has_of_its_own_goes_before_the_common_tables():
    found = checked(
        [
            Layer(
                {
                    "index": "models/all",
                    "match": {"max_false_alarms_per_hour": 2.0, "min_seconds": 5},
                    "onsets": {"announce": True},
                    "sources": [
                        "mic:",
                        {
                            "uri": "demo:",
                            "index": "models/some",
                            "match": {"min_seconds": 0},
                            "onsets": {"enabled": False},
                        },
                        {"uri": "x.wav", "match": {"enabled": False}},
                    ],
                },
                "x",
            )
        ]
    )
    mic, demo, file = map(found.heard, found.sources)
    assert str(mic.index) == "models/all"
    assert mic.match == MatchSettings(max_false_alarms_per_hour=2.0, min_seconds=5)
    assert mic.onsets == OnsetSettings(announce=True)
    assert str(demo.index) == "models/some"
    assert demo.match == MatchSettings(max_false_alarms_per_hour=2.0, min_seconds=0)
    assert demo.onsets == OnsetSettings(announce=True, enabled=False)
    assert file.index is None
    assert file.listens


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(
    ["node", "index", "sources", "sinks", "match", "onsets", "store", "uri", "password", "enabled", "x"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_layers_hold_is_understood_or_told_in_lines_that_hold_no_password(weak, strong):
    secret = "tell-nobody-42"
    layers_ = [Layer({**weak, "password": secret}, "weak"), Layer(strong, "strong")]
    told = complaints(layers_)
    assert told  # `password` is no key of the whole
    assert all("\n" not in sentence and secret not in sentence for sentence in told)
    assert all(sentence.startswith(("weak: ", "strong: ")) for sentence in told)
    json.dumps(told)
