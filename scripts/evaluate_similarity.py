#!/usr/bin/env python
"""Measure `cross_similarity` against librosa's: speed, agreement on recordings, the worked example.

Run it as .venv/bin/python scripts/evaluate_similarity.py PART...

  speed      20,000 against 20,000 frames of 120 numbers, sparse connectivity; --frames for another size
  agreement  --recordings DIR   the recordings in it, each against the next one, in all modes
  example    --example FILE     librosa's "pistachio": the recording against itself from 10 s on

Every figure of librosa is of the same run. The ratio of a row is of the fastest of the rounds of both, which
take turns. Threads are those of the environment: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 for one core.
"""

import argparse
import hashlib
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from stream_match import cross_similarity
from stream_match.capture.file import read_blocks

Frames = npt.NDArray[np.float32]

HOP_SAMPLES = 1024
SAMPLE_RATE_HZ = 22_050
WIDTH = 120
SHARED = 0.3  # of the frames of "music", how far one differs from the one before
CASES: dict[str, dict[str, Any]] = {
    "euclidean": {},
    "euclidean, k = 5": {"k": 5},
    "cosine": {"metric": "cosine"},
    "distance": {"mode": "distance"},
    "affinity": {"mode": "affinity"},
    "cosine affinity": {"metric": "cosine", "mode": "affinity"},
    "cosine, librosa in float64": {"metric": "cosine"},
    "cosine affinity, librosa in float64": {"metric": "cosine", "mode": "affinity"},
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the parts asked for; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="+", choices=sorted(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--frames", type=int, default=20_000, help="of the part speed")
    parser.add_argument("--rounds", type=int, default=3, help="of the part speed")
    parser.add_argument("--recordings", type=Path, metavar="DIR")
    parser.add_argument("--example", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    for part, needed in {"agreement": args.recordings, "example": args.example}.items():
        if part in args.parts and needed is None:
            parser.error(f"the part {part} needs --{'recordings' if part == 'agreement' else 'example'}")
    warnings.simplefilter("ignore")  # of short recordings, by librosa
    for part in args.parts:
        print(f"\n## {part}\n")
        PARTS[part](args)
    return 0


# --- speed ---


def speed(args: argparse.Namespace) -> None:
    """Print how long both take, and the ratio."""
    print("| frames | k | librosa | ours | ratio | links that differ |\n|---|---|---|---|---|---|")
    for kind, make in {"noise": _noise, "like music": _like_music}.items():
        x, y = make(args.frames, 1), make(args.frames, 2)
        for k in (10, None):
            _race(kind, x, y, k, args.rounds)


def _race(kind: str, x: Frames, y: Frames, k: int | None, rounds: int) -> None:
    def of(function: Callable[..., Any]) -> Callable[[], Any]:
        return lambda: function(x, y, k=k, sparse=True)

    cross_similarity(x[:, :1000], y[:, :1000], k=k, sparse=True)  # what is imported and compiled once
    ours, theirs = of(cross_similarity), of(librosa.segment.cross_similarity)
    times: dict[str, list[float]] = {"ours": [], "librosa": []}
    for _ in range(rounds):
        a, took_s = _timed(ours)
        times["ours"].append(took_s)
        b, took_s = _timed(theirs)
        times["librosa"].append(took_s)
    ours_s, theirs_s = min(times["ours"]), min(times["librosa"])
    told = f"{k}" if k is not None else f"{2 * int(np.ceil(np.sqrt(y.shape[1])))} (default)"
    ratio = f"{theirs_s / ours_s:.1f}"
    print(
        f"| {kind} | {told} | {theirs_s:.2f} s | {ours_s:.2f} s | {ratio} | {(a != b).nnz} of {b.nnz} |",
        flush=True,
    )


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def _noise(n: int, seed: int) -> Frames:
    return np.random.default_rng(seed).standard_normal((WIDTH, n)).astype(np.float32)


def _like_music(n: int, seed: int) -> Frames:
    """Return twelve slowly changing numbers, embedded as a chromagram is."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((12, n)).astype(np.float32)
    for j in range(1, n):
        steps[:, j] = (1 - SHARED) * steps[:, j - 1] + SHARED * steps[:, j]
    embedded: Frames = librosa.feature.stack_memory(np.abs(steps), n_steps=10, delay=3)
    return embedded


# --- agreement ---


def agreement(args: argparse.Namespace) -> None:
    """Print how far both differ on recordings."""
    files = sorted(
        path for path in args.recordings.iterdir() if path.suffix in {".ogg", ".wav", ".flac", ".mp3"}
    )
    if len(files) < 2:
        raise SystemExit(f"{args.recordings} holds {len(files)} recordings; 2 are needed")
    embedded = [_embedded(np.concatenate(list(read_blocks(path)))) for path in files]
    print(f"{len(files)} recordings, each against the next one.\n")
    print("| | links | links that differ | largest difference of linked values |\n|---|---|---|---|")
    for name, arguments in CASES.items():
        links = differ = 0
        largest = 0.0
        for x, y in itertools.pairwise(embedded):
            ours = cross_similarity(x, y, **arguments)
            if name.endswith("in float64"):
                x, y = x.astype(np.float64), y.astype(np.float64)
            theirs = librosa.segment.cross_similarity(x, y, **arguments)
            links += int(np.count_nonzero(theirs))
            same = (ours != 0) == (theirs != 0)
            differ += int(np.count_nonzero(~same))
            off = np.abs(ours.astype(np.float64) - theirs)[same]
            largest = max(largest, float(off.max()))
        print(f"| {name} | {links} | {differ} | {largest:.1e} |", flush=True)


def _embedded(y: npt.NDArray[np.float32]) -> Frames:
    chroma = librosa.feature.chroma_cqt(y=y, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES)
    embedded: Frames = librosa.feature.stack_memory(chroma, n_steps=10, delay=3)
    return embedded


# --- the worked example ---


def example(args: argparse.Namespace) -> None:
    """Print the numbers of the worked example of librosa's document."""
    y, _ = librosa.load(args.example)
    ref, comp = _embedded(y), _embedded(librosa.load(args.example, offset=10)[0])
    print(f"Frames: {ref.shape[1]} and {comp.shape[1]}, of {ref.shape[0]} numbers.\n")
    print(
        "| | shape | dtype | links | per frame | SHA-256 of the links | sum | median |\n" + "|---" * 8 + "|"
    )
    for name in ("euclidean", "euclidean, k = 5", "cosine", "cosine affinity"):
        found = cross_similarity(comp, ref, **CASES[name])
        linked = np.ascontiguousarray(found != 0)
        theirs = librosa.segment.cross_similarity(comp, ref, **CASES[name])
        same = "as librosa's" if np.array_equal(linked, theirs != 0) else "NOT librosa's"
        per_frame = "/".join(map(str, sorted(set(linked.sum(axis=0).tolist()))))
        digest = hashlib.sha256(linked.tobytes()).hexdigest()[:8]
        values = (
            ("", "")
            if found.dtype == bool
            else (f"{found.sum(dtype=float):.2f}", f"{np.median(found[linked]):.6f}")
        )
        print(_row(name, found.shape, found.dtype, linked.sum(), per_frame, f"{digest}, {same}", *values))


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speed": speed,
    "agreement": agreement,
    "example": example,
}


if __name__ == "__main__":
    sys.exit(main())
