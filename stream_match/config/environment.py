"""Settings in the environment: ``STREAM_MATCH_NODE``, ``STREAM_MATCH_MATCH__ENABLED`` in a table."""

import difflib
import json
import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from stream_match.config.listen_settings import ListenSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import EnvSettingsSource

PREFIX = "STREAM_MATCH_"
DELIMITER = "__"

OTHERS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "DEBUG",
        "MQTT_USERNAME",
        "MQTT_PASSWORD",
        "MQTT_PASSWORD_FILE",
        "MILVUS_TOKEN",
        "MILVUS_TOKEN_FILE",
    )
)
"""Variables of ours that are no settings: of the command line, of all brokers, and of Milvus servers."""


def from_environment() -> dict[str, Any]:
    """Return the settings that the environment holds, by key, tables in tables; unchecked.

    A list is written in JSON; a single source or sink, just as it is.
    """
    return dict(_reader()())


def variable(place: tuple[int | str, ...]) -> str:
    """Return the name of the variable for the setting at a place, such as ``("match", "enabled")``."""
    keys = [str(part) for part in place]
    # What stands in a list is in the variable of the list.
    end = next((number for number, part in enumerate(place) if isinstance(part, int)), len(keys))
    return (PREFIX + DELIMITER.join(keys[:end])).upper()


def strange_variables() -> Iterator[str]:
    """Yield a sentence for each variable that looks like one of ours and is none.

    They are not refused: a cluster sets some for a service of this name.
    """
    known = {(PREFIX + key).upper() for key in ListenSettings.model_fields}
    for name in sorted(map(str.upper, os.environ)):
        if not name.startswith(PREFIX) or name in OTHERS or name.partition(DELIMITER)[0] in known:
            continue
        near = difflib.get_close_matches(name, known | OTHERS, n=1, cutoff=0.85)
        meant = f"; did you mean {near[0]}?" if near else ""
        yield f"the variable {name} is no setting and is passed over{meant}"


@cache
def _source() -> "type[EnvSettingsSource]":
    """Return what reads the environment; its library is loaded only by who does."""
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

    class Known(BaseSettings, ListenSettings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_nested_delimiter=DELIMITER, env_ignore_empty=True
        )

    class Source(EnvSettingsSource):
        def __init__(self) -> None:
            super().__init__(Known)

        def decode_complex_value(self, field_name: str, field: "FieldInfo", value: Any) -> Any:
            del field_name, field
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                return value  # a single source or sink; of anything else, whoever checks it complains

    return Source


def _reader() -> "EnvSettingsSource":
    return _source()()  # type: ignore[call-arg]
