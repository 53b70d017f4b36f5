"""Compare an index on a Milvus server with its folder: the same facts, and what each answer costs.

Run it as .venv/bin/python scripts/evaluate_milvus.py INDEX milvus://HOST:PORT/NAME RECORDING. The folder
must be what was pushed. Here all codes are compared (FAISS, flat), whatever lists the folder has. If the
server has lists, facts may differ, and tracks may not. With --streams N it measures instead how long
decisions take while N stretches of the recording are heard at once.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.catalog import load_index
from stream_match.engine import Engine
from stream_match.errors import StreamMatchError
from stream_match.events import Facts
from stream_match.features.chroma import N_CHROMA, unit_rows
from stream_match.features.coarse_chroma import decoded
from stream_match.index.catalogue import Catalogue
from stream_match.index.faiss_index import build_faiss
from stream_match.index.harmony import Harmony
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.opening import Opened, cache_folder
from stream_match.milvus.outage import Patient, Request
from stream_match.milvus.tables import required
from stream_match.threads import one_thread

T = TypeVar("T")

STRETCHES, STRETCH_STEPS = 60, 108
"""Stretches of tracks, 40 s each."""

DECISION_SAMPLES = 8192
"""Audio in which one decision falls."""

Samples = npt.NDArray[np.float32]


class Timed(Patient):
    """Asks a server, and takes note of how long it takes to answer."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.seconds: list[float] = []

    def ask(self, request: Request[T]) -> T:
        """Return the answer to a request."""
        began = time.perf_counter()
        answer = super().ask(request)
        self.seconds.append(time.perf_counter() - began)
        return answer


