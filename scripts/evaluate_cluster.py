"""Measure building on a Dask cluster of this computer beside building in its processes.

Run it as .venv/bin/python scripts/evaluate_cluster.py AUDIO --work DIR [--workers 2]. An index of the audio
is built by processes, by as many workers, and by workers of which one is killed when it has read a third of
its files. Every other folder in AUDIO is added to an index of the rest. It tells how long each took, what
came back to this process, and whether all bytes are equal.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream_match.catalog import BuildReport, add_tracks, build_index
from stream_match.catalog.find import find_tracks
from stream_match.errors import StreamMatchError

_MB = 1e6


class Received:
    """Counts the bytes of all messages that Dask reads in this process."""

    def __init__(self) -> None:
        from distributed.comm import tcp

        self.bytes = 0
        module: Any = tcp
        self._read = module.from_frames
        module.from_frames = self._counted

    def _counted(self, frames: Any, **how: Any) -> Any:
        self.bytes += sum(memoryview(frame).nbytes for frame in frames)
        return self._read(frames, **how)


class Cluster:
    """A scheduler and workers with one thread each, as processes."""

    def __init__(self, folder: Path, workers: int) -> None:
        folder.mkdir(parents=True)
        about = folder / "scheduler.json"
        self._processes = [
            self._started("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", about)
        ]
        self.folders = [folder / str(number) for number in range(workers)]
        self.workers = [
            self._started("worker", "--scheduler-file", about, "--nthreads", "1", "--no-nanny",
                          "--local-directory", place)
            for place in self.folders
        ]  # fmt: skip
        self._processes += self.workers
        self.address = self._address(about, workers)

    def _started(self, what: str, *options: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard"]
        return subprocess.Popen([*command, *map(str, options)], stderr=subprocess.DEVNULL, env=os.environ)

    @staticmethod
    def _address(about: Path, workers: int) -> str:
        from distributed import Client

        while not about.exists() or not about.read_text():
            time.sleep(0.05)
        with Client(scheduler_file=str(about), set_as_default=False) as client:
            client.wait_for_workers(workers)
            return str(client.scheduler.address)

    def read_by(self, number: int) -> int:
        """Return how many files a worker keeps."""
        return len(list(self.folders[number].glob("**/*.frames")))

    def end(self) -> None:
        """Kill all of them."""
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def cluster_of(folder: Path, workers: int) -> Iterator[Cluster]:
    """Give a cluster that ends in the end."""
    cluster = Cluster(folder, workers)
    try:
        yield cluster
    finally:
        cluster.end()


def main(argv: Sequence[str] | None = None) -> int:
    """Build, and print a table; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, help="folder of audio, with folders in it")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="a folder to make")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="and processes; 2 by default")
    args = parser.parse_args(argv)
    try:
        _measure(args.audio, args.work, args.workers)
    except StreamMatchError as error:
        print(f"evaluate_cluster: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(audio: Path, work: Path, workers: int) -> None:
    received = Received()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{workers} processes and {workers} workers on {os.cpu_count()} cores, load {load}")
    first, second = _halves(audio)

    def told(what: str, build: Callable[[], BuildReport]) -> None:
        before, began = received.bytes, time.perf_counter()
        hours = build().audio_s / 3600
        back = (received.bytes - before) / _MB
        print(
            f"{what:24} {hours:6.2f} h  {time.perf_counter() - began:7.1f} s  {back:7.1f} MB back, "
            f"{back / hours:6.2f} MB/h"
        )

    told("processes", lambda: build_index([audio], work / "processes", jobs=workers, progress=False))
    build_index(first, work / "added", jobs=workers, progress=False)
    with cluster_of(work / "dask", workers) as cluster:
        on = cluster.address
        build_index(first[:1], work / "first", on=on, progress=False)  # all has been imported then
        told("workers", lambda: build_index([audio], work / "workers", on=on, progress=False))
        told("added by workers", lambda: add_tracks(work / "added", second, on=on, progress=False))
    with cluster_of(work / "killed dask", workers) as cluster:
        on, third = cluster.address, len(find_tracks([audio]).tracks) // (3 * workers)
        threading.Thread(target=_kill, args=(cluster, third), daemon=True).start()
        told("a worker killed", lambda: build_index([audio], work / "killed", on=on, progress=False))
    own = _contents(work / "processes")
    equal = all(_contents(work / name) == own for name in ("workers", "killed"))
    print(f"all bytes equal: {equal}")


def _kill(cluster: Cluster, count: int) -> None:
    while cluster.read_by(0) < count:
        time.sleep(0.02)
    cluster.workers[0].kill()
    print(f"killed a worker that had read {cluster.read_by(0)} files")


def _halves(audio: Path) -> tuple[list[Path], list[Path]]:
    folders = sorted(path for path in audio.iterdir() if path.is_dir())
    return folders[::2], folders[1::2]


def _contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    sys.exit(main())
