#!/usr/bin/env python
"""Measure the descriptors of tracks: against librosa and the published GTZAN table, and their speed.

Run it as .venv/bin/python scripts/evaluate_descriptors.py PART...

  conventions  --table CSV              what the numbers of the published table tell of how it was made
  published    --table CSV --clips DIR  the median error of each column on clips of that table
  plain        --recordings DIR         our columns against those of librosa called plainly
  cells        tones modulated at known rates: where their Rhythm Patterns peak
  speed        --recordings DIR         times faster than real time, of one core
  neighbours   the nearest of 100,000 made-up tracks, against comparing everything with numpy; takes 7 GB
  one-query    the same number of tracks, mapped from a file of 0.6 GB, compared with one of them by similar
  packages     --index DIR              how many neighbours come from the same package: the first folder of an
                                        id; of an index with descriptors, copies of one recording left out

The table is features_30_sec.csv, as published with the GTZAN data set. Clips have its names, with any suffix;
nothing of either is part of this project. Threads are those of the environment: OPENBLAS_NUM_THREADS=1
OMP_NUM_THREADS=1 for one core.
"""

import argparse
import csv
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.file import read_blocks
from stream_match.catalog.described import read_descriptors
from stream_match.catalog.rows import TrackRow
from stream_match.descriptors.distances import column_factors, distances, fit_z_score, fuse
from stream_match.descriptors.gtzan import COLUMNS, gtzan_features
from stream_match.descriptors.loudness import BARK_EDGES_HZ, N_BANDS
from stream_match.descriptors.nearest_tracks import NearestTracks, principal_axes
from stream_match.descriptors.rhythm import modulation_hz
from stream_match.descriptors.segments import SegmentDescriptors
from stream_match.descriptors.sets import SAMPLE_RATE_HZ as SR
from stream_match.descriptors.sets import SETS
from stream_match.offline.tables.compared import Collection

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_FFT, HOP = 2048, 512
ENOUGH = 0.02  # of the value in the table
SUFFIXES = {".ogg", ".wav", ".flac", ".mp3", ".au"}
RATES_HZ = (1.0, 2.0, 4.0, 8.0)
ROUNDS = 3


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
    parser.add_argument("--table", type=Path, metavar="CSV")
    parser.add_argument("--clips", type=Path, metavar="DIR")
    parser.add_argument("--recordings", type=Path, metavar="DIR")
    parser.add_argument("--index", type=Path, metavar="DIR")
    args = parser.parse_args(argv)
    for part, options in NEEDED.items():
        for option in options:
            if part in args.parts and getattr(args, option) is None:
                parser.error(f"the part {part} needs --{option}")
    warnings.simplefilter("ignore")  # of short recordings, by librosa
    for part in args.parts:
        print(f"\n## {part}\n")
        PARTS[part](args)
    return 0


def _published(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _column(rows: list[dict[str, str]], name: str) -> Float64:
    return np.array([float(row[name]) for row in rows])


def _heard(path: Path) -> Float32:
    return np.concatenate(list(read_blocks(path)))


def _recordings(args: argparse.Namespace) -> list[Path]:
    files = sorted(path for path in args.recordings.iterdir() if path.suffix in SUFFIXES)
    if not files:
        raise SystemExit(f"{args.recordings} holds no recordings")
    return files


# --- conventions ---


def conventions(args: argparse.Namespace) -> None:
    """Print in how many rows the numbers are what a convention makes them."""
    import librosa

    rows = _published(args.table)
    length = _column(rows, "length")
    print(f"columns in our order: {list(rows[0])[2:-1] == list(COLUMNS)}; {len(rows)} rows")
    print(f"lengths: {length.min():g} to {length.max():g} samples, median {np.median(length):g}\n")
    print("| convention | rows that agree |\n|---|---|")
    counts = {
        "frames over the whole clip, centred": 1 + length // HOP,
        "not centred": (length - N_FFT) // HOP + 1,
    }
    for told, n_frames in counts.items():
        for name, unit in (("zero_crossing_rate", 1 / N_FFT), ("rolloff", SR / N_FFT)):
            total = _column(rows, f"{name}_mean") * n_frames / unit
            print(f"| {name}: sums are whole numbers, {told} | {_whole(total, 1e-6)} |")
    n_frames = counts["frames over the whole clip, centred"]
    mean, variance = (_column(rows, f"zero_crossing_rate_{what}") for what in ("mean", "var"))
    for told, factor in (("n", 1.0), ("n - 1", (n_frames - 1) / n_frames)):
        squares = n_frames * (variance * factor + mean**2) * N_FFT**2
        print(f"| variances: divided by {told} | {_whole(squares, 1e-3)} |")
    bins = set(librosa.tempo_frequencies(384, sr=SR, hop_length=HOP))
    print(f"| tempo: a bin of the tempogram | {sum(t in bins for t in _column(rows, 'tempo'))} |\n")
    single = [name for name in COLUMNS if np.mean(_is_float32(_column(rows, name))) > 0.9]
    double = [name for name in COLUMNS if name not in single]
    print(f"float32: {len(single)} columns; float64: {', '.join(double)}")


def _whole(values: Float64, tolerance: float) -> int:
    return int(np.count_nonzero(np.abs(values - np.round(values)) < tolerance))


def _is_float32(values: Float64) -> npt.NDArray[np.bool_]:
    return np.asarray(values.astype(np.float32) == values)


# --- published ---


def published(args: argparse.Namespace) -> None:
    """Print how far our columns are from the published ones."""
    rows = {Path(row["filename"]).stem: row for row in _published(args.table)}
    clips = [path for path in sorted(args.clips.rglob("*")) if path.stem in rows and path.suffix in SUFFIXES]
    if not clips:
        raise SystemExit(f"{args.clips} holds no clip that the table names")
    errors = []
    for path in clips:
        ours = gtzan_features(_heard(path), SR)
        theirs = np.array([float(rows[path.stem][name]) for name in COLUMNS])
        errors.append(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12))
    median = np.median(errors, axis=0)
    print(f"{len(clips)} clips\n\n| column | median error |\n|---|---|")
    for name, error in zip(COLUMNS, median, strict=True):
        print(f"| {name} | {error:.2%} |")
    print(f"\nat most {ENOUGH:.0%}: {np.count_nonzero(median <= ENOUGH)} of {len(COLUMNS)} columns")


