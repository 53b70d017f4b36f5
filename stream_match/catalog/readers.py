"""Where audio files are read: in processes of this computer, or on a cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from stream_match.catalog.read import Unread
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.workers import OnDone, Processes, Read
from stream_match.errors import UsageError

Result = TypeVar("Result")
Settings = TypeVar("Settings")


class Readers(Protocol):
    """Read files, each with a place of its own for what is kept of it.

    What comes back does not depend on who reads.
    """

    def each(
        self,
        paths: Sequence[AudioPath],
        read: Read[Settings, Result],
        settings: Settings,
        *,
        on_done: OnDone[Result] | None = None,
        kept: bool = False,
    ) -> list[Result | Unread]:
        """Do something with each file, and return the results in the order of the paths.

        Parameters
        ----------
        paths : sequence of Path or UrlPath
        read : callable (path, place, settings) -> result or Unread
            A function of a module. A file has the same place in every call of `each`. What is there may have
            gone with a computer.
        settings : any
            That can be sent to another process.
        on_done : callable (int, result or Unread) -> None, optional
            Called in this process after each file, with its number in `paths`.
        kept : bool
            Whether an earlier call has left something at the places that makes this one quick.

        Raises
        ------
        CatalogError
            If there is nobody who reads, or one reads otherwise than this computer.
        OSError
            If what comes of a file cannot be written.
        """


@contextmanager
def readers(work: Path, *, jobs: int | None, on: str | None) -> Iterator[Readers]:
    """Give readers of files.

    Parameters
    ----------
    work : Path
        An empty folder that outlives them.
    jobs : int or None
        Processes; None for one per core. A single one is this very process.
    on : str or None
        Address of the scheduler of a Dask cluster, to read there.

    Raises
    ------
    UsageError
        If `jobs` is below 1 or given together with `on`, or `on` is no such address.
    CatalogError
        If there is no cluster.
    """
    if on is None:
        yield Processes(work, jobs)
        return
    if jobs is not None:
        raise UsageError("jobs are processes of this computer, and on a cluster its workers read: give one")
    from stream_match.catalog.cluster import connected

    with connected(on) as cluster:
        yield cluster
