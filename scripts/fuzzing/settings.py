"""Files of settings, read as ``listen`` and ``config check`` read them."""

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from stream_match.config import ListenSettings, sink_settings, source_settings
from stream_match.config.layers import Layer, checked, complaints
from stream_match.config.schema import EXAMPLE
from stream_match.config.toml import read_toml
from stream_match.errors import UsageError
from stream_match.publish import open_sink
from stream_match.service.sources import wanted_sources
from stream_match.service.world import World

SECRET = "hunter2"  # noqa: S105 - what no message may show

SEEDS = (
    EXAMPLE.read_bytes(),
    re.sub(rb"^#(?=[a-z_]+ = |\[)", b"", EXAMPLE.read_bytes(), flags=re.M),  # every setting made
    b"""
node = "attic"
sinks = ["mqtt://ann:hunter2@host/base", "jsonl:-", "console:", "mqtts://host?cafile=x.pem"]
sources = ["mic:", "kitchen=demo:", "http://ann:hunter2@radio.example/live"]
[match]
max_false_alarms_per_hour = 0.1
min_seconds = 8
""",
    b"""
[[sinks]]
uri = "mqtt://host"
username = "ann"
password = "hunter2"
[[sources]]
uri = "https://radio.example/live.m3u"
username = "ann"
password = "hunter2"
headers = { "X-Key" = "hunter2" }
user_agent = "x"
charset = "cp1251"
[sources.match]
cooldown_seconds = 60.5
[sources.onsets]
announce = true
[[sources]]
uri = "pcm:-?rate=48000&channels=2&format=s16le"
channel = 2
""",
)


def prepare() -> Any:
    """Return what reads a file of settings; no file of a password is opened."""
    for module in (source_settings, sink_settings):
        setattr(module, "with_secret", _without_files)  # noqa: B010
    return _read


def _without_files(content: object) -> object:
    if isinstance(content, dict) and content.get("password_file") is not None:
        return {**content, "password": SecretStr(SECRET)}
    return content


def _read(data: bytes, folder: Path, number: int) -> None:
    path = folder / f"{number}.toml"
    path.write_bytes(data)
    try:
        given = [Layer(read_toml(path), str(path))]
        for sentence in complaints(given):
            _held(sentence)
        settings = checked(given)
        assert ListenSettings.model_validate(settings.model_dump(include={"match", "onsets", "store"}))
        _opened(settings)
    except UsageError as error:
        _held(str(error))
    finally:
        path.unlink()


def _opened(settings: ListenSettings) -> None:
    for uri in settings.sinks:
        try:
            open_sink(uri, node=settings.node or "attic")
        except UsageError as error:
            _held(str(error))
    wanted_sources(settings, World())


def _held(sentence: str) -> None:
    """Hold a message to what is promised of it."""
    if "\n" in sentence or SECRET in sentence:
        raise AssertionError(sentence)
