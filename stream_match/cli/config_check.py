"""What is wrong with settings, and what is suspicious about them, without opening anything."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_match.capture import open_source
from stream_match.config import ListenSettings
from stream_match.config.environment import strange_variables
from stream_match.config.layers import Layer, checked, complaints
from stream_match.config.secret_files import place_of_secret
from stream_match.errors import StreamMatchError
from stream_match.fleet.address import servers_of
from stream_match.publish import open_sink
from stream_match.publish.serving import ServingSink
from stream_match.service.house import NO_BROKER
from stream_match.service.listen import default_node
from stream_match.service.sharing import check_shared
from stream_match.service.sources import wanted_sources
from stream_match.service.world import World

SECRETS = ("password", "token")
SECRET_FILES = ("password_file", "token_file")
"""Keys of settings."""


def mistakes(given: Sequence[Layer]) -> list[str]:
    """Return a sentence for each thing with which ``listen`` would refuse to start.

    Parameters
    ----------
    given : sequence of Layer
        Where the settings come from, the weakest first.
    """
    found = complaints(given)
    if found:
        return found
    settings = checked(given)
    of_all = [*_of_sources(settings), *_of_sinks(settings), *_of_page(settings), *_of_fleet(settings)]
    return list(dict.fromkeys(of_all))


def suspicions(settings: ListenSettings, file: Layer) -> Iterator[str]:
    """Yield a sentence for each thing that may not be as it was meant.

    Parameters
    ----------
    settings : ListenSettings
        Without mistakes.
    file : Layer
        What of them stands in a file.
    """
    yield from strange_variables()
    if not settings.sources:
        yield "it names no source: listen needs --source then"
    yield from _of_folders(settings)
    yield from _of_secrets(file)
    yield from _of_recordings(settings)
    if settings.home_assistant.discovery and not any(map(_serves, settings.sinks)):
        yield NO_BROKER
    for uri in sorted({uri for uri in settings.sinks if settings.sinks.count(uri) > 1}):
        yield f"a sink is there twice ({_kind(uri)}): every event goes there twice"


def _of_sources(settings: ListenSettings) -> Iterator[str]:
    """Yield what is wrong with single sources, or else with all of them together."""
    alone = [settings.model_copy(update={"sources": (source,)}) for source in settings.sources]
    found = [sentence for one in alone if (sentence := _refusal(one))]
    if not found and settings.sources and (sentence := _refusal(settings)):
        found = [sentence]
    yield from found


def _refusal(settings: ListenSettings) -> str | None:
    try:
        wanted_sources(settings, World(open_source=open_source))
    except StreamMatchError as error:
        return str(error)
    return None


def _of_sinks(settings: ListenSettings) -> Iterator[str]:
    for uri in settings.sinks:
        try:
            open_sink(uri, node=settings.node or default_node())
        except StreamMatchError as error:
            yield str(error)


def _of_page(settings: ListenSettings) -> Iterator[str]:
    from stream_match.web.access import token_of

    try:
        if settings.web.listen is not None:
            token_of(settings.web)
    except StreamMatchError as error:
        yield str(error)


def _of_fleet(settings: ListenSettings) -> Iterator[str]:
    try:
        if servers_of(settings.share) and settings.sources:
            check_shared(wanted_sources(settings, World(open_source=open_source)).values())
    except StreamMatchError as error:
        yield str(error)


def _serves(uri: str) -> bool:
    return isinstance(open_sink(uri, node=default_node()), ServingSink)


def _of_folders(settings: ListenSettings) -> Iterator[str]:
    from stream_match.catalog.genre_place import standing_model
    from stream_match.catalog.manifest import MANIFEST_FILE

    wanted = [settings.heard(source) for source in settings.sources]
    for index in dict.fromkeys(heard.index for heard in wanted if heard.index is not None):
        if isinstance(index, Path) and not (index / MANIFEST_FILE).is_file():
            yield f"there is no index in {str(index)!r}: stream-match index build makes it"
    if wanted and all(heard.index is None and heard.match.enabled for heard in wanted):
        yield "no index is named, so that no track is recognised"
    if settings.genre_model is not None and not standing_model(settings.genre_model).is_dir():
        yield f"there is no model in {str(settings.genre_model)!r}"
    if settings.state is not None and not _is_writable(settings.state):
        yield f"the state folder {str(settings.state)!r} cannot be written by this user"


def _is_writable(folder: Path) -> bool:
    """Whether a folder, or the first one above that is there, can be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _of_secrets(file: Layer) -> Iterator[str]:
    found = list(_entries(file.content))
    inside = any(key in SECRETS or _has_user(value) for key, value in found)
    if inside and _is_read_by_all(Path(file.where or "")):
        yield f"{file.where!r} holds a secret, and all users may read it: chmod 600, or a file for the secret"
    for path in dict.fromkeys(str(value) for key, value in found if key in SECRET_FILES):
        if _is_read_by_all(place_of_secret(path)):
            yield f"the file {path!r} holds a secret, and all users may read it: chmod 600"


def _entries(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all keys and values in tables and lists; what stands in a list has the key of the list."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _entries(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _entries(value, key)
    else:
        yield key, content


def _has_user(value: Any) -> bool:
    return isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]


def _is_read_by_all(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & stat.S_IROTH)


def _of_recordings(settings: ListenSettings) -> Iterator[str]:
    for one in settings.sources:
        source = open_source(one)
        if ":" not in source.uri and not Path(source.uri).exists():
            yield f"the file {source.uri!r} is not there (source {source.name!r})"


def _kind(uri: str) -> str:
    return uri.partition(":")[0] + ":…"