# --- plain ---


def plain(args: argparse.Namespace) -> None:
    """Print how far our columns are from those of librosa called plainly."""
    files = _recordings(args)
    worst = np.zeros(len(COLUMNS))
    for path in files:
        y = _heard(path)
        worst = np.maximum(worst, np.abs(gtzan_features(y, SR) - _plainly(y)))
    differ = [f"{name} {error:.2g}" for name, error in zip(COLUMNS, worst, strict=True) if error]
    print(f"{len(files)} recordings; columns that differ anywhere: {', '.join(differ) or 'none'}")


def _plainly(y: Float32) -> Float64:
    import librosa

    feature: Any = librosa.feature
    named: dict[str, Any] = {
        "chroma_stft": feature.chroma_stft(y=y),
        "rms": feature.rms(y=y),
        "spectral_centroid": feature.spectral_centroid(y=y),
        "spectral_bandwidth": feature.spectral_bandwidth(y=y),
        "rolloff": feature.spectral_rolloff(y=y),
        "zero_crossing_rate": feature.zero_crossing_rate(y),
        "harmony": librosa.effects.harmonic(y),
        "perceptr": librosa.effects.percussive(y),
        **{f"mfcc{number}": row for number, row in enumerate(feature.mfcc(y=y), 1)},
    }
    values = {f"{name}_mean": np.mean(part) for name, part in named.items()}
    values |= {f"{name}_var": np.var(part) for name, part in named.items()}
    values["tempo"] = feature.tempo(y=y)[0]
    return np.array([float(values[name]) for name in COLUMNS])


# --- cells ---


def cells(_: argparse.Namespace) -> None:
    """Print where the patterns of modulated tones peak, one in each band that is heard whole."""
    t = np.arange(13 * SR) / SR
    rates = modulation_hz(SR / 256)
    print("| modulated at | peak at the right rate | in the right band as well | bands |\n|---|---|---|---|")
    for rate_hz in RATES_HZ:
        right_rate, right = 0, 0
        expected = int(np.argmin(np.abs(rates - rate_hz)))
        heard = [band for band in range(N_BANDS) if BARK_EDGES_HZ[band + 1] < SR / 2]
        for band in heard:
            hz = (BARK_EDGES_HZ[band] + BARK_EDGES_HZ[band + 1]) / 2
            y = 0.3 * np.sin(2 * np.pi * hz * t) * (1 + np.cos(2 * np.pi * rate_hz * t)) / 2
            descriptors = SegmentDescriptors(SR)
            descriptors.feed(y.astype(np.float32))
            peak = int(np.argmax(descriptors.rhythm_pattern()))
            right_rate += peak // N_BANDS == expected
            right += peak == expected * N_BANDS + band
        print(f"| {rate_hz:g} Hz | {right_rate} | {right} | {len(heard)} |")


# --- speed ---


