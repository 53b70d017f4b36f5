"""What a worker of a Dask cluster does with a file."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stream_match.catalog.equal_results import Software, software
from stream_match.catalog.read import Unread
from stream_match.catalog.remote import AudioPath
from stream_match.catalog.workers import Read, place_name
from stream_match.errors import CatalogError
from stream_match.threads import one_thread

Result = TypeVar("Result")
Settings = TypeVar("Settings")

_ROOM = 0.1
"""Share of a disk that is left free. Where less is, nothing is kept, and files are read again to be coded."""


@dataclass(frozen=True)
class Order(Generic[Settings, Result]):
    """What is to be done with files: sent once, and fetched by the workers from each other.

    Parameters
    ----------
    read : callable (path, place, settings) -> result or Unread
    settings : any
    software : Software
        Of the computer that makes the index.
    folder : str
        Name of the folder for what is kept.
    """

    read: Read[Settings, Result]
    settings: Settings
    software: Software
    folder: str


@dataclass(frozen=True)
class Answer:
    """What a worker says of a file.

    Parameters
    ----------
    worker : str
        Its address.
    result : any, optional
    differs : str, optional
        How it differs from the computer that makes the index; then nothing has been read.
    missing : str, optional
        Why it has no such file.
    """

    worker: str
    result: Any = None
    differs: str | None = None
    missing: str | None = None


def work(order: Order[Settings, Result], path: AudioPath) -> Answer:
    """Read a file.

    Parameters
    ----------
    order : Order
    path : Path or RemotePath

    Raises
    ------
    CatalogError
        If nothing can be written here.
    """
    from distributed import get_worker

    worker = get_worker()
    address = str(worker.address)
    differs = order.software.difference(software())
    if differs is not None:
        return Answer(address, differs=differs)
    if isinstance(path, Path):
        try:
            path.stat()
        except OSError as error:
            return Answer(address, missing=error.strerror)
    folder = Path(worker.local_directory) / order.folder
    try:
        with one_thread():
            return Answer(address, _read(order, path, folder))
    except OSError as error:
        why = error.strerror or str(error)
        raise CatalogError(
            f"the worker {address} cannot write into '{folder}': {why}; nothing was changed"
        ) from error


def _read(order: Order[Settings, Result], path: AudioPath, folder: Path) -> Result | Unread:
    folder.mkdir(exist_ok=True)
    place = folder / place_name(path)
    result = order.read(path, place, order.settings)
    disk = shutil.disk_usage(folder)
    if disk.free < _ROOM * disk.total:
        place.unlink(missing_ok=True)
    return result


def forget(name: str, dask_worker: Any) -> None:
    """Delete what is kept.

    Parameters
    ----------
    name : str
        Of the folder.
    dask_worker : distributed.Worker
        Given by Dask.
    """
    shutil.rmtree(Path(dask_worker.local_directory) / name, ignore_errors=True)


def same(order: Order[Settings, Result]) -> Order[Settings, Result]:
    """Return an order: as a result of its own, it can be had again if the worker dies that holds it."""
    return order
