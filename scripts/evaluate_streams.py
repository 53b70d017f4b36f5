"""Measure how many streams one listener bears: recordings at real pace, all at once.

Run it as .venv/bin/python scripts/evaluate_streams.py INDEX RECORDING…, with a stream for each recording.
They should last longer than --seconds. Nothing else should run. It prints the share of a core, the memory,
how much later than at best the events come, and what was dropped. --live sends the recordings (MP3) from
radio stations, which wait for nobody; --hanging adds a station that accepts and never answers.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
from soaking.cast import free_port

PRODUCT = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "stream-match"

SETTLED_S = 25.0
"""Until then, engines are made and everything is heard for the first time: not counted."""

RADIO = Path(__file__).with_name("soaking") / "radio.py"

LOOK_S = 0.05
"""How often the file of events is read; delays are known as well as that."""

TOLD_AT_ONCE = ("match", "onset_cluster")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        listener = _listen(args, _addresses(args, Path(folder), stack), Path(folder))
        try:
            marks, events = _watch(listener, Path(folder) / "events.jsonl", args.seconds)
        finally:
            listener.send_signal(signal.SIGINT)
            listener.wait()
    if len(marks) < 2 or not events:
        print("evaluate_streams: it ended too soon, or nothing was heard", file=sys.stderr)
        return 1
    _report(len(args.recordings), marks, events)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--live", action="store_true", help="from radio stations")
    parser.add_argument("--hanging", action="store_true", help="and one that never answers")
    parser.add_argument("--seconds", type=float, default=75.0, help="how long (default %(default)s)")
    return parser.parse_args(argv)


def _addresses(args: argparse.Namespace, folder: Path, stack: ExitStack) -> list[str]:
    """Return what is listened to; stations play until `stack` is left."""
    found = [str(path.resolve()) for path in args.recordings]
    if args.live:
        (titles := folder / "titles.txt").touch()
        found = [_station(path, titles, stack) for path in found]
    if args.hanging:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        found.append(f"http://127.0.0.1:{deaf.getsockname()[1]}/")
    return found


def _station(recording: str, titles: Path, stack: ExitStack) -> str:
    port = free_port()
    seconds = soundfile.info(recording).duration
    station = subprocess.Popen([sys.executable, RADIO, *map(str, (port, recording, titles, seconds, 1.0))])
    stack.callback(station.wait)
    stack.callback(station.kill)
    return f"http://127.0.0.1:{port}/"


def _listen(args: argparse.Namespace, sources: Sequence[str], folder: Path) -> "subprocess.Popen[bytes]":
    """Start a listener with a source for each recording, and an empty file for its events."""
    (folder / "events.jsonl").touch()
    lines = [
        f"index = {json.dumps(str(args.index.resolve()))}",
        f"sinks = [{json.dumps(f'jsonl:{folder}/events.jsonl')}]",
    ]
    for number, uri in enumerate(sources):
        lines += ["[[sources]]", f"uri = {json.dumps(uri)}", f'name = "s{number}"']
    (folder / "settings.toml").write_text("\n".join(lines), encoding="utf-8")
    return subprocess.Popen([PRODUCT, "listen", "--config", folder / "settings.toml"])


def _watch(
    listener: "subprocess.Popen[bytes]", path: Path, seconds: float
) -> tuple[list[tuple[float, float, float]], list[tuple[float, str, float]]]:
    """Return times, CPU seconds and megabytes; and when each event came, of which source and moment."""
    begun = time.monotonic()
    marks: list[tuple[float, float, float]] = []
    events: list[tuple[float, str, float]] = []
    with path.open(encoding="utf-8") as file:
        while (now := time.monotonic() - begun) < seconds and listener.poll() is None:
            events += [(now, told["source"], told["stream_s"]) for told in _new(file)]
            if now >= SETTLED_S:
                marks.append((now, *_taken(listener.pid)))
            time.sleep(LOOK_S)
    return marks, events


def _new(file: IO[str]) -> list[dict[str, Any]]:
    """Return the events that were written whole since the last look."""
    events: list[dict[str, Any]] = []
    while True:
        place = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(place)
            return [told for told in events if told["type"] in TOLD_AT_ONCE]
        events.append(json.loads(line))


def _taken(process: int) -> tuple[float, float]:
    """Return CPU seconds that a process has taken, and the megabytes that are its own."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    anonymous = next(line for line in rollup.splitlines() if line.startswith("Anonymous:"))
    return (int(fields[11]) + int(fields[12])) / 100, int(anonymous.split()[1]) / 1e3


def _report(
    n_streams: int, marks: list[tuple[float, float, float]], events: list[tuple[float, str, float]]
) -> None:
    (begun, taken, _), (ended, in_all, megabytes) = marks[0], marks[-1]
    share = 100 * (in_all - taken) / (ended - begun)
    print(f"{n_streams} streams: {share:.0f} % of a core, {share / n_streams:.2f} % each; {megabytes:.0f} MB")
    at_best: dict[str, float] = {}
    for came, source, heard_s in events:
        at_best[source] = min(at_best.get(source, np.inf), came - heard_s)
    late = [came - heard_s - at_best[source] for came, source, heard_s in events if came >= SETTLED_S]
    if late:
        median, most = np.quantile(late, [0.5, 0.95])
        print(f"events later than at best: {median:.2f} s, {most:.2f} s at 95 %, {max(late):.2f} s at most")


if __name__ == "__main__":
    sys.exit(main())