def speed(args: argparse.Namespace) -> None:
    """Print how fast each set is computed, of samples that have been decoded."""
    heard = [y for y in map(_heard, _recordings(args)) if len(y) >= 30 * SR]
    seconds = sum(map(len, heard)) / SR
    print(f"{len(heard)} recordings, {seconds / 60:.1f} min; the fastest of {ROUNDS} rounds\n")
    print("| set | seconds | times real time |\n|---|---|---|")
    for name, descriptors in SETS.items():
        descriptors.describe([heard[0]])  # what is imported and compiled once
        took = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for y in heard:
                descriptors.describe([y])
            took.append(time.perf_counter() - begin)
        print(f"| {name} | {min(took):.2f} | {seconds / min(took):.0f} |", flush=True)


# --- neighbours ---

TRACKS, NEAREST, QUERIES = 100_000, 10, 5
LENGTHS = {"rp": 1440, "ssd": 168}
FADES = (1.0, 0.5, 0.0)


def neighbours(_: argparse.Namespace) -> None:
    """Print how fast the nearest tracks are found, of tables of various correlation."""
    print(f"{TRACKS} tracks x {sum(LENGTHS.values())} columns; the {NEAREST} nearest; medians of {QUERIES}.")
    print("In brackets: how many times as long as ours. The product with the table is not yet a search.\n")
    for fade in FADES:
        rng = np.random.default_rng(20_261_128)
        table, share = _correlated(rng, fade)
        print(f"the 64 strongest axes hold {share:.0%} of the variance\n")
        print("| metric | prepared in | numpy | in parts | one product | ours | compared | same |")
        print("|---|---|---|---|---|---|---|---|")
        for metric in ("l2", "scaled", "weighted", "cosine", "l1"):
            _race(rng, table, metric)
        print(flush=True)


def _correlated(rng: np.random.Generator, fade: float) -> tuple[Float64, float]:
    """Return columns of deviation 1, and the share of variance of 64 axes.

    The deviation along axis number i is i to the power of ``-fade``: 0 is white noise.
    """
    width = sum(LENGTHS.values())
    strength = np.arange(1, width + 1) ** -fade
    turned = strength[:, np.newaxis] * np.linalg.qr(rng.standard_normal((width, width)))[0]
    table = np.empty((TRACKS, width))
    for first in range(0, TRACKS, 10_000):
        part = table[first : first + 10_000]
        np.matmul(rng.standard_normal((len(part), width)), turned, out=part)
    table /= table.std(axis=0)
    return table, float(principal_axes(table[:8192], 64)[1].sum())


def _race(rng: np.random.Generator, table: Float64, metric: str) -> None:
    begin = time.perf_counter()
    prepared = NearestTracks(table, metric, lengths=LENGTHS)
    prepared_s = time.perf_counter() - begin
    prepared.search(table[0], NEAREST)  # what is compiled once
    took = []
    compared, same = [], True
    for row in rng.choice(len(table), QUERIES, replace=False):
        query = table[row] + 0.5 * rng.standard_normal(table.shape[1])
        times = [time.perf_counter()]
        found = prepared.search(query, NEAREST)
        times.append(time.perf_counter())
        plain = _with_numpy(query, table, metric)
        times.append(time.perf_counter())
        parts = distances(query, table, metric, lengths=LENGTHS)
        times.append(time.perf_counter())
        _ = table @ query
        times.append(time.perf_counter())
        took.append(np.diff(times))
        nearest = np.argsort(parts, kind="stable")[:NEAREST]
        same &= bool(np.array_equal(found.rows, nearest) and np.allclose(plain[nearest], parts[nearest]))
        same &= bool(np.array_equal(found.distances, parts[nearest]))
        compared.append(found.compared)
    ours, others = np.median(took, axis=0)[0], np.median(took, axis=0)[1:]
    told = [f"{other * 1e3:.0f} ms ({other / ours:.1f})" for other in others]
    if metric == "l1":
        told[-1] = "–"
    told += [f"{ours * 1e3:.1f} ms", f"{np.median(compared):.0f}", str(same)]
    print(f"| {metric} | {prepared_s:.1f} s | {' | '.join(told)} |", flush=True)


def _with_numpy(query: Float64, table: Float64, metric: str) -> Float64:
    """Return all distances as one writes them down."""
    if metric == "l1":
        return np.asarray(np.abs(table - query).sum(axis=1))
    if metric == "cosine":
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(query)
        return np.asarray(1 - table @ query / lengths)
    factors = column_factors(metric, table.shape[1], LENGTHS, None)
    squared = (table - query) ** 2
    return np.asarray(np.sqrt((squared if metric == "l2" else squared * factors).sum(axis=1)))


# --- one-query ---


