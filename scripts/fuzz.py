"""Read damaged and hostile inputs by the hundred thousand: payloads, headers, playlists, tags, files.

Run it as .venv/bin/python scripts/fuzz.py [--only TARGET...] [--inputs N] [--audio FILE...]. Inputs depend
on the seed and their number alone. --only TARGET --first N --inputs 1 --exact repeats one, --keep DIR writes
those with faults down.

Each target is read in a process of its own, so that a crash in a library ends only that process. A fault is
an exception that is not documented, a crash, 5 s of work on one input, no answer for a minute, 300 MiB of
memory more than at the beginning, or something opened that is not allowed (see `fuzzing/cage.py`). Without
strace what libraries open is not seen. --controls reads with readers that have all these faults: each must
be told.
"""

import argparse
import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fuzzing.cage import BEGIN, Audit, opened_in, peak_mb, traced

LONGEST_CPU_S = 5.0
"""Work [seconds of CPU] on one input; the time of day would blame us for a busy computer."""

START_S = 120.0
"""Longest time until a process has read its first input."""

MORE_MB = 300.0
SHOWN = 10  # faults of a target


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = arguments(argv)
    if args.work:
        work(args)
        return 0
    if shutil.which("strace") is None:
        print("fuzz: strace is not installed: what libraries open is not seen", file=sys.stderr)
    faults = 0
    for name, target in chosen(args).items():
        if name in args.only or not args.only:
            count = args.inputs if args.exact else max(1, round(args.inputs * target.share))
            found = fuzz(name, count, args, native=target.native)
            faults += len(found)
            for number in {fault["input"] for fault in found if args.keep and fault["input"] is not None}:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{name}-{number}").write_bytes(target.make(args.seed, name, number))
    return 1 if faults else 0


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Understand the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs of a target; of files a tenth")
    parser.add_argument("--exact", action="store_true", help="as many of every target")
    parser.add_argument("--only", nargs="+", default=[], metavar="TARGET")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first input")
    parser.add_argument(
        "--audio", type=Path, nargs="+", default=[], metavar="FILE", help="take clips of these"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write inputs with faults into this folder")
    parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="give an input up after (60 s)")
    parser.add_argument("--controls", action="store_true", help="see whether faults are told")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Return the targets by name."""
    from fuzzing.controls import CONTROLS
    from fuzzing.targets import targets

    return CONTROLS if args.controls else targets(args.audio)


def fuzz(name: str, count: int, args: argparse.Namespace, *, native: bool) -> list[dict[str, Any]]:
    """Fuzz one target; print and return its faults."""
    begun = time.monotonic()
    faults: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    first, last = args.first, args.first + count
    while first < last:
        with TemporaryDirectory(prefix="fuzz-") as folder:
            for message in worker(name, first, last - first, args, Path(folder), native=native):
                faults += [message] if "fault" in message else []
                figures |= {key: value for key, value in message.items() if key in ("peak_mb", "slowest_s")}
                first = message["next"]
            faults += [
                {"input": None, "fault": call} for call in opened_in(Path(folder) / "log", Path(folder))
            ]
    taken_s = time.monotonic() - begun
    print(f"{name}: {count} inputs, {len(faults)} faults, {taken_s:.0f} s {json.dumps(figures)}", flush=True)
    for fault in faults[:SHOWN]:
        print(f"  {name} {fault['input']}: {fault['fault']}", flush=True)
    return faults


def worker(
    name: str, first: int, count: int, args: argparse.Namespace, folder: Path, *, native: bool
) -> Iterator[dict[str, Any]]:
    """Read inputs in another process; yield what it reports, and how it ended."""
    options = ["--only", name, "--first", first, "--inputs", count, "--seed", args.seed, "--folder", folder]
    options += ["--controls"] if args.controls else []
    options += ["--audio", *args.audio] if args.audio else []
    command = [sys.executable, __file__, "--work", *map(str, options)]
    process = subprocess.Popen(
        traced(command, folder / "log") if native else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if native else None,  # libraries complain of every damage
        process_group=0,
    )
    assert process.stdout is not None
    last = first
    with process, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        rest = b""
        while selector.select(args.wait if last > first else START_S):
            # What is there, and not a line of it: of lines in a buffer of ours the selector would not tell.
            if not (read := os.read(process.stdout.fileno(), 1 << 16)):
                break
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                message = json.loads(line)
                last = message["next"]
                yield message
        else:
            os.killpg(process.pid, signal.SIGKILL)  # strace alone would leave its child behind
            yield {"input": last, "fault": f"no answer for {args.wait:g} s", "next": last + 1}
            return
    if process.returncode:
        yield {"input": last, "fault": f"the process ended with {process.returncode}", "next": last + 1}


def work(args: argparse.Namespace) -> None:
    """Read inputs of one target, and report each on standard output."""
    logging.disable(logging.CRITICAL)
    os.nice(15)
    name = args.only[0]
    target = chosen(args)[name]
    read = target.prepare()
    for seed in target.seeds:  # whatever is loaded late is loaded now
        judged(read, seed, args.folder, 0)
    audit = Audit(args.folder)
    before_mb, slowest_s = peak_mb(), 0.0

    open_in_vain(BEGIN)
    for number in range(args.first, args.first + args.inputs):
        say(next=number)
        data = target.make(args.seed, name, number)
        audit.opened.clear()
        begun, audit.on = time.process_time(), True
        fault = judged(read, data, args.folder, number)
        audit.on = False
        slowest_s = max(slowest_s, taken_s := time.process_time() - begun)
        if audit.opened:
            fault = f"opened {audit.opened[0]}"
        elif taken_s > LONGEST_CPU_S:
            fault = f"took {taken_s:.1f} s"
        elif peak_mb() > before_mb + MORE_MB:
            fault, before_mb = f"took {peak_mb() - before_mb:.0f} MiB", peak_mb()
        if fault:
            say(input=number, fault=fault, next=number + 1)
    say(next=args.first + args.inputs, peak_mb=round(peak_mb()), slowest_s=round(slowest_s, 2))


def judged(read: Any, data: bytes, folder: Path, number: int) -> str:
    """Return what is wrong with how an input is read."""
    try:
        read(data, folder, number)
    except Exception as error:  # noqa: BLE001 - whatever comes is what is looked for
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = (
            "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
        )
        return f"{type(error).__name__}: {error}{where}"[:300]
    return ""


def open_in_vain(path: str) -> None:
    """Leave a mark in the log of system calls."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        return


def say(**what: Any) -> None:
    """Report to the parent."""
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
