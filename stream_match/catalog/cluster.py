"""Audio files read by the workers of a Dask cluster.

Dask decides who reads what, and has a file read elsewhere if its worker dies. What is kept of a file lies in
the local folder of the worker that read it. Later passes are done there, or with the file read again.
"""

import logging
import queue
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stream_match.catalog.cluster_client import checked_address, in_a_line, open_client, quiet
from stream_match.catalog.cluster_work import Answer, Order, packed
from stream_match.catalog.equal_results import software
from stream_match.catalog.read import Unread
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.workers import OnDone, Read, largest_first, not_told
from stream_match.errors import CatalogError, StreamMatchError
from stream_match.signals import held

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Settings = TypeVar("Settings")

_WORK = "stream_match.catalog.cluster_work"

_LOOK_S = 2.0
"""How long nothing may come back before it is looked whether anybody is still there."""

_PATIENCE_S = 60.0
"""How long a cluster may be without workers."""

_RETRIES = 2
"""Further tries, maybe elsewhere, of what failed for a reason that is not the file's, such as a full disk."""


@dataclass
class _Job:
    """A file on its way to a result."""

    number: int
    path: AudioPath
    without: set[str] = field(default_factory=set)
    """Workers that have no such file."""


@contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """Give a cluster; in the end, what is still to be done there is called off, and what is kept is deleted.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT`` or ``tls://HOST:PORT``, of the scheduler. Certificates are those of Dask's own
        configuration, ``distributed.comm.tls``.

    Raises
    ------
    UsageError
        If it is no such address, Dask is not installed, or there are no certificates.
    CatalogError
        If no scheduler answers.
    """
    address = checked_address(address)
    with quiet():
        cluster = Cluster(open_client(address), address)
        try:
            yield cluster
        finally:
            with held():
                cluster.leave()


