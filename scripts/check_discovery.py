"""See what Home Assistant makes of our messages, by its own schemas and its own templates.

It needs a Python that has Home Assistant, which need not run; docs/home-assistant.md says how to make one::

    .venv/bin/python scripts/check_discovery.py --python /tmp/home-assistant/bin/python
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stream_match.events import (
    ClusterEvent,
    Event,
    Evidence,
    MatchEvent,
    OnsetClusterEvent,
    StatusEvent,
    Track,
    to_json,
)
from stream_match.publish.discovery import Device, device_message

INSIDE = Path(__file__).parent / "home_assistant" / "entities.py"
BASE, NODE, SOURCE = "stream_match", "attic", "kitchen"
HERE = f"{BASE}/{NODE}/{SOURCE}"
NAMES = ("doorbell", 'Ann\'s "bell" \\ {{ 7 * 7 }} {% raw %} 🔔 Küche', "jingle")
"""The second one is what a template must not take for its own."""


def main() -> int:
    """Check all entities of a source; print what each shows."""
    parser = argparse.ArgumentParser(description="See what Home Assistant makes of our messages.")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="has Home Assistant")
    done = check(parser.parse_args().python)
    for line in done.stdout.splitlines():
        told = json.loads(line)
        print(f"{told['platform']:17} {told['key']:28} {told.get('wrong') or told['shows']}")
    print(done.stderr, file=sys.stderr, end="")
    return done.returncode


def check(python: Path) -> "subprocess.CompletedProcess[str]":
    """Let Home Assistant look at what is announced, and at what is published after that."""
    given = json.dumps({"devices": devices(), "heard": heard()})
    return subprocess.run([python, INSIDE], input=given, capture_output=True, text=True, check=False)


def devices() -> list[dict[str, Any]]:
    """Return what is announced: a source with names, and one with none that was called otherwise."""
    named = Device(
        NODE,
        SOURCE,
        "Kitchen",
        "1.0",
        named=[("cluster", NAMES[0]), ("cluster", NAMES[1]), ("track", NAMES[2])],
    )
    plain = Device(NODE, "hall", None, "1.0", matches=False)
    return [json.loads(device_message("homeassistant", BASE, one).payload) for one in (named, plain)]


def heard() -> dict[str, list[str]]:
    """Return what is published under our topics, in order."""
    found: dict[str, list[str]] = {
        f"{BASE}/{NODE}/status": ["online", "stopped", "offline"],
        f"{HERE}/settings": [json.dumps({"max_false_alarms_per_hour": 0.1})],
    }
    for event in _events():
        found.setdefault(f"{HERE}/{event.type}", []).append(to_json(event))
    found[f"{HERE}/now_playing"] = [*found[f"{HERE}/match"][:2], '{"track": null}']
    return found


def _events() -> Iterator[Event]:
    who: dict[str, Any] = {
        "event_id": "01M8GHJ6HE0004J1WTX4232W6E",
        "node": NODE,
        "source": SOURCE,
        "time": datetime(2026, 1, 2, 20, 15, tzinfo=UTC),
        "stream_s": 9.0,
    }
    yield StatusEvent(**who, state="running", level_dbfs=-21.5, stream_metadata={"StreamTitle": "News"})
    yield StatusEvent(**who, state="paused", reason="paused on request")
    yield StatusEvent(**who, state="stopped")
    for phase, name in (("started", NAMES[2]), ("started", None), ("ended", NAMES[2])):
        yield MatchEvent(
            **who,
            phase=phase,
            event_type=f"match_{phase}",
            match_id="m1",
            started_s=0.0,
            track=Track(id="a/b", title='The "Title"', artist="Artist"),
            reference_s=83.0,
            score=12.0,
            confidence=0.97,
            false_alarms_per_hour=0.01,
            evidence=Evidence(faiss_votes=9, lsh_votes=7, similarity=0.8, coverage=0.9),
            name=name,
        )
    for name in (*NAMES[:2], "another", None):
        yield OnsetClusterEvent(
            **who,
            onset_id="o1",
            onset_s=8.0,
            strength=3.0,
            cluster_id="c1",
            cluster_size=2,
            distance=0.1,
            doubt=0.0,
            new_cluster=False,
            features={},
            name=name,
        )
    yield ClusterEvent(
        **who, change="merged", event_type="cluster_merged", cluster_id="c1", from_=("c2",), cluster_size=9
    )


if __name__ == "__main__":
    sys.exit(main())
