"""The settings described for people and for editors."""

from pathlib import Path
from typing import Any

from stream_match.config.listen_settings import ListenSettings

EXAMPLE = Path(__file__).with_name("example.toml")
"""A file with every setting. A line that begins with ``#`` and a key has the default of that key, or, for
settings that are absent by default, something that may stand there."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file of settings."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ListenSettings.model_json_schema(by_alias=True),
        "title": "Settings of stream-match listen",
    }
