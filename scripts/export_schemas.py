"""Write the JSON Schema of every published event, of every request, and of the settings, into models/schema/.

Run it after a change in stream_match/events.py, stream_match/service/requests.py or stream_match/config/:
.venv/bin/python scripts/export_schemas.py
"""

import json
from pathlib import Path

from stream_match import events
from stream_match.config.schema import json_schema
from stream_match.service import requests

FOLDER = Path(__file__).parents[1] / "models" / "schema"


def main() -> None:
    """Write one file per event type, one per request, one for all answers, and one for the settings."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in (events.json_schemas() | requests.json_schemas() | {"config": json_schema()}).items():
        path = FOLDER / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
