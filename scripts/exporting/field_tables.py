"""Tables of the fields of events, in Markdown, made from the models."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from stream_match.events import Envelope, Event
from stream_match.fleet.status import FleetStatus
from stream_match.publish.topics import Message, event_message, fleet_status

Schema = Mapping[str, Any]

BEGIN = "<!-- From here on scripts/export_schemas.py writes. -->"
END = "<!-- Here it ends. -->"

EVENTS: tuple[type[Event], ...] = get_args(Event)

COMMON = tuple(Envelope.model_fields)
"""Fields that are the same in every event; ``schema`` and ``type`` have a value for each."""

UNITS = {"_s": "seconds", "_dbfs": "dBFS", "_per_hour": "number per hour", "semitones": "semitones"}
"""What the end of a field's name says of its unit."""


def with_tables(page: str) -> str:
    """Return a page of Markdown with new tables between `BEGIN` and `END`.

    Raises
    ------
    ValueError
        If it does not have each of the two marks once, in this order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise ValueError(f"it does not have the marks {BEGIN!r} and {END!r} once each, in this order")
    return "\n".join([before + begin, "", *tables(), end + after])


def tables() -> Iterator[str]:
    """Yield the lines: fields of all events, of each type, of the objects in them, and of a fleet."""
    yield from ("### Every event", "", *_rows({"properties": _common()}, _common()), "")
    for model in EVENTS:
        fields = model.model_fields
        message = event_message("BASE", model.model_construct(node="NODE", source="SOURCE"))
        yield from (f"### `{fields['type'].default}`", "", f"{model.__doc__} {_sent(message)}", "")
        yield from (*_table(model, [name for name in fields if name not in ("schema_", "type", *COMMON)]), "")
    yield from _objects(EVENTS)
    yield from ("### `fleet`", "", f"{FleetStatus.__doc__} {_sent(fleet_status('BASE', 'NODE', ''))}", "")
    yield from (*_table(FleetStatus, FleetStatus.model_fields), "")
    yield from _objects([FleetStatus])


def _common() -> Schema:
    """Return the fields of every event as JSON Schema has them."""
    each = [_schema(model)["properties"] for model in EVENTS]
    named = {
        name: {"enum": [one[name]["const"] for one in each], "description": each[0][name]["description"]}
        for name in ("schema", "type")
    }
    return named | {name: each[0][name] for name in COMMON}


def _sent(message: Message) -> str:
    retained = "retained" if message.retain else "not retained"
    return f"Topic `{message.topic}`, QoS {message.qos}, {retained}."


def _objects(models: Collection[type[BaseModel]]) -> Iterator[str]:
    """Yield the tables of the objects that stand in the fields of models."""
    found: dict[str, Schema] = {}
    for model in models:
        found |= _schema(model).get("$defs", {})
    for name, schema in found.items():
        yield from (f"### {name}", "", schema["description"], "", *_rows(schema, schema["properties"]), "")


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True, mode="serialization")


def _table(model: type[BaseModel], names: Collection[str]) -> Iterator[str]:
    fields = {name: model.model_fields[name] for name in names}
    absent = {field.alias or name for name, field in fields.items() if field.exclude_if is not None}
    return _rows(_schema(model), [field.alias or name for name, field in fields.items()], absent)


def _rows(schema: Schema, names: Collection[str], absent: Collection[str] = ()) -> Iterator[str]:
    yield from ("| field | value | optional | meaning |", "|---|---|---|---|")
    for name in names:
        field = schema["properties"][name]
        is_null = {"type": "null"} in field.get("anyOf", ())
        optional = "may be absent" if name in absent else "may be null" if is_null else "no"
        yield f"| `{name}` | {_value(name, field)} | {optional} | {field['description']} |"


def _value(name: str, field: Schema) -> str:
    """Say what a field may hold, but for null."""
    if "anyOf" in field:
        return " or ".join(_value(name, one) for one in field["anyOf"] if one != {"type": "null"})
    if "$ref" in field:
        object_name = field["$ref"].rpartition("/")[2]
        return f"[{object_name}](#{object_name.lower()})"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{one}`" for one in field.get("enum") or [field["const"]])
    match field["type"]:
        case "array":
            return f"list of {_value(name, field['items'])}"
        case "object":
            return f"object: {_value(name, field['additionalProperties'])} by name"
        case "boolean":
            return "true or false"
        case "string":
            return _text(field)
        case kind:
            unit = next((unit for ending, unit in UNITS.items() if name.endswith(ending)), kind)
            return unit + _range(field)


def _text(field: Schema) -> str:
    if field.get("format") == "date-time":
        return "time in UTC, RFC 3339"
    return f"text of `[a-z0-9_-]`, {field['maxLength']} at most" if "pattern" in field else "text"


def _range(field: Schema) -> str:
    least, most, above = (field.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if above is not None:
        return f" above {above}"
    if most is not None:
        return f" from {least} to {most}"
    return "" if least is None else f", {least} or more"
