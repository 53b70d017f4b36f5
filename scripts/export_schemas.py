"""Write the JSON Schemas of all that is published, of requests and of settings, and docs/events.md's tables.

Run it after a change in stream_match/events.py, service/requests.py, fleet/status.py or config/:
.venv/bin/python scripts/export_schemas.py
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exporting.field_tables import with_tables

from stream_match import events
from stream_match.config.schema import json_schema
from stream_match.fleet import status as fleet
from stream_match.service import requests

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "models" / "schema"
PAGE = ROOT / "docs" / "events.md"


def _schemas() -> dict[str, dict[str, Any]]:
    told = events.json_schemas() | fleet.json_schemas()
    return told | requests.json_schemas() | {"config": json_schema()}


def main(argv: Sequence[str] | None = None) -> None:
    """Write a schema per event type and request, for answers, a fleet and the settings; then the page."""
    argparse.ArgumentParser(
        description="Write models/schema/*.schema.json, and the tables of fields in docs/events.md."
    ).parse_args(argv)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in _schemas().items():
        _write(FOLDER / f"{name}.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    _write(PAGE, with_tables(PAGE.read_text(encoding="utf-8")))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
