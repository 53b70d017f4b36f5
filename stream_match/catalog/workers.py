"""Many audio files read at once, a process per core.

Processes are spawned, not forked: a daemon or a notebook that builds an index has threads.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from stream_match.catalog.read import ReadTrack, Unread, read_track
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError, UsageError

OnDone = Callable[[int, ReadTrack | Unread], None]

_RUNNING = "running"
"""A file that workers go on reading for as long as it is there. No event or pipe: a worker that is killed
may hold the lock of those, and removing a file succeeds on a full disk too."""


def read_all(
    paths: Sequence[Path], work: Path, settings: FeatureSettings, *, jobs: int | None, on_done: OnDone
) -> list[ReadTrack | Unread]:
    """Read files, the largest first, and return the results in the order of the paths.

    Parameters
    ----------
    paths : sequence of Path
    work : Path
        An empty folder for the feature frames, which must outlive the results.
    settings : FeatureSettings
    jobs : int or None
        Processes; None for one per core. A single one is this very process.
    on_done : callable (int, ReadTrack or Unread) -> None
        Called in this process after each file, with its number in `paths`.

    Raises
    ------
    UsageError
        If `jobs` is below 1.
    CatalogError
        If a worker process dies.
    OSError
        If the frames cannot be written.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected at least 1")
    count = min(jobs or os.cpu_count() or 1, len(paths))
    if count > 1:
        return _read_in_pool(paths, work, settings, count, on_done)
    results = []
    for number, path in enumerate(paths):
        results.append(read_track(path, _frames(work, number), settings, stopped=lambda: False))
        on_done(number, results[-1])
    return results


def _frames(work: Path, number: int) -> Path:
    return work / f"{number}.frames"


def _read_in_pool(
    paths: Sequence[Path], work: Path, settings: FeatureSettings, count: int, on_done: OnDone
) -> list[ReadTrack | Unread]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, initializer=_begin)
    results: dict[int, ReadTrack | Unread] = {}
    running = work / _RUNNING
    running.touch()
    try:
        futures = {
            pool.submit(_read, paths[number], _frames(work, number), settings): number
            for number in _largest_first(paths)
        }
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            on_done(futures[future], results[futures[future]])
    except BrokenProcessPool as error:
        raise CatalogError(_obituary(paths, work)) from error
    finally:  # also on Ctrl-C: whoever still reads hears of it within a block
        running.unlink()
        pool.shutdown(cancel_futures=True)
    return [results[number] for number in range(len(paths))]


def _read(path: Path, frames: Path, settings: FeatureSettings) -> ReadTrack | Unread:
    running = frames.with_name(_RUNNING)
    return read_track(path, frames, settings, stopped=lambda: not running.exists())


def _begin() -> None:
    """Prepare a worker process: Ctrl-C is the parent's to handle, and its death is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=partial(_follow, parent.join), daemon=True).start()


def _follow(join: Callable[[], None]) -> None:
    # The pool's queue does not end when a killed parent does: its workers would wait for ever.
    join()
    os._exit(1)


def _largest_first(paths: Sequence[Path]) -> list[int]:
    """Order by size, so that no long file is begun last."""
    return sorted(range(len(paths)), key=lambda number: (-_size(paths[number]), number))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _obituary(paths: Sequence[Path], work: Path) -> str:
    numbers = sorted(int(part.stem) for part in work.glob("*.part"))
    if not numbers:
        return "a worker process could not start or died (out of memory?): try --jobs 1"
    shown = " or ".join(repr(str(paths[number])) for number in numbers)
    return f"a worker process died while reading {shown} (out of memory?): try without it, or --jobs 1"
