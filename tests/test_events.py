import importlib.util
import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest

from stream_match.events import MatchFacts, Rival, Track, from_json, json_schemas, to_json
from stream_match.fleet import status as fleet
from stream_match.publish.topics import event_message
from stream_match.service import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from exporting import field_tables

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "models" / "schema"
PAGE = ROOT / "docs" / "events.md"


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


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script that writes schemas and page, beside a page whose tables are missing."""
    script = load(ROOT / "scripts" / "export_schemas.py")
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(field_tables.BEGIN)
    page = tmp_path / "events.md"
    page.write_text(before + begin + "\n" + field_tables.END + rest.partition(field_tables.END)[2], "utf-8")
    monkeypatch.setattr(script, "FOLDER", tmp_path / "schema")
    monkeypatch.setattr(script, "PAGE", page)
    return script


def test_the_script_writes_the_committed_files(script, capsys):
    script.main([])
    assert {path.name: path.read_bytes() for path in script.FOLDER.iterdir()} == {
        path.name: path.read_bytes() for path in SCHEMAS.iterdir()
    }
    assert script.PAGE.read_bytes() == PAGE.read_bytes(), "run scripts/export_schemas.py"
    assert len(capsys.readouterr().out.splitlines()) == 19


@pytest.mark.parametrize(("args", "status"), [(["--help"], 0), (["docs"], 2), (["--chekc"], 2)])
def test_the_script_writes_nothing_but_when_asked(script, args, status):
    before = script.PAGE.read_bytes()
    with pytest.raises(SystemExit) as left:
        script.main(args)
    assert left.value.code == status
    assert not script.FOLDER.exists()
    assert script.PAGE.read_bytes() == before


BEGIN, END = field_tables.BEGIN, field_tables.END


@pytest.mark.parametrize(
    "page", ["", BEGIN, END, END + BEGIN, BEGIN + END + END, BEGIN + BEGIN + END, END + BEGIN + END]
)
def test_a_page_without_its_marks_is_refused(page):
    with pytest.raises(ValueError, match="does not have the marks"):
        field_tables.with_tables(page)


def fields_of(heading):
    """The table below a heading of the page: whether each field may be null or absent."""
    table = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n###")[0]
    return dict(
        re.findall(r"^\| `(\w+)` \| .+? \| (no|may be null|may be absent) \| .{10,} \|$", table, re.M)
    )


@pytest.mark.parametrize("event", EVENTS)
def test_the_page_names_every_field_of_an_event(event):
    content, fields = json.loads(to_json(event)), fields_of("Every event") | fields_of(f"`{event.type}`")
    absent = {name for name, optional in fields.items() if optional == "may be absent"}
    assert set(content) - absent == set(fields) - absent
    null = {name for name, value in content.items() if value is None}
    assert {fields[name] for name in null} <= {"may be null"}


@pytest.mark.parametrize("event", EVENTS)
def test_the_page_says_how_an_event_is_sent(event):
    message = event_message("BASE", event.model_copy(update={"node": "NODE", "source": "SOURCE"}))
    text = PAGE.read_text(encoding="utf-8").partition(f"\n### `{event.type}`\n")[2].partition("|")[0]
    said = f"`{message.topic}`, QoS {message.qos}, {'' if message.retain else 'not '}retained."
    assert text.strip().endswith(said)
    assert (f"| `{event.type}` |") in PAGE.read_text(encoding="utf-8").partition("## Fields")[0]


def test_the_page_links_to_every_object():
    text = PAGE.read_text(encoding="utf-8")
    objects = set(re.findall(r"\[(\w+)\]\(#(?=[a-z]+\) \|)", text)) | {"SimilarTrack"}
    assert objects == {"Track", "Evidence", "Rival", "SimilarTrack", "SharedSource"}
    assert all(fields_of(name) for name in objects)


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