class Cluster:
    """`Readers` on a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    shown : str
        The address of the scheduler, as messages have it.
    """

    def __init__(self, client: "Client", shown: str) -> None:
        self._client, self._shown = client, shown
        self._executor = client.get_executor(retries=_RETRIES, pure=False)
        self._folder = f"stream-match-{secrets.token_hex(8)}"
        self._order, self._orders = b"", 0
        self._homes: dict[AudioPath, str] = {}
        self._warned: set[str] = set()
        self._alone_since: float | None = None
        self._answers: queue.SimpleQueue[tuple[_Job, Future[Answer]]] = queue.SimpleQueue()

    def each(
        self,
        paths: Sequence[AudioPath],
        read: Read[Settings, Result],
        settings: Settings,
        *,
        on_done: OnDone[Result] | None = None,
        kept: bool = False,
    ) -> list[Result | Unread]:
        """Do something with each file, the largest first; what is quick is done where the file was read.

        Parameters
        ----------
        paths, read, settings, on_done, kept
            As for `Readers`. A file whose worker dies is read by another one. It is `Unread` if it is on none
            of the workers, or if more die over it than the scheduler allows
            (``distributed.scheduler.allowed-failures``).

        Raises
        ------
        CatalogError
            If the scheduler is lost, there are no workers for a minute, or one of them differs from this
            computer.
        """
        self._order, self._orders = packed(Order(read, settings, software())), self._orders + 1
        self._tell(sorted(self._workers()))
        waiting = deque(_Job(number, paths[number]) for number in largest_first(paths))
        results: dict[int, Result | Unread] = {}
        asked = 0
        while len(results) < len(paths):
            # Only as many as are read at once: all that a worker has been given is suspected if it dies.
            while waiting and (kept or asked < self._threads()):
                self._ask(waiting.popleft())
                asked += 1
            came = self._next()
            if came is None:
                continue
            asked -= 1
            job, answer = came
            result = self._result(job, answer, kept=kept)
            if result is None:
                waiting.appendleft(job)
                continue
            results[job.number] = result
            (on_done or not_told)(job.number, result)
        return [results[number] for number in range(len(paths))]

    def leave(self) -> None:
        """Call off what is not done, have the workers delete what they keep, and go."""
        with suppress(Exception):  # it may be gone
            if self._client.status == "running":
                self._executor.shutdown(wait=False)
                self._run(
                    lambda folder, dask_worker: import_module(_WORK).forget(folder, dask_worker), self._folder
                )
        with suppress(Exception):
            self._client.close(timeout=_LOOK_S)

    def _ask(self, job: _Job) -> None:
        wanted = [self._homes[job.path]] if job.path in self._homes else []
        if job.without:
            wanted = sorted(self._workers().keys() - job.without)
        where = {"workers": wanted, "allow_other_workers": True} if wanted else {}
        path = job.path.absolute() if isinstance(job.path, Path) else job.path  # workers are elsewhere
        # A lambda is sent as it is. Where a worker had to find ours by name, and has none, it would break.
        future = self._executor.submit(
            lambda *what: import_module(_WORK).work(*what), self._folder, self._orders, packed(path), **where
        )
        future.add_done_callback(lambda done: self._answers.put((job, done)))

    def _next(self) -> "tuple[_Job, Future[Answer]] | None":
        """Wait for an answer; None after a while in which there is none.

        Raises
        ------
        CatalogError
            If nobody has been there for long who could give one.
        """
        with suppress(queue.Empty):
            return self._answers.get(timeout=_LOOK_S)
        if self._workers():
            self._alone_since = None
            return None
        self._alone_since = self._alone_since or time.monotonic()
        if time.monotonic() - self._alone_since > _PATIENCE_S:
            raise CatalogError(
                f"the cluster at {self._shown} has had no workers for {_PATIENCE_S:.0f} s: start some with "
                f"dask worker {self._shown}; nothing was changed"
            )
        return None

    def _result(self, job: _Job, answer: "Future[Answer]", *, kept: bool) -> Any:
        """Return what came of a file; None if it has to be asked for again."""
        from distributed import KilledWorker

        try:
            told = answer.result()
        except StreamMatchError:
            raise
        except KilledWorker as error:
            what = f"'{job.path}' cannot be read: {error.allowed_failures + 1} workers died over it"
            if kept:
                raise CatalogError(f"{what} (out of memory?)") from error
            return Unread(f"{what} (out of memory?)")
        except (CancelledError, OSError) as error:
            raise self._lost() from error
        except Exception as error:
            raise self._incapable(error) from error
        if told.differs is not None:
            raise CatalogError(f"the worker {told.worker} {told.differs}; nothing was changed")
        if not told.knows:
            self._tell_one(told.worker)
            return None
        if told.missing is not None:
            return self._missing(job, told)
        self._homes[job.path] = told.worker
        return told.result

    def _missing(self, job: _Job, told: Answer) -> Unread | None:
        """Return what is said of a file that no worker has; None if another one may have it."""
        if told.worker not in self._warned:
            self._warned.add(told.worker)
            log.warning("the worker %s cannot read '%s': %s", told.worker, job.path, told.missing)
        job.without.add(told.worker)
        workers = self._workers().keys()
        if workers - job.without:
            return None
        return Unread(
            f"'{job.path}' cannot be read by any of {len(job.without)} workers ({told.missing}): give them "
            "its folder under the same path"
        )

    def _tell(self, workers: list[str]) -> list[Exception]:
        """Tell workers what is to be done, and return why some do not know it; one that comes later asks."""
        return self._run(
            lambda *what: import_module(_WORK).take(*what),
            self._folder,
            self._orders,
            self._order,
            workers=workers,
        )

    def _tell_one(self, worker: str) -> None:
        """Tell a worker that came late, or has started again, maybe under the address that it had."""
        for failure in self._tell([worker]):
            if not isinstance(failure, OSError):  # it is there, and would never know
                raise self._incapable(failure) from failure

    def _run(
        self, what: Callable[..., None], *args: Any, workers: list[str] | None = None
    ) -> list[Exception]:
        """Have workers do something at once, all of them by default; return why some did not."""
        try:
            answers = self._client.run(what, *args, workers=workers, on_error="return")
        except Exception as error:
            raise self._lost() from error
        return [answer for answer in answers.values() if isinstance(answer, Exception)]

    def _threads(self) -> int:
        return sum(self._workers().values())

    def _workers(self) -> dict[str, int]:
        """Return the threads of each worker, by its address."""
        try:
            workers: dict[str, int] = self._client.nthreads()
        except Exception as error:
            raise self._lost() from error
        return workers

    def _incapable(self, error: Exception) -> CatalogError:
        return CatalogError(
            f"a worker of {self._shown} cannot do what is asked of it ({in_a_line(error)}): install the "
            "same release of stream_match there"
        )

    def _lost(self) -> CatalogError:
        return CatalogError(
            f"the scheduler at {self._shown} was lost: see why it ended, and start again; nothing was changed"
        )