def one_query(_: argparse.Namespace) -> None:
    """Print how much CPU it takes to compare one track of an index with all."""
    rng = np.random.default_rng(20_261_128)
    with tempfile.TemporaryDirectory() as folder:
        sets = {}
        for name, width in LENGTHS.items():
            path = Path(folder) / f"{name}.npy"
            np.save(path, rng.standard_normal((TRACKS, width), np.float32))
            sets[name] = np.load(path, mmap_mode="r").view(np.ndarray)
        names = tuple(f"track {number}" for number in range(TRACKS))
        collection = Collection("the index", names, sets, np.arange(TRACKS))
        print("| metric | CPU |\n|---|---|")
        for metric in ("weighted", "l1", "cosine"):
            begin = time.process_time()
            collection.most_like(names[77], metric=metric, weights=None, k=NEAREST)
            print(f"| {metric} | {time.process_time() - begin:.1f} s |", flush=True)


# --- packages ---

COMBINED = (("rp", "ssd"), ("rp",), ("ssd",), ("gtzan",), ("rp", "ssd", "gtzan"))
AT = (1, 5, 10)
RESAMPLED = 2000


def packages(args: argparse.Namespace) -> None:
    """Print the shares of neighbours that come from the package of the query."""
    described = read_descriptors(args.index)
    names = [name for name in SETS if described.complete(name).any()]
    rows = np.flatnonzero(described.complete(*names))
    tracks = [described.tracks[row] for row in rows]
    sets = {name: described.sets[name][rows].astype(np.float64) for name in names}
    package = np.array([track.id.split("/")[0] for track in tracks])
    others = ~_one_recording(tracks)
    same = package[:, np.newaxis] == package
    chance = np.mean((same & others).sum(axis=1) / others.sum(axis=1))
    left_out = (int((~others).sum()) - len(tracks)) // 2
    print(f"{len(tracks)} of {len(described.tracks)} tracks have all of {', '.join(names)}, in ", end="")
    print(f"{len(set(package))} packages; {left_out} pairs are one recording. By chance: {chance:.3f}.\n")
    print(f"| sets | distance | {' | '.join(f'k = {k}' for k in AT)} | k = 10, mean of packages |")
    print("|---|---|---|---|---|---|")
    shares = {}
    for chosen in COMBINED:
        if not set(chosen) <= set(names):
            continue
        fused = fuse({name: sets[name] for name in chosen})
        scaled = fit_z_score(fused.table)(fused.table)
        for metric in ("plain l2", "l2", "l1", "cosine", "scaled", "weighted"):
            if len(chosen) == 1 and metric in ("scaled", "weighted"):
                continue  # the order of l2
            table = fused.table if metric == "plain l2" else scaled
            found = [distances(x, table, metric.split()[-1], lengths=fused.lengths) for x in table]
            shares[chosen, metric] = each = _shares(np.array(found), same, others)
            told = [f"{value:.3f}" for value in each.mean(axis=0)]
            told.append(f"{np.mean([each[package == one, -1].mean() for one in set(package)]):.3f}")
            print(f"| {', '.join(chosen)} | {metric} | {' | '.join(told)} |", flush=True)
    print()
    default = shares[COMBINED[0], "weighted"]
    for name, less in (
        ("chance", np.full(default.shape, chance)),
        ("plain l2", shares[COMBINED[0], "plain l2"]),
    ):
        for k, margin in zip(AT, (default - less).T, strict=True):
            low, high = _interval(margin)
            print(f"weighted rp, ssd above {name}, k = {k}: {margin.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def _one_recording(tracks: Sequence[TrackRow]) -> npt.NDArray[np.bool_]:
    """Return which tracks hold one recording, themselves among them [shape=(n, n)]."""
    labels = [{track.sha256, *track.copies} for track in tracks]
    return np.array([[not one.isdisjoint(other) for other in labels] for one in labels])


def _shares(found: Float64, same: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> Float64:
    """Return, of each query, the shares of its package among the nearest others [shape=(n, len(AT))]."""
    order = np.argsort(np.where(others, found, np.inf), axis=1, kind="stable")
    hits = np.take_along_axis(same, order, axis=1)
    return np.stack([hits[:, :k].mean(axis=1) for k in AT], axis=1)


def _interval(values: Float64) -> tuple[float, float]:
    """Return a 95 % interval of the mean, by resampling the queries."""
    rng = np.random.default_rng(20_261_128)
    means = rng.choice(values, (RESAMPLED, len(values))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


PARTS = {
    "conventions": conventions,
    "published": published,
    "plain": plain,
    "cells": cells,
    "speed": speed,
    "neighbours": neighbours,
    "one-query": one_query,
    "packages": packages,
}
NEEDED = {
    "conventions": ["table"],
    "published": ["table", "clips"],
    "plain": ["recordings"],
    "speed": ["recordings"],
    "packages": ["index"],
}

if __name__ == "__main__":
    sys.exit(main())
