"""What a worker of a Dask cluster does with a file."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stream_match.catalog.equal_results import Software, software
from stream_match.catalog.read import Unread
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.workers import Read, place_name
from stream_match.errors import CatalogError
from stream_match.threads import one_thread

Result = TypeVar("Result")
Settings = TypeVar("Settings")

_orders: dict[str, "Order[Any, Any]"] = {}
"""What is to be done, in this process of a worker, by the folder for what is kept and a number."""

_ROOM = 0.1
"""Share of a disk that is left free. Where less is, nothing is kept, and files are read again to be coded."""


@dataclass(frozen=True)
class Order(Generic[Settings, Result]):
    """What is to be done with files. A worker is told once: hyperplanes are a megabyte.

    Parameters
    ----------
    read : callable (path, place, settings) -> result or Unread
    settings : any
    software : Software
        Of the computer that makes the index.
    """

    read: Read[Settings, Result]
    settings: Settings
    software: Software


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
    knows : bool
        Whether it knows what is to be done; if not, it has to be told.
    """

    worker: str
    result: Any = None
    differs: str | None = None
    missing: str | None = None
    knows: bool = True


def packed(what: object) -> bytes:
    """Return an order or a path as a worker takes it: what this package has, only `work` unpacks."""
    from distributed.protocol.pickle import dumps

    data: bytes = dumps(what)
    return data


def take(folder: str, number: int, order: bytes) -> None:
    """Take an order.

    Parameters
    ----------
    folder : str
        Name of the folder for what is kept.
    number : int
    order : bytes
        From `packed`.
    """
    from distributed.protocol.pickle import loads

    _orders[f"{folder}/{number}"] = loads(order)


def work(folder: str, number: int, packed_path: bytes) -> Answer:
    """Read a file.

    Parameters
    ----------
    folder, number : str, int
        Of the order.
    packed_path : bytes
        From `packed`, of a Path or UrlPath.

    Raises
    ------
    CatalogError
        If nothing can be written here.
    """
    from distributed import get_worker
    from distributed.protocol.pickle import loads

    worker = get_worker()
    address = str(worker.address)
    order = _orders.get(f"{folder}/{number}")
    if order is None:
        return Answer(address, knows=False)
    path: AudioPath = loads(packed_path)
    differs = order.software.difference(software())
    if differs is not None:
        return Answer(address, differs=differs)
    if isinstance(path, Path):
        try:
            path.stat()
        except OSError as error:
            return Answer(address, missing=error.strerror)
    place = Path(worker.local_directory) / folder
    try:
        with one_thread():
            return Answer(address, _read(order, path, place))
    except OSError as error:
        why = error.strerror or str(error)
        raise CatalogError(
            f"the worker {address} cannot write into '{place}': {why}; nothing was changed"
        ) from error


def _read(order: Order[Settings, Result], path: AudioPath, folder: Path) -> Result | Unread:
    folder.mkdir(exist_ok=True)
    place = folder / place_name(path)
    result = order.read(path, place, order.settings)
    disk = shutil.disk_usage(folder)
    if disk.free < _ROOM * disk.total:
        place.unlink(missing_ok=True)
    return result


def forget(folder: str, dask_worker: Any) -> None:
    """Delete what is kept, and forget what was to be done.

    Parameters
    ----------
    folder : str
        Name of the folder.
    dask_worker : distributed.Worker
        Given by Dask.
    """
    shutil.rmtree(Path(dask_worker.local_directory) / folder, ignore_errors=True)
    for key in [key for key in _orders if key.startswith(f"{folder}/")]:
        del _orders[key]
