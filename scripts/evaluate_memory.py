"""Measure whether a listener grows: one long file read as fast as it can be, its memory by the hour of audio.

Run it as .venv/bin/python scripts/evaluate_memory.py INDEX RECORDING [--state]. Page and clips are off; with
--state events are stored. After every ten minutes of audio it prints memory, threads and open files, and how
much more memory that is than after the first hour. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK_S = 600.0
HOUR_S = 3600.0
LOOK_S = 1.0


@dataclass(frozen=True)
class Mark:
    """What a process holds after so many seconds of audio; memory in MiB, of which `own_mb` is no file's."""

    heard_s: float
    all_mb: float
    own_mb: float
    threads: int
    files: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status of the listener.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--state", action="store_true", help="store the events")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        events.touch()
        command = [sys.executable, "-m", "stream_match", "listen", "--index", args.index, "--pace", "fast"]
        command += ["--source", f"long={args.recording.resolve()}", "--sink", f"jsonl:{events}"]
        command += ["--state", Path(folder) / "state"] if args.state else []
        listener = subprocess.Popen([str(word) for word in command])
        first: Mark | None = None
        for mark in _marks(listener, events):
            print(
                f"{mark.heard_s / HOUR_S:.2f} h: {mark.all_mb:.1f} MiB, {mark.own_mb:.1f} of them its own; "
                f"threads {mark.threads}, files {mark.files}",
                flush=True,
            )
            first = mark if first is None and mark.heard_s >= HOUR_S else first
            if first is not None:
                print(f"  since the first hour {100 * (mark.all_mb / first.all_mb - 1):+.1f} %", flush=True)
        return listener.wait()


def _marks(listener: "subprocess.Popen[bytes]", events: Path) -> Iterator[Mark]:
    """Look at a listener whenever it has heard ten minutes more, until it ends."""
    heard_s, next_s = 0.0, MARK_S
    with events.open(encoding="utf-8") as file:
        rest = ""
        while listener.poll() is None:
            *lines, rest = (rest + file.read()).split("\n")
            heard_s = max([heard_s, *(json.loads(line)["stream_s"] for line in lines)])
            if heard_s >= next_s and (mark := _mark(listener.pid, heard_s)) is not None:
                next_s = heard_s - heard_s % MARK_S + MARK_S
                yield mark
            time.sleep(LOOK_S)


def _mark(process: int, heard_s: float) -> Mark | None:
    """Return what a process holds; None if it has just ended."""
    place = Path("/proc") / str(process)
    try:
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        kib = {name: int(status[name].split()[0]) for name in ("VmRSS", "RssAnon")}
        files = len(os.listdir(place / "fd"))  # noqa: PTH208 - of a process that may end
    except (OSError, KeyError):
        return None
    return Mark(heard_s, kib["VmRSS"] / 1024, kib["RssAnon"] / 1024, int(status["Threads"]), files)


if __name__ == "__main__":
    sys.exit(main())
