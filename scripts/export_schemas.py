"""Write the JSON Schema of every published event, and of every request, into models/schema/.

Run it after a change in stream_match/events.py or stream_match/service/requests.py:
.venv/bin/python scripts/export_schemas.py
"""

import json
from pathlib import Path

from stream_match import events
from stream_match.service import requests

FOLDER = Path(__file__).parents[1] / "models" / "schema"


def main() -> None:
    """Write one file per event type, one per request, and one for all answers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in (events.json_schemas() | requests.json_schemas()).items():
        path = FOLDER / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
