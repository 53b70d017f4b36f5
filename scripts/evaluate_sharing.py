"""Share light sources among workers, kill a worker and a NATS server, and measure what that costs.

Run it as .venv/bin/python scripts/evaluate_sharing.py [--sources 60] [--workers 3] [--lease 12]. It needs
nats-server and nats-py (extra nats), and begins three servers. Each worker is the whole service in a process
of its own. Its sources are silence in real time, and its matcher does nothing: only sharing is measured.

It prints how long it takes until all sources are held: at the start, after a worker was killed (SIGKILL),
while a server is killed, when a worker joins, and when one leaves (SIGTERM). Times are of the monotonic
clock, which all processes of a computer have in common. A source counts from its opening to its closing, or
to the kill.

Exit status: 1 if sources are not held again within 15 s of the kill, or one was held twice for more than a
beat.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from soaking.cast import free_port

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.config import ListenSettings
from stream_match.config.share_settings import ShareSettings
from stream_match.config.source_settings import SourceSettings
from stream_match.events import Facts
from stream_match.fleet.holder import BEATS
from stream_match.service import World, always, listen

BLOCK_S = 0.5
HELD_AGAIN_WITHIN_S = 15.0
PATIENCE_S = 180.0
"""Longest wait for what is broken."""

CALM_S = 8.0
"""Between two events that are measured."""


class LightSource:
    """Silence as it is heard; writes down when it is opened and closed."""

    live = True

    def __init__(self, name: str, out: TextIO) -> None:
        self.name = name
        self.uri = f"light:{name}"
        self._out = out

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Yield silence in real time."""
        self._note("begin")
        try:
            while True:
                yield Block(np.zeros(round(BLOCK_S * SAMPLE_RATE_HZ), np.float32))
                await asyncio.sleep(BLOCK_S)
        finally:
            self._note("end")

    def _note(self, what: str) -> None:
        self._out.write(f"{what} {self.name} {time.monotonic():.3f}\n")
        self._out.flush()


class NoEngine:
    """Hears nothing."""

    def feed(
        self, y: npt.NDArray[np.float32], *, gap_s: float = 0.0, discontinuity: bool = False
    ) -> list[Facts]:
        """Take audio."""
        del y, gap_s, discontinuity
        return []

    def flush(self) -> list[Facts]:
        """End the stream."""
        return []

    def take_up(self, catalogue: Any, /) -> list[Facts]:
        """Go on with another catalogue."""
        del catalogue
        return []


