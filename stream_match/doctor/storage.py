"""The disk: the index, the folder of the state, its store, and room for more."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from stream_match.config import ListenSettings
from stream_match.doctor.check import Check, Finding, aside, checked
from stream_match.errors import CatalogError, StoreError, StreamMatchError
from stream_match.service.claim import is_claimed
from stream_match.store.event_store import is_damage
from stream_match.store.examine import examine
from stream_match.store.opening import FILE

DISK_S = 20.0
"""Longest time for a look at a disk."""

INDEX_S = 120.0
"""Longest time for an index: files of up to 256 MB in all are read and compared with their hashes."""

LITTLE_BYTES = 100_000_000
"""Less room than this is trouble."""


async def storage_checks(settings: ListenSettings) -> AsyncIterator[Check]:
    """Check index and state folder, where the settings name them.

    Parameters
    ----------
    settings : ListenSettings
    """
    state = settings.state
    wanted = [settings.heard(source).index for source in settings.sources] or [settings.index]
    for index in dict.fromkeys(one for one in wanted if one is not None):
        yield await checked(f"index {_shown(index)}", partial(aside, partial(_index, index)), limit_s=INDEX_S)
    if state is not None:
        room = settings.store.max_megabytes * 1e6
        yield await checked("state folder", lambda: aside(lambda: _folder(state)), limit_s=DISK_S)
        yield await checked("disk", lambda: aside(lambda: _room(state, room)), limit_s=DISK_S)
        yield await checked("store", lambda: aside(lambda: _store(state / FILE)), limit_s=DISK_S)


async def file_check(name: str, path: Path) -> Check:
    """Check whether a file that events go to can be written; nothing is written to it."""
    return await checked(name, lambda: aside(lambda: _file(path)), limit_s=DISK_S)


def _file(path: Path) -> str:
    try:
        if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
            raise Finding(f"{path} cannot be written.", "Give another file, or make it one of this user.")
        if not path.exists():
            _try_to_write(path.parent)
    except OSError as error:
        raise Finding(
            f"Nothing can be written in {str(path.parent)!r} ({error.strerror or error}).",
            "Make the folder, or give it to the user that listens.",
        ) from None
    return f"{path} can be written."


def _try_to_write(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"try")
        file.flush()
        os.fsync(file.fileno())


def _shown(index: Path | str) -> str:
    """Return an index as a person may see it."""
    from stream_match.milvus.address import redacted

    return redacted(index) if isinstance(index, str) else str(index)


def _index(index: Path | str) -> str | tuple[str, str]:
    return _remote_index(index) if isinstance(index, str) else _index_folder(index)


def _remote_index(uri: str) -> str:
    from stream_match.milvus.address import MilvusAddress
    from stream_match.milvus.describe import describe_remote
    from stream_match.milvus.origin import load_remote

    try:
        address = MilvusAddress.parse(uri)
        info = describe_remote(address)
        load_remote(address)
    except StreamMatchError as error:
        raise Finding(
            str(error), "Do what the sentence says; stream-match index verify URI checks all that is there."
        ) from None
    return f"{address.uri} has {info.tracks} tracks ({info.hours:.1f} h), generation {info.generation}."


def _index_folder(folder: Path) -> str | tuple[str, str]:
    from stream_match.catalog.folder import describe_index, load_index

    try:
        info = describe_index(folder)
        load_index(folder)
    except CatalogError as error:
        raise Finding(
            str(error), "Do what the sentence says; stream-match index verify DIR checks every file."
        ) from None
    said = f"{folder} has {info.tracks} tracks ({info.hours:.1f} h), generation {info.generation}."
    if not info.tracks:
        raise Finding(said, "Add recordings: stream-match index add DIR PATH….")
    return said if info.hint is None else (said, info.hint)


def _folder(folder: Path) -> str:
    there = folder if folder.is_dir() else _nearest(folder)
    try:
        _try_to_write(there)
    except OSError as error:
        raise Finding(
            f"Nothing can be written in {str(there)!r} ({error.strerror or error}).",
            "Give the folder to the user that listens, or choose another one with --state.",
        ) from None
    if there != folder:
        return f"{folder} is not there yet; it can be made."
    if is_claimed(folder):
        return f"{folder} can be written; a listener uses it now."
    return f"{folder} can be written."


def _nearest(folder: Path) -> Path:
    """Return the nearest folder above that is there."""
    for above in folder.absolute().parents:
        if above.exists():
            return above
    return Path("/")


def _room(folder: Path, wanted: float) -> str | tuple[str, str]:
    there = folder if folder.is_dir() else _nearest(folder)
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.1f} GB are free."
    if free < LITTLE_BYTES:
        raise Finding(said, "Make room: a listener goes on with a full disk, but remembers nothing.")
    used = _size(folder / FILE)
    if free + used < wanted:
        return (
            said,
            f"The store may grow to {wanted / 1e6:.0f} MB: lower [store] max_megabytes, or make room.",
        )
    return said


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _store(path: Path) -> str:
    if not path.exists():
        return "There is no store yet; the first start makes one."
    try:
        events = examine(path)
    except StoreError as error:
        if error.kind == "older":
            return "The store is of an earlier version; the next start renews it."
        do = "The next start sets it aside and begins anew." if is_damage(error) else "See the sentence."
        raise Finding(str(error), do) from None
    return f"The store is sound; it holds {events} events in {_size(path) / 1e6:.1f} MB."
