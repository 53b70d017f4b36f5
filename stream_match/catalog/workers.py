"""Many audio files read at once, a process per core.

Processes are spawned, not forked: a daemon or a notebook that builds an index has threads. Each has a pipe of
its own, through which it gets one file after the other. There is no lock, queue or semaphore that a killed
process could hold or leave behind.
"""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self, TypeVar

from stream_match.catalog.read import Unread, partial_file
from stream_match.catalog.url_path import AudioPath, UrlPath
from stream_match.errors import CatalogError, UsageError
from stream_match.signals import blocked, held
from stream_match.threads import one_thread

Result = TypeVar("Result")
Settings = TypeVar("Settings")
OnDone = Callable[[int, Result | Unread], None]
Read = Callable[[Any, Path, Settings], Result | Unread]
"""Given a path, its place, and settings. Some read files of this computer only."""


class Processes:
    """`Readers` on this computer.

    Parameters
    ----------
    work : Path
        An empty folder, for what is kept of files.
    jobs : int or None
        Processes; None for one per core. A single one is this very process.

    Raises
    ------
    UsageError
        If `jobs` is below 1.
    """

    def __init__(self, work: Path, jobs: int | None) -> None:
        _require_jobs(jobs)
        self._work, self._jobs = work, jobs

    def each(
        self,
        paths: Sequence[AudioPath],
        read: Read[Settings, Result],
        settings: Settings,
        *,
        on_done: OnDone[Result] | None = None,
        kept: bool = False,
    ) -> list[Result | Unread]:
        """Do something with each file, the largest first; what is quick is done in this process.

        Parameters
        ----------
        paths, read, settings, on_done, kept
            As for `Readers`. A worker process that dies while it reads a file is replaced, and the file is
            `Unread`.

        Raises
        ------
        CatalogError
            If a worker process cannot be started.
        OSError
            If what comes of a file cannot be written.
        """
        places = [self._work / place_name(path) for path in paths]
        jobs = 1 if kept else self._jobs
        return each_file(paths, places, read, settings, jobs=jobs, on_done=on_done or not_told)


def place_name(path: AudioPath) -> str:
    """Return the name of the place for what is kept of a file."""
    text = path.url if isinstance(path, UrlPath) else str(path)
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32] + ".frames"


def not_told(number: int, result: object) -> None:
    """Do nothing when a file is done."""


def each_file(
    paths: Sequence[AudioPath],
    places: Sequence[Path],
    read: Read[Settings, Result],
    settings: Settings,
    *,
    jobs: int | None,
    on_done: OnDone[Result],
) -> list[Result | Unread]:
    """Do something with each file, the largest first, and return the results in the order of the paths.

    Parameters
    ----------
    paths, places : sequence of Path
        Files, which may be a `UrlPath` if `read` takes that, and where what comes of each is written.
    read : callable (Path, Path, settings) -> result or Unread
        A function of a module. Before it reads a file it makes `partial_file` of the place, and renames that
        once it is whole: of a worker that died, it tells that the file was the cause.
    settings : any
        That can be sent to another process.
    jobs : int or None
        Processes; None for one per core. A single one is this very process.
    on_done : callable (int, result or Unread) -> None
        Called in this process after each file, with its number in `paths`.

    Raises
    ------
    UsageError
        If `jobs` is below 1.
    CatalogError
        If a worker process cannot be started.
    OSError
        If what comes of a file cannot be written.
    """
    _require_jobs(jobs)
    count = min(jobs or os.cpu_count() or 1, len(paths))
    if count > 1:
        return _read_in_processes(paths, places, read, settings, count, on_done)
    results = []
    for number, (path, place) in enumerate(zip(paths, places, strict=True)):
        results.append(read(path, place, settings))
        on_done(number, results[-1])
    return results


def _require_jobs(jobs: int | None) -> None:
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected at least 1")


def _read_in_processes(
    paths: Sequence[AudioPath],
    places: Sequence[Path],
    read: Read[Settings, Result],
    settings: Settings,
    count: int,
    on_done: OnDone[Result],
) -> list[Result | Unread]:
    waiting = largest_first(paths)
    results: dict[int, Result | Unread] = {}
    with _Workers(read, settings) as workers:
        idle = [workers.start() for _ in range(count)]
        busy: dict[Connection, int] = {}
        while waiting or busy:
            while waiting and idle:
                number, pipe = waiting.pop(0), idle.pop()
                busy[pipe] = number
                _ask(pipe, paths[number], places[number])
            ready = wait(list(busy))
            for pipe in [pipe for pipe in busy if pipe in ready]:
                number = busy.pop(pipe)
                result: Result | Unread | None = _answer(pipe, places[number])
                idle.append(workers.start() if result is None else pipe)
                results[number] = result or _deadly(paths[number])
                on_done(number, results[number])
    return [results[number] for number in range(len(paths))]


class _Workers:
    """Processes that read files, each asked through a pipe; in the end all are killed, whatever they do."""

    def __init__(self, read: Read[Any, Any], settings: object) -> None:
        self._read, self._settings = read, settings
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> Self:
        resource_tracker.ensure_running()  # starting it unblocks signals
        return self

    def start(self) -> Connection:
        """Start one and return our end of its pipe."""
        with held(), blocked():
            ours, theirs = self._context.Pipe()
            self._pipes.append(ours)
            process = self._context.Process(
                target=_work, args=(theirs, self._read, self._settings), daemon=True
            )
            process.start()
            self._processes.append(process)
            theirs.close()  # so that our end breaks with the process
        return ours

    def __exit__(self, *_: object) -> None:
        with held():
            for process in self._processes:
                process.kill()
            for process in self._processes:
                process.join()
            for pipe in self._pipes:
                pipe.close()


def _ask(pipe: Connection, path: AudioPath, place: Path) -> None:
    with suppress(OSError):  # it is dead, which its answer tells
        pipe.send((path, place))


def _answer(pipe: Connection, place: Path) -> Any:
    """Return what a worker has read; None if it died over it."""
    try:
        result = pipe.recv()
    except (EOFError, OSError) as error:
        if partial_file(place).exists():
            partial_file(place).unlink()
            return None
        msg = "a worker process could not start or died (out of memory?): try --jobs 1"
        raise CatalogError(msg) from error
    if isinstance(result, Exception):
        raise result
    return result


def _deadly(path: AudioPath) -> Unread:
    return Unread(f"{str(path)!r} cannot be read: the process that read it died (out of memory?)")


def _work(pipe: Connection, read: Read[Settings, Any], settings: Settings) -> None:
    """Read what is asked for, in a process of its own, until there is nobody who asks."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=partial(_follow, parent.join), daemon=True).start()
    while True:
        path, place = pipe.recv()
        try:
            with one_thread():
                pipe.send(read(path, place, settings))
        except Exception as error:  # noqa: BLE001 - raised where it was asked for
            pipe.send(error)


def _follow(join: Callable[[], None]) -> None:
    """End with the parent, also in the middle of a file."""
    join()
    os._exit(1)


def largest_first(paths: Sequence[AudioPath]) -> list[int]:
    """Order by size, so that no long file is begun last."""
    return sorted(range(len(paths)), key=lambda number: (-_size(paths[number]), number))


def _size(path: AudioPath) -> int:
    if isinstance(path, UrlPath):
        return path.size
    try:
        return path.stat().st_size
    except OSError:
        return 0
