"""Check announced devices by Home Assistant's own schemas, and render its templates with its own engine.

Runs with a Python that has Home Assistant and need not have this program; ``check_discovery.py`` starts it.
Reads JSON from standard input: the messages of discovery, and what came under which topic. Writes a line of
JSON per entity: what it shows for each, or what is wrong with it.
"""

import json
import sys
from importlib import import_module
from typing import Any

SHARED = ("availability", "availability_mode")
"""What a device says for all of its entities."""

TEMPLATES = {
    "value_template": "state_topic",
    "json_attributes_template": "json_attributes_topic",
}


def main() -> int:
    """Check what stands in standard input."""
    given = json.load(sys.stdin)
    wrong = 0
    for device in given["devices"]:
        for key, component in device["components"].items():
            told = {"device": device["device"]["name"], "key": key, "platform": component["platform"]}
            try:
                checked(device, component)
                told["shows"] = shown(component, given["heard"])
                told["available"] = available(device, given["heard"])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                told["wrong"], wrong = f"{type(error).__name__}: {error}", wrong + 1
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


def checked(device: dict[str, Any], component: dict[str, Any]) -> None:
    """Raise what the schema of an entity's platform raises."""
    platform = component["platform"]
    config = {name: value for name, value in component.items() if name != "platform"}
    config |= {name: device[name] for name in ("device", "origin")}
    if platform == "device_automation":
        module = import_module("homeassistant.components.mqtt.device_trigger")
        module.TRIGGER_DISCOVERY_SCHEMA(config)
        # The trigger that it makes has a schema of its own.
        trigger = import_module("homeassistant.components.mqtt.trigger")
        made = {"platform": "mqtt", "topic": config["topic"], "payload": config["payload"]}
        trigger.TRIGGER_SCHEMA(made | {"value_template": config["value_template"]})
        return
    config |= {name: device[name] for name in SHARED}
    module = import_module(f"homeassistant.components.mqtt.{platform}")
    # A key that it does not know is removed silently; here it is a mistake.
    known = module.DISCOVERY_SCHEMA(dict(config))
    if lost := sorted(config.keys() - known.keys()):
        raise ValueError(f"not known: {', '.join(lost)}")


def available(device: dict[str, Any], heard: dict[str, list[str]]) -> list[list[str]]:
    """Return what each topic of a device's availability says, in order."""
    return [
        [rendered(one["value_template"], payload) for payload in heard.get(one["topic"], ())]
        for one in device["availability"]
    ]


def shown(component: dict[str, Any], heard: dict[str, list[str]]) -> list[str]:
    """Return what an entity shows for what came under its topics, in order."""
    found: list[str] = []
    for name, topic in TEMPLATES.items():
        if name in component:
            place = component.get(topic, component.get("topic"))
            found += [rendered(component[name], payload) for payload in heard.get(place, ())]
    if "command_template" in component:
        found.append(template(component["command_template"]).render(value=0.5))
    if component["platform"] == "event":
        told = [json.loads(payload)["event_type"] for payload in heard.get(component["state_topic"], ())]
        if unknown := set(told) - set(component["event_types"]):
            raise ValueError(f"event types that were not announced: {unknown}")
        found += told
    return found


def rendered(text: str, payload: str) -> str:
    """Return what a template makes of a payload."""
    try:
        value_json = json.loads(payload)
    except ValueError:
        value_json = None
    return str(template(text).render(value=payload, value_json=value_json))


def template(text: str) -> Any:
    """Return a template as Home Assistant compiles it; what is undefined in it is an error here."""
    from homeassistant.helpers.template import TemplateEnvironment

    return TemplateEnvironment(None, limited=True, strict=True).from_string(text)


if __name__ == "__main__":
    sys.exit(main())