def main(argv: Sequence[str] | None = None) -> int:
    """Hear the recording twice and compare; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, metavar="INDEX")
    parser.add_argument("address", metavar="URI")
    parser.add_argument("recording", metavar="RECORDING")
    parser.add_argument("--seconds", type=float, default=600.0, help="of it that are heard (%(default)s)")
    parser.add_argument("--streams", type=int, metavar="N", help="hear N stretches at once")
    args = parser.parse_args(argv)
    try:
        return _compare(args) if args.streams is None else _load(args)
    except StreamMatchError as error:
        print(f"evaluate_milvus: {error}", file=sys.stderr)
        return 1


def _compare(args: argparse.Namespace) -> int:
    with _opened(args.address) as (opened, server), one_thread():
        here, cost_here_s = _heard(_exhaustive(load_index(args.index)), args)
        there, cost_there_s = _heard(opened.catalogue, args)
        print(_lines_of_versions(load_index(args.index).harmony, opened.catalogue.harmony))
        exact = opened.manifest.codes.exhaustive
    differing = sum(one != other for one, other in zip_longest(here, there))
    print(f"facts: {len(here)} here, {len(there)} there, {differing} differ")
    tracks_here, tracks_there = (_started(lines) for lines in (here, there))
    order = "the same ones in the same order" if tracks_here == tracks_there else "not the same ones"
    print(f"tracks: {len(tracks_here)} here, {len(tracks_there)} there, {order}")
    print(_times("requests", server.seconds))
    print(f"seconds for {args.seconds:.0f} s of audio: {cost_here_s:.1f} here, {cost_there_s:.1f} there")
    return 1 if tracks_here != tracks_there or (exact and differing) else 0


def _started(lines: Sequence[str]) -> list[str]:
    """Return the ids of the tracks that began."""
    facts = [json.loads(line) for line in lines]
    return [fact["track"]["id"] for fact in facts if fact.get("phase") == "started"]


@contextmanager
def _opened(uri: str) -> Iterator[tuple[Opened, Timed]]:
    address = MilvusAddress.parse(uri)
    with Connection.open(address) as connection:
        server = Timed(connection)
        opened = Opened(connection, server, required(connection, address.name), cache_folder(connection), {})
        server.seconds.clear()
        yield opened, server


def _load(args: argparse.Namespace) -> int:
    """Hear many streams at real pace, first with the folder, then with the server; tell the times."""
    stretches = _stretches(args)
    with _opened(args.address) as (opened, server), one_thread():
        here, cores_here = _decided(load_index(args.index), stretches)
        there, cores_there = _decided(opened.catalogue, stretches)
    print(f"{_times('decisions with the folder', here)}; {cores_here:.2f} cores")
    print(f"{_times('decisions with the server', there)}; {cores_there:.2f} cores here")
    print(_times("requests", server.seconds))
    ratio = np.median(there) / np.median(here)
    print(f"a decision with the server takes {ratio:.1f} times as long, in the median")
    return 0


def _stretches(args: argparse.Namespace) -> list[Samples]:
    """Return as many stretches of the recording as there are streams, one after the other."""
    length, blocks, heard = round(args.seconds * SAMPLE_RATE_HZ), list[Samples](), 0
    for y in read_blocks(args.recording):
        if heard >= args.streams * length:
            break
        blocks.append(y)
        heard += len(y)
    y = np.concatenate(blocks)
    return [y[first : first + length] for first in range(0, args.streams * length, length)]


def _decided(catalogue: Catalogue, stretches: Sequence[Samples]) -> tuple[list[float], float]:
    """Hear streams at real pace and at once.

    Returns
    -------
    took : list of float [seconds]
        By each decision.
    cores : float
        That this process kept busy.
    """
    begin, busy_s = time.monotonic() + 1, time.process_time()
    with ThreadPoolExecutor(len(stretches)) as pool:
        streams = [
            pool.submit(_heard_at_pace, Engine(catalogue), y, begin + number / len(stretches))
            for number, y in enumerate(stretches)
        ]
        took = [seconds for stream in streams for seconds in stream.result()]
    return took, (time.process_time() - busy_s) / (time.monotonic() - begin)


def _heard_at_pace(engine: Engine, y: Samples, begin: float) -> list[float]:
    took: list[float] = []
    for first in range(0, len(y), DECISION_SAMPLES):
        due = begin + (first + DECISION_SAMPLES) / SAMPLE_RATE_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        since = time.perf_counter()
        engine.feed(y[first : first + DECISION_SAMPLES])
        took.append(time.perf_counter() - since)
    return took


def _times(what: str, seconds: Sequence[float]) -> str:
    half, most = np.percentile(1000 * np.array(seconds), [50, 95])
    return f"{what}: {len(seconds)}, half within {half:.0f} ms, 95 % within {most:.0f} ms"


def _lines_of_versions(here: Harmony | None, there: Harmony | None) -> str:
    """Say for how many stretches of tracks, in other keys and in noise, both propose the same versions."""
    if here is None or there is None:
        return "versions: they are not looked for"
    chance, same = np.random.default_rng(0), 0
    long_enough = np.flatnonzero(here.lengths[: here.n_named] > STRETCH_STEPS)
    for track in chance.choice(long_enough, STRETCHES).tolist():
        end = int(chance.integers(STRETCH_STEPS, here.lengths[track]))
        heard = decoded(here.track_chroma(track)[end - STRETCH_STEPS : end])[::-1]
        turned = np.roll(heard, chance.integers(N_CHROMA), axis=1) + 0.6 * chance.random(heard.shape)
        query = unit_rows(turned.astype(np.float32))
        ours, theirs = (vars(harmony.propose(query)) for harmony in (here, there))
        same += all(np.array_equal(ours[name], theirs[name]) for name in ours)
    return f"versions: for {same} of {STRETCHES} stretches, all proposed lines are the same"


def _exhaustive(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue that compares all codes."""
    segments = (
        replace(one, neighbours=build_faiss(one.codes, flat_up_to=len(one))) for one in catalogue.segments
    )
    return replace(catalogue, segments=tuple(segments))


def _heard(catalogue: Catalogue, args: argparse.Namespace) -> tuple[list[str], float]:
    """Return what an engine says of the recording, and how long it took."""
    engine = Engine(catalogue)
    began = time.perf_counter()
    facts = [fact.model_dump_json() for fact in _facts(engine, args)]
    return facts, time.perf_counter() - began


def _facts(engine: Engine, args: argparse.Namespace) -> Iterator[Facts]:
    for y in read_blocks(args.recording):
        if engine.stream_s >= args.seconds:
            break
        yield from engine.feed(y)
    yield from engine.flush()


if __name__ == "__main__":
    raise SystemExit(main())
