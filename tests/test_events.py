import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from stream_match.events import MatchFacts, Rival, Track, from_json, json_schemas, to_json
from stream_match.fleet import status as fleet
from stream_match.service import requests

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "models" / "schema"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


samples = load(ROOT / "tests" / "publish" / "publish_samples.py")

EVENTS = [
    samples.match(1),
    samples.match(2, "updated", kind="version", speed=0.97, semitones=-0.5),
    samples.match(3, "ended", ended_s=2.5, source_name="Küche"),
    samples.match(
        4,
        evidence=samples.match(1).evidence.model_copy(
            update={
                "runner_up": Rival(track=Track(id="x"), score=1.0),
                "same_recording": (Track(id="y", title="Y"),),
                "repeats_s": (1.5, 30.0),
            }
        ),
    ),
    samples.status(5),
    samples.sound(7),
    samples.onset(8),
    samples.cluster(9),
    samples.cluster(10, "merged", from_=("RUN-4", "RUN-5")),
    samples.sounds_like(40),
    samples.genre(41),
    samples.status(
        6, "reconnecting", attempt=2, reason="gone", last_audio_at=samples.BEGIN, level_dbfs=-30.5
    ),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_survives_the_wire(event):
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_as_its_published_schema_says(event):
    schema = json.loads((SCHEMAS / f"{event.type}.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.check_schema(schema)
    validator.validate(json.loads(to_json(event)))


def test_the_committed_schemas_are_those_of_the_code():
    committed = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in SCHEMAS.iterdir()
        if path.name != "config.schema.json"
    }
    wanted = json_schemas() | requests.json_schemas() | fleet.json_schemas()
    assert committed == wanted, "run scripts/export_schemas.py"


def test_the_script_writes_the_committed_files(tmp_path, monkeypatch, capsys):
    script = load(ROOT / "scripts" / "export_schemas.py")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in SCHEMAS.iterdir()
    }
    assert len(capsys.readouterr().out.splitlines()) == 18


def test_a_reader_ignores_fields_that_it_does_not_know():
    content = json.loads(to_json(EVENTS[0])) | {"from_the_future": 1}
    assert from_json(json.dumps(content)) == EVENTS[0]


@pytest.mark.parametrize(
    "change",
    [{"schema": "stream_match.match/2"}, {"type": "cluster"}, {"node": "At tic"}, {"confidence": 1.5}],
)
def test_what_is_no_event_is_refused(change):
    content = json.loads(to_json(EVENTS[0])) | change
    with pytest.raises(ValueError):  # noqa: PT011  (pydantic's message is its own)
        from_json(json.dumps(content))


def test_the_payload_is_frozen_by_the_contract():
    """The names users script against: a change here is a new version of the schema."""
    common = {"schema", "type", "event_id", "node", "source", "source_name", "time", "stream_s"}
    assert set(json.loads(to_json(EVENTS[0]))) == common | {
        "event_type", "phase", "match_id", "started_s", "ended_s", "track", "kind", "reference_s", "speed",
        "semitones", "score", "confidence", "false_alarms_per_hour", "evidence", "reason",
    }  # fmt: skip
    assert set(json.loads(to_json(EVENTS[4]))) == common | {
        "state", "reason", "attempt", "last_audio_at", "dropped_s", "outage_s", "level_dbfs",
        "stream_metadata", "onsets_suppressed", "hint",
    }  # fmt: skip
    assert json.loads(to_json(EVENTS[0]))["time"] == "2026-01-02T20:15:01Z"
    own = {"onset_id", "onset_s", "strength", "event_type"}
    assert set(json.loads(to_json(samples.onset(1)))) == common | own
    assert set(json.loads(to_json(samples.sound(1)))) == common | own | {
        "cluster_id", "cluster_size", "distance", "doubt", "new_cluster", "features",
    }  # fmt: skip
    merged = json.loads(to_json(samples.cluster(1, "merged", from_=("a", "b"))))
    assert set(merged) == common | {"event_type", "change", "cluster_id", "from", "cluster_size"}
    assert merged["from"] == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "given", "told"),
    [
        ("stream_s", 1234.56789, 1234.568),
        ("reference_s", -0.12345, -0.123),
        ("speed", 1.0312345678, 1.03123),
        ("semitones", 0.516789, 0.52),
        ("score", 12.34567, 12.346),
        ("confidence", 0.123456, 0.123),
        ("confidence", 0.99987654, 0.999877),
        ("confidence", 1.0, 1.0),
        ("false_alarms_per_hour", 1.23456e-10, 1.23e-10),
        ("false_alarms_per_hour", 12345.6, 12300.0),
    ],
)
def test_numbers_are_rounded_to_what_they_mean(field, given, told):
    fields = {name: getattr(samples.match(1), name) for name in MatchFacts.model_fields}
    assert getattr(MatchFacts(**fields | {field: given}), field) == told


@pytest.mark.parametrize("event", [samples.match(1), samples.sound(7), samples.onset(8), samples.cluster(9)])
def test_no_number_of_any_lane_has_digits_that_mean_nothing(event):
    """Each field of seconds and scores takes at most three decimals, whatever is given."""
    fields = {name: getattr(event, name) for name in type(event).model_fields}
    for name, value in fields.items():
        if isinstance(value, float) and name not in ("speed", "confidence", "false_alarms_per_hour"):
            told = getattr(type(event)(**fields | {name: value + 0.00012345}), name)
            assert told == round(told, 3), name
    features = getattr(event, "features", {})
    given = {name: value + 0.00012345 for name, value in features.items()}
    if features:
        assert type(event)(**fields | {"features": given}).features == pytest.approx(features, abs=1e-9)
