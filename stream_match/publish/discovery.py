"""What Home Assistant is told of a source, so that it knows the device by itself.

The format is that of its MQTT device discovery: one retained message a device, with all of its entities. See
docs/home-assistant.md.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stream_match.publish.topics import Message

PULSE_S = 5
"""How long a sensor of a named sound or track stays on. Home Assistant knows whole seconds."""

LEAST_ALARMS, MOST_ALARMS = 0.001, 1000.0
"""Budgets of false alarms an hour that can be set from Home Assistant, whose finest step is 0.001."""

_ORIGIN = "stream_match"

Component = dict[str, Any]
Named = tuple[Literal["cluster", "track"], str]
"""What is named, and how."""


@dataclass(frozen=True)
class Device:
    """A source as Home Assistant sees it.

    Attributes
    ----------
    node, source : str
        Names in topics.
    title : str or None
        What a person calls the source.
    version : str
        Of this program.
    matches, sounds : bool
        Whether tracks are looked for, and sounds are listened for.
    named : sequence of (str, str)
        Clusters and tracks that have a name.
    gone : sequence of str
        Keys of components that were told before, and are to be removed.
    """

    node: str
    source: str
    title: str | None
    version: str
    matches: bool = True
    sounds: bool = True
    named: Sequence[Named] = ()
    gone: Sequence[str] = ()


def device_topic(prefix: str, base: str, node: str, source: str) -> str:
    """Return the topic under which a source is announced."""
    return f"{prefix}/device/{_object_id(base, node, source)}/config"


def device_message(prefix: str, base: str, device: Device) -> Message:
    """Return the retained message that announces a source.

    Parameters
    ----------
    prefix : str
        What Home Assistant listens to; ``homeassistant`` unless it was told otherwise.
    base : str
        First part of our own topics.
    device : Device
    """
    topic = device_topic(prefix, base, device.node, device.source)
    return Message(topic, json.dumps(_payload(base, device), ensure_ascii=False), retain=True)


def components(base: str, device: Device) -> dict[str, Component]:
    """Return the entities of a source by their keys; each carries its platform."""
    here = f"{base}/{device.node}/{device.source}"
    requests = f"{base}/{device.node}/request"
    found = {"audio": _audio(here), "level": _level(here), "pause": _pause(here, requests, device.source)}
    if device.matches:
        found |= {
            "match": _event(here, "match", "Match", ("match_started", "match_updated", "match_ended")),
            "now_playing": _now_playing(here),
            "false_alarms": _false_alarms(here, requests, device.source),
        }
    if device.sounds:
        changes = ("created", "merged", "split", "retired", "revived")
        found["cluster"] = _event(here, "cluster", "Kind of sound", [f"cluster_{one}" for one in changes])
    for kind, name in device.named:
        found |= _of_name(here, kind, name)
    owner = _object_id(base, device.node, device.source)
    for key, component in found.items():
        component["qos"] = 1
        if component["platform"] != "device_automation":  # a trigger has no identity of its own
            component["unique_id"] = f"{owner}_{key}"
    # One that carries its platform alone is removed.
    removed = {key: {"platform": _platform_of(key)} for key in device.gone if key not in found}
    return found | removed


def is_of_node(payload: Mapping[str, object], node_status: str) -> bool:
    """Say whether an announcement is one of ours.

    Parameters
    ----------
    payload : mapping
        What stands under a topic of discovery.
    node_status : str
        The topic of the status of its node.
    """
    origin, availability = payload.get("origin"), payload.get("availability")
    ours = isinstance(origin, Mapping) and origin.get("name") == _ORIGIN
    if not ours or not isinstance(availability, list):
        return False
    return any(isinstance(one, Mapping) and one.get("topic") == node_status for one in availability)


def _payload(base: str, device: Device) -> dict[str, Any]:
    status = f"{base}/{device.node}/status"
    return {
        "device": {
            "identifiers": [_object_id(base, device.node, device.source)],
            "name": device.title or f"{device.node} {device.source}",
            "manufacturer": _ORIGIN,
            "model": "listener",
            "sw_version": device.version,
        },
        "origin": {"name": _ORIGIN, "sw_version": device.version},
        "availability": [
            {"topic": status, "value_template": "{{ 'online' if value == 'online' else 'offline' }}"},
            {
                "topic": f"{base}/{device.node}/{device.source}/status",
                "value_template": "{{ 'offline' if value_json.state in ('failed', 'stopped') "
                "else 'online' }}",
            },
        ],
        "availability_mode": "all",
        "components": components(base, device),
    }


def _object_id(base: str, node: str, source: str) -> str:
    # Names are of letters, digits, _ and -: put together, a_b and c would be a and b_c.
    mark = hashlib.sha256(f"{base}/{node}/{source}".encode()).hexdigest()[:8]
    return f"stream_match_{node}_{source}_{mark}"


def _event(here: str, kind: str, name: str, event_types: Sequence[str]) -> Component:
    return {
        "platform": "event",
        "name": name,
        "state_topic": f"{here}/{kind}",
        "event_types": list(event_types),
        "icon": "mdi:music-note" if kind == "match" else "mdi:waveform",
    }


def _now_playing(here: str) -> Component:
    attributes = (
        "{{ {'title': value_json.track.title, 'artist': value_json.track.artist, "
        "'album': value_json.track.album, 'track': value_json.track.id, 'place': value_json.reference_s, "
        "'confidence': value_json.confidence, 'kind': value_json.kind, 'speed': value_json.speed, "
        "'match_id': value_json.match_id} | tojson if value_json.track else '{}' }}"
    )
    return {
        "platform": "sensor",
        "name": "Now playing",
        "state_topic": f"{here}/now_playing",
        "value_template": "{{ (value_json.name | default('', true) or value_json.track.title or "
        "value_json.track.id)[:255] if value_json.track else 'nothing' }}",
        "json_attributes_topic": f"{here}/now_playing",
        "json_attributes_template": attributes,
        "icon": "mdi:music",
    }


def _audio(here: str) -> Component:
    return {
        "platform": "binary_sensor",
        "name": "Audio",
        "device_class": "running",
        "state_topic": f"{here}/status",
        "value_template": "{{ 'ON' if value_json.state == 'running' else 'OFF' }}",
        "json_attributes_topic": f"{here}/status",
        "json_attributes_template": "{{ {'state': value_json.state, 'reason': value_json.reason, "
        "'stream_title': (value_json.stream_metadata or {}).get('StreamTitle')} | tojson }}",
        "entity_category": "diagnostic",
    }


def _level(here: str) -> Component:
    return {
        "platform": "sensor",
        "name": "Level",
        "state_topic": f"{here}/status",
        "value_template": "{{ value_json.level_dbfs if value_json.level_dbfs is number else None }}",
        "unit_of_measurement": "dBFS",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "icon": "mdi:volume-medium",
    }


def _false_alarms(here: str, requests: str, source: str) -> Component:
    return {
        "platform": "number",
        "name": "False alarms per hour",
        "command_topic": f"{requests}/false_alarms",
        "command_template": f'{{"source": "{source}", "max_false_alarms_per_hour": {{{{ value }}}}}}',
        "state_topic": f"{here}/settings",
        "value_template": "{{ value_json.max_false_alarms_per_hour }}",
        "min": LEAST_ALARMS,
        "max": MOST_ALARMS,
        "step": LEAST_ALARMS,
        "mode": "box",
        "entity_category": "config",
        "icon": "mdi:alert-circle-outline",
    }


def _pause(here: str, requests: str, source: str) -> Component:
    return {
        "platform": "switch",
        "name": "Pause",
        "command_topic": f"{requests}/pause",
        "payload_on": json.dumps({"source": source}),
        "payload_off": json.dumps({"source": source, "paused": False}),
        "state_topic": f"{here}/status",
        "value_template": "{{ 'ON' if value_json.state == 'paused' else 'OFF' }}",
        "state_on": "ON",
        "state_off": "OFF",
        "icon": "mdi:microphone-off",
    }


def _of_name(here: str, kind: str, name: str) -> dict[str, Component]:
    """Return a trigger and a pulse for what has a name: several clusters of one name are one."""
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    topic = f"{here}/{'onset_cluster' if kind == 'cluster' else 'match'}"
    # Under this topic most events have no name.
    is_it = f"value_json.name | default('') == {_text(name)}"
    if kind == "track":
        is_it = f"value_json.phase == 'started' and {is_it}"
    return {
        f"{kind}_trigger_{mark}": {
            "platform": "device_automation",
            "automation_type": "trigger",
            "topic": topic,
            "type": "heard" if kind == "cluster" else "started",
            "subtype": name,
            # Home Assistant takes the payload of a trigger for a template: the name must not be it.
            "value_template": f"{{{{ 'heard' if {is_it} else '' }}}}",
            "payload": "heard",
        },
        f"{kind}_pulse_{mark}": {
            "platform": "binary_sensor",
            "name": name,
            "device_class": "sound",
            "state_topic": topic,
            # What is empty is ignored: nobody else's sound switches it off.
            "value_template": f"{{{{ 'ON' if {is_it} else '' }}}}",
            "off_delay": PULSE_S,
        },
    }


def _text(name: str) -> str:
    """Return a name as a text of Jinja, whose escapes are those of JSON."""
    return json.dumps(name, ensure_ascii=False)


def _platform_of(key: str) -> str:
    return "device_automation" if "_trigger_" in key else "binary_sensor"
