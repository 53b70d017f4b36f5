"""Kill the Milvus server of a listener for a minute, and tell what the listener made of it.

Run it as .venv/bin/python scripts/evaluate_outage.py INDEX RECORDING. The folder is pushed to a server of its
own, as tests start it. A whole listener hears the recording at real pace. What it tells is compared with what
it tells of the same recording with the folder, where nothing goes away.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.opening import Opened
from stream_match.milvus.outage import ANSWER_S, Patient
from stream_match.milvus.probe import Probe
from stream_match.milvus.push import push_index
from stream_match.milvus.tables import required

TESTS = Path(__file__).resolve().parents[1] / "tests" / "milvus"
NAME, LOOK_S = "outage", 0.1

Process = subprocess.Popen[bytes]
Times = dict[str, float]
"""When what happened, in seconds of the stream."""


@dataclass
class Told:
    """A match: when it was told, and when it began and ended, in seconds of the stream."""

    track: str
    told_s: float
    began_s: float
    ended_s: float = float("inf")

    def same(self, other: "Told") -> bool:
        """Return whether both are of the same track, at the same time."""
        return self.track == other.track and self.began_s < other.ended_s and other.began_s < self.ended_s


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _arguments(argv)
    sys.path.insert(0, str(TESTS))
    servers = importlib.import_module("milvus_server")
    settings = {} if args.ttl is None else {"common.session.ttl": args.ttl}
    with tempfile.TemporaryDirectory() as work:
        through, without = Path(work, "through.jsonl"), Path(work, "without.jsonl")
        server = servers.MilvusProcess(servers.server_environment(), Path(work, "data"), **settings)
        server.start()
        try:
            server.wait()
            at = MilvusAddress("127.0.0.1", NAME, server.port)
            push_index(args.index, at)
            with Connection.open(at) as connection:
                found = required(connection, at.name)
                probe = Opened(connection, Patient(connection), found, Path(work, "cache"), {}).probe
            listener = _listen(args.recording, at.uri, through, "real")
            times = _outage(listener, through, server, probe, args)
            print(f"exit status of the listener: {listener.wait()}")
        finally:
            server.kill()
        _listen(args.recording, str(args.index), without, "fast").wait()
        _when_told(_events(through), times)
        _report(times, _matches(_events(without)), _matches(_events(through)))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="an index folder")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--kill-at", type=float, default=100.0, help="second of it (default %(default)s)")
    parser.add_argument("--away", type=float, default=60.0, help="till it is started (default %(default)s)")
    parser.add_argument("--ttl", type=int, help="common.session.ttl of the server; its own by default")
    return parser.parse_args(argv)


def _listen(heard: Path, index: str, events: Path, pace: str) -> Process:
    events.touch()
    command = [sys.executable, "-m", "stream_match", "listen", "--source", f"hall={heard}", "--index", index]
    return subprocess.Popen([*command, "--no-onsets", "--sink", f"jsonl:{events}", "--pace", pace])


def _outage(listener: Process, through: Path, server: Any, probe: Probe, args: argparse.Namespace) -> Times:
    """Kill the server of a listener and start it again; wait until it answers."""
    while '"state":"running"' not in through.read_text(encoding="utf-8") and listener.poll() is None:
        time.sleep(LOOK_S)
    began = time.monotonic()
    time.sleep(args.kill_at)
    times = {"killed": time.monotonic() - began}
    server.kill()
    time.sleep(args.away)
    times["started"] = time.monotonic() - began
    server.start()
    while "searched" not in times and listener.poll() is None:
        try:
            with Connection.open(
                MilvusAddress("127.0.0.1", NAME, server.port), timeout_s=ANSWER_S
            ) as connection:
                times.setdefault("answers", time.monotonic() - began)
                probe(connection, ANSWER_S)
                times["searched"] = time.monotonic() - began
        except MilvusError:
            time.sleep(LOOK_S)
    return times


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _matches(events: list[dict[str, Any]]) -> list[Told]:
    found: dict[str, Told] = {}
    for event in events:
        if event.get("event_type") == "match_started":
            found[event["match_id"]] = Told(event["track"]["id"], event["stream_s"], event["started_s"])
        elif event.get("event_type") == "match_ended":
            found[event["match_id"]].ended_s = event["ended_s"]
    return list(found.values())


def _when_told(events: list[dict[str, Any]], times: Times) -> None:
    """Take note of when a listener said that the server is away, that it is back, and what is playing."""
    for event in events:
        if event["type"] == "status" and event.get("degraded"):
            times.setdefault("degraded", event["stream_s"])
        elif event["type"] == "status" and "degraded" in times:
            times.setdefault("back", event["stream_s"])
        elif event.get("event_type") == "match_started" and event["stream_s"] > times["started"]:
            times.setdefault("recognised", event["stream_s"])


def _report(times: Times, without: list[Told], through: list[Told]) -> None:
    print(
        "seconds of the stream:",
        ", ".join(f"{what} {times[what]:.1f}" for what in sorted(times, key=times.__getitem__)),
    )
    print(f"matches without an outage: {len(without)}, through it: {len(through)}")
    print("false:", [one for one in through if not any(one.same(other) for other in without)])
    for one in without:
        if not any(one.same(other) for other in through):
            back_s = times["searched"] + one.told_s - one.began_s
            there = one.told_s < times["killed"] or one.ended_s > back_s
            print("lost:" if there else "not to be had:", one)


if __name__ == "__main__":
    sys.exit(main())