async def work(node: str, servers: str, n_sources: int, lease_s: float, out: TextIO) -> None:
    """Be a worker until SIGTERM comes."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def light(wanted: SourceSettings) -> LightSource:
        return LightSource(str(wanted.name), out)

    settings = ListenSettings(
        node=node,
        sources=tuple(SourceSettings(uri="light:", name=f"s{number}") for number in range(n_sources)),
        sinks=(f"jsonl:{os.devnull}",),
        share=ShareSettings(servers=tuple(servers.split(",")), lease_seconds=lease_s),
    )
    await listen(settings, always(NoEngine), stop=stop, world=World(open_source=light))


@dataclass
class Process:
    """A worker: what it noted, and when it was killed."""

    process: "subprocess.Popen[bytes]"
    out: Path
    killed_at: float | None = None
    spans: list[tuple[str, float, float | None]] = field(default_factory=list)

    def read(self) -> None:
        """Take note of what it has opened and closed."""
        opened: dict[str, float] = {}
        self.spans = []
        for line in self.out.read_text(encoding="utf-8").splitlines():
            what, name, at = line.split()
            if what == "begin":
                opened[name] = float(at)
            else:
                self.spans.append((name, opened.pop(name), float(at)))
        self.spans += [(name, at, self.killed_at) for name, at in opened.items()]

    @property
    def held(self) -> set[str]:
        """What it listens to now."""
        return {name for name, _, end in self.spans if end is None}


class Scene:
    """All processes of one run."""

    def __init__(self, folder: Path, stack: ExitStack, options: argparse.Namespace) -> None:
        self.workers: list[Process] = []
        self._folder = folder
        self._stack = stack
        self._options = options
        self.servers = list(three_servers(folder, stack))
        self._uris = ",".join(f"nats://127.0.0.1:{port}" for port, _ in self.servers)

    def start(self, node: str) -> Process:
        """Begin a worker."""
        out = self._folder / f"{node}-{len(self.workers)}"
        out.touch()
        command = [sys.executable, __file__, "--worker", node, "--servers", self._uris, "--out", str(out)]
        command += ["--sources", str(self._options.sources), "--lease", str(self._options.lease)]
        with (self._folder / f"{node}.log").open("ab") as log:
            process = self._stack.enter_context(running(command, log))
        self.workers.append(Process(process, out))
        return self.workers[-1]

    def held(self) -> Counter[str]:
        """Count by whom each source is held now."""
        for worker in self.workers:
            worker.read()
        return Counter(name for worker in self.workers for name in worker.held)

    def until(self, wanted: Callable[[], bool], since: float) -> float:
        """Wait; return how long it took, since then."""
        while not wanted():
            if time.monotonic() - since > PATIENCE_S:
                sys.exit(
                    "\n".join(["waited in vain", *(log.read_text() for log in self._folder.glob("w*.log"))])
                )
            time.sleep(0.02)
        return time.monotonic() - since

    def all_held(self) -> bool:
        """Whether every source is held."""
        return bool(len(self.held()) == self._options.sources)

    def is_even(self) -> bool:
        """Whether all living workers have the same number of sources, but for one."""
        self.held()
        counts = [len(worker.held) for worker in self.workers if worker.process.poll() is None]
        return self.all_held() and max(counts) - min(counts) <= 1

    def gaps(self, since: float) -> dict[str, float]:
        """Return for how long each source that was let go since then was held by nobody."""
        return {
            name: max(moved)
            for name, spans in self._by_source().items()
            if (moved := [begin - end for (_, end), (begin, _) in pairwise(spans) if end >= since])
        }

    def longest_double_s(self) -> float:
        """Return for how long a source was held twice, at most."""
        longest = 0.0
        for spans in self._by_source().values():
            for number, (begin, _) in enumerate(spans):
                before = max((end for _, end in spans[:number]), default=begin)
                longest = max(longest, before - begin)
        return longest

    def _by_source(self) -> dict[str, list[tuple[float, float]]]:
        self.held()
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for worker in self.workers:
            for name, begin, end in worker.spans:
                found[name].append((begin, time.monotonic() if end is None else end))
        return {name: sorted(spans) for name, spans in found.items()}


def evaluate(scene: Scene, n_workers: int) -> float:
    """Print what each event costs; return how long sources were without a worker after one was killed."""
    began = time.monotonic()
    nodes = [f"w{number}" for number in range(n_workers)]
    for node in nodes:
        scene.start(node)
    say("all held, from the start of the processes", scene.until(scene.all_held, began))
    say("and spread evenly", scene.until(scene.is_even, began))
    time.sleep(CALM_S)

    victim, at = scene.workers[0], time.monotonic()
    scene.held()
    print(f"sources of the worker that is killed: {len(victim.held)}")
    victim.process.kill()
    victim.killed_at = at
    again_s = scene.until(scene.all_held, at)
    say("all held again after SIGKILL of a worker", again_s)
    time.sleep(CALM_S)

    at = time.monotonic()
    scene.servers[0][1].kill()
    time.sleep(2 * CALM_S)
    scene.until(scene.all_held, at)
    print(f"sources that moved when a server was killed: {len(scene.gaps(at))}")

    at = time.monotonic()
    scene.start(nodes[0])
    say(
        "spread evenly after a worker has joined, from the start of its process",
        scene.until(scene.is_even, at),
    )
    tell_gaps(scene, at)
    time.sleep(CALM_S)

    at = time.monotonic()
    scene.workers[1].process.terminate()
    say("all held again after SIGTERM of a worker", scene.until(lambda: _left(scene), at))
    tell_gaps(scene, at)
    return again_s


def _left(scene: Scene) -> bool:
    return scene.all_held() and not scene.workers[1].held


def say(what: str, seconds: float) -> None:
    """Print a figure."""
    print(f"{what}: {seconds:.1f} s", flush=True)


def tell_gaps(scene: Scene, since: float) -> None:
    """Print for how long the sources that moved were held by nobody."""
    gaps = sorted(scene.gaps(since).values())
    if gaps:
        print(
            f"  moved: {len(gaps)}; held by nobody: median {np.median(gaps):.2f} s, at most {gaps[-1]:.2f} s"
        )


def three_servers(folder: Path, stack: ExitStack) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Begin three NATS servers; yield their ports and processes."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        sys.exit("nats-server is not installed: apt install nats-server")
    routes = [free_port() for _ in range(3)]
    peers = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    for number, route in enumerate(routes):
        port, config = free_port(), folder / f"n{number}.conf"
        config.write_text(
            f"server_name: n{number}\nlisten: 127.0.0.1:{port}\n"
            f'jetstream {{ store_dir: "{folder}/n{number}" }}\n'
            f"cluster {{ name: three, listen: 127.0.0.1:{route}, routes: [{peers}] }}\n",
            encoding="utf-8",
        )
        with (folder / f"n{number}.log").open("wb") as log:
            yield port, stack.enter_context(running([program, "-c", str(config)], log))


@contextmanager
def running(command: list[str], log: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until this is left."""
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Run the workers and their servers, or be one worker; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=int, default=60, metavar="N")
    parser.add_argument("--workers", type=int, default=3, metavar="N")
    parser.add_argument("--lease", type=float, default=12.0, metavar="SECONDS")
    for hidden in ("--worker", "--servers", "--out"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        with Path(options.out).open("a", encoding="utf-8") as out:
            asyncio.run(work(options.worker, options.servers, options.sources, options.lease, out))
        return 0
    with TemporaryDirectory() as folder, ExitStack() as stack:
        scene = Scene(Path(folder), stack, options)
        again_s = evaluate(scene, options.workers)
        double_s = scene.longest_double_s()
        print(f"longest time that a source was held twice: {double_s:.3f} s")
    return int(again_s > HELD_AGAIN_WITHIN_S or double_s > options.lease / BEATS)


if __name__ == "__main__":
    sys.exit(main())
