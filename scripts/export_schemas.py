"""Write the JSON Schemas of all that is published, of requests and of settings, into models/schema/.

Run it after a change in stream_match/events.py, service/requests.py, fleet/status.py or config/:
.venv/bin/python scripts/export_schemas.py
"""

import json
from pathlib import Path
from typing import Any

from stream_match import events
from stream_match.config.schema import json_schema
from stream_match.fleet import status as fleet
from stream_match.service import requests

FOLDER = Path(__file__).parents[1] / "models" / "schema"


def _schemas() -> dict[str, dict[str, Any]]:
    told = events.json_schemas() | fleet.json_schemas()
    return told | requests.json_schemas() | {"config": json_schema()}


def main() -> None:
    """Write one file per event type, per request, for all answers, for a fleet, and for the settings."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in _schemas().items():
        path = FOLDER / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
