"""Software that listens: says within seconds what is playing and where in it we are."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_match.catalog import load_index
    from stream_match.config import ListenSettings, MatchSettings
    from stream_match.engine import Engine
    from stream_match.events import from_json
    from stream_match.identify import identify_files
    from stream_match.offline.compare.similarity import cross_similarity
    from stream_match.publish.subscribe import subscribe
    from stream_match.service import listen

# Public name -> module, imported when asked for: who only subscribes need not load a matcher.
_HOMES = {
    "Engine": "stream_match.engine",
    "ListenSettings": "stream_match.config",
    "MatchSettings": "stream_match.config",
    "cross_similarity": "stream_match.offline.compare.similarity",
    "from_json": "stream_match.events",
    "identify_files": "stream_match.identify",
    "listen": "stream_match.service",
    "load_index": "stream_match.catalog",
    "subscribe": "stream_match.publish.subscribe",
}

__all__ = [
    "Engine",
    "ListenSettings",
    "MatchSettings",
    "cross_similarity",
    "from_json",
    "identify_files",
    "listen",
    "load_index",
    "subscribe",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
