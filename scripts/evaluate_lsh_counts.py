#!/usr/bin/env python
"""Measure what centred planes, balanced planes and votes for one place buy music search by LSH.

Run it as .venv/bin/python scripts/evaluate_lsh_counts.py REFERENCES QUERIES [--index DIR]

  REFERENCES  the folder that the index was built from
  QUERIES     excerpts of the measuring kit, with queries.csv: of references, and of tracks that are none
  --index     adds what `identify --all` says of the same excerpts

All but the last row hash the same chroma frames (4096 samples, every 4000) by 4 tables of 8 bits:

  seed      the counts of the seed document: planes through the origin, tuning estimated by librosa
  counts    identify --method lsh-counts: the same with the tuning fixed at 440 Hz
  centred   planes through the mean of all frames of the references
  median    and each plane moved to where half of these frames are on either side
  fitted    planes as of the product: whitened and rotated principal components
  … votes   a result counts for its line, the track and the time between both frames, and a track has the
            votes of its best two neighbouring lines, not divided by its frames
"""

import argparse
import csv
import math
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.catalog import load_index
from stream_match.catalog.find import find_tracks
from stream_match.catalog.lsh_counts import KEY_BITS, N_TABLES, SEED
from stream_match.features.centred_chroma import HOP_SAMPLES, N_FFT_SAMPLES, centred_chroma
from stream_match.identify import identify_files
from stream_match.index.bucket_counts import count_buckets, random_planes
from stream_match.index.lsh import LshTables, build_lsh
from stream_match.index.projection import Projection, fit_projection
from stream_match.threads import one_thread

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Hash = Callable[[Float32], Codes]
Answer = tuple[str | None, float]
"""The first track, and its score."""

GAP_FRAMES = 1000
"""Between two tracks on the line of all frames: longer than a query, so that no line runs through both."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("references", type=Path, metavar="REFERENCES")
    parser.add_argument("queries", type=Path, metavar="QUERIES")
    parser.add_argument("--index", type=Path, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    listed = args.queries / "queries.csv"
    if not listed.is_file():
        parser.error(f"{str(listed)!r} is not there: make queries with the measuring kit")
    with listed.open(newline="", encoding="utf-8") as file:
        queries = [Query.of(row, args.queries) for row in csv.DictReader(file)]
    found = find_tracks([args.references]).tracks
    with ProcessPoolExecutor(args.jobs) as pool:
        references = list(pool.map(both_chromas, [track.path for track in found]))
        asked = list(pool.map(both_chromas, [query.path for query in queries], chunksize=8))
    names = [track.id for track in found]
    print(f"{len(names)} references, {sum(query.known for query in queries)} excerpts of them, ", end="")
    print(f"{sum(not query.known for query in queries)} of other tracks\n")
    rows = Rows(queries)
    with one_thread():
        for label, answers, evenness in methods(names, references, asked):
            rows.say(label, answers, evenness)
        if args.index is not None:
            results = identify_files(
                load_index(args.index), [query.path for query in queries], unclaimed=True
            )
            first = [result.matches[0] if result.matches else None for result in results]
            rows.say("identify", [(m.track.id, m.score) if m else (None, -math.inf) for m in first])
    return 0


@dataclass(frozen=True)
class Query:
    """An excerpt; `track` is the reference that it is of, if it is of one."""

    path: Path
    known: bool
    condition: str
    seconds: str
    track: str

    @classmethod
    def of(cls, row: dict[str, str], folder: Path) -> "Query":
        """Return a line of the kit's list."""
        return cls(folder / row["path"], row["split"] == "ref", row["cond"], row["len"], row["track"])


def both_chromas(path: Path) -> tuple[Float32, Float32]:
    """Return the chroma of a file, by librosa with an estimated tuning, and as it is hashed here."""
    import librosa

    blocks = list(read_blocks(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silence, which has no tuning
        by_librosa = librosa.feature.chroma_stft(
            y=np.concatenate(blocks), sr=SAMPLE_RATE_HZ, n_fft=N_FFT_SAMPLES, hop_length=HOP_SAMPLES
        )
    ours = np.concatenate(list(centred_chroma(blocks, SAMPLE_RATE_HZ)))
    return np.where(np.any(ours, axis=1, keepdims=True), by_librosa.T, 0).astype(np.float32), ours


def methods(
    names: Sequence[str],
    references: Sequence[tuple[Float32, Float32]],
    asked: Sequence[tuple[Float32, Float32]],
) -> Iterator[tuple[str, list[Answer], float]]:
    """Yield each method, its answers, and how evenly it fills its buckets."""
    tuned, fixed = ([pair[which] for pair in references] for which in (0, 1))
    frames = np.concatenate(fixed)
    frames = frames[frames.any(axis=1)]
    origin = random_planes(SEED, N_TABLES * KEY_BITS)
    centred = Projection(frames.mean(axis=0), origin.planes)
    medians = np.median(centred.distances(frames), axis=0)
    fitted = fit_projection(frames, n_bits=N_TABLES * KEY_BITS, seed=SEED)
    hashes: dict[str, Hash] = {
        "counts": origin.codes,
        "centred": centred.codes,
        "median": lambda chroma: np.packbits(centred.distances(chroma) > medians, axis=1),
        "fitted": fitted.codes,
    }
    of_tuned, of_fixed = ([pair[which] for pair in asked] for which in (0, 1))
    seeds = Places(tuned, origin.codes)
    yield "seed", [seeds.most_results(chroma, names) for chroma in of_tuned], seeds.tables.occupancy()
    places = {label: Places(fixed, hashed) for label, hashed in hashes.items()}
    require_same_counts(places["counts"], fixed, of_fixed[0], origin)
    for label, one in places.items():
        yield label, [one.most_results(chroma, names) for chroma in of_fixed], one.tables.occupancy()
    for label, one in places.items():
        yield f"{label}, votes", [one.most_votes(chroma, names) for chroma in of_fixed], math.nan


class Places:
    """Frames of all references in buckets, with their places."""

    def __init__(self, chromas: Sequence[Float32], hashed: Hash) -> None:
        self._hashed = hashed
        lengths = np.array([len(chroma) for chroma in chromas]) + GAP_FRAMES
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.tracks = np.repeat(np.arange(len(chromas)), lengths)  # of each place
        audible = [np.flatnonzero(chroma.any(axis=1)) for chroma in chromas]
        self.frames = np.array([len(one) for one in audible])
        places = np.concatenate([start + one for start, one in zip(self.starts, audible, strict=False)])
        codes = hashed(np.concatenate([chroma[one] for chroma, one in zip(chromas, audible, strict=True)]))
        self.tables: LshTables = build_lsh(
            codes, places.astype(np.uint32), n_tables=N_TABLES, key_bits=KEY_BITS
        )

    def _results(self, chroma: Float32) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        heard = np.flatnonzero(chroma.any(axis=1))
        rows, places = self.tables.lookup(self._hashed(chroma[heard]), largest_bucket=2**31)
        return heard[rows], places

    def scores(self, chroma: Float32) -> Float64:
        """Return the results of each track per frame of it."""
        _, places = self._results(chroma)
        results = np.bincount(self.tracks[places], minlength=len(self.frames))
        counts: Float64 = results / np.maximum(self.frames, 1)
        return counts

    def most_results(self, chroma: Float32, names: Sequence[str]) -> Answer:
        """Return the track with most results per frame."""
        return _first(self.scores(chroma), names)

    def most_votes(self, chroma: Float32, names: Sequence[str]) -> Answer:
        """Return the track with most votes for two neighbouring lines."""
        rows, places = self._results(chroma)
        # A line is the place of the query's first frame, which may be before the track: all are moved by its
        # length, so that they stand between the start of their track and that of the next.
        votes = np.bincount(places - rows + len(chroma), minlength=int(self.starts[-1]) + len(chroma) + 1)
        both = votes[1:] + votes[:-1]
        return _first(np.maximum.reduceat(both, self.starts[:-1]).astype(np.float64), names)


def _first(scores: Float64, names: Sequence[str]) -> Answer:
    best = int(scores.argmax())
    return (names[best], float(scores[best])) if scores[best] > 0 else (None, -math.inf)


def require_same_counts(
    places: Places, references: Sequence[Float32], query: Float32, planes: Projection
) -> None:
    """Stop if the counts are not those that `identify --method lsh-counts` is made of."""
    held = np.stack([count_buckets(chroma, planes, N_TABLES) for chroma in references], axis=-1)
    counted = np.einsum("tb,tbn->n", count_buckets(query, planes, N_TABLES), held)
    if not np.allclose(places.scores(query), counted / np.maximum(places.frames, 1)):
        raise AssertionError("the two ways of counting differ")


class Rows:
    """A table in Markdown, a row per method, printed as it comes."""

    def __init__(self, queries: Sequence[Query]) -> None:
        self._queries = queries
        self._cells = list(dict.fromkeys((q.condition, q.seconds) for q in queries if q.known))
        lengths = sorted({seconds for _, seconds in self._cells}, key=float)
        self._conditions = list(dict.fromkeys(condition for condition, _ in self._cells))
        self._lengths = lengths
        heads = [f"{condition} {' / '.join(lengths)} s" for condition in self._conditions]
        print("| | " + " | ".join([*heads, "area", "first at 1 %", "evenness"]) + " |")
        print("|---|" + "---|" * (len(heads) + 3), flush=True)

    def say(self, label: str, answers: Sequence[Answer], evenness: float = math.nan) -> None:
        """Print the row of a method: right track first by condition, and what tells it from outsiders."""
        right: dict[tuple[str, str], list[bool]] = defaultdict(list)
        known: dict[str, list[tuple[bool, float]]] = defaultdict(list)
        outside: dict[str, list[float]] = defaultdict(list)
        for query, (name, score) in zip(self._queries, answers, strict=True):
            if query.known:
                right[query.condition, query.seconds].append(name == query.track)
                known[query.seconds].append((name == query.track, score))
            else:
                outside[query.seconds].append(score)
        cells = [
            " / ".join(f"{np.mean(right[condition, seconds]):.2f}" for seconds in self._lengths)
            for condition in self._conditions
        ]
        areas = [_area([score for _, score in known[s]], outside[s]) for s in self._lengths]
        above = [_above(known[s], outside[s]) for s in self._lengths]
        cells += [" / ".join(f"{value:.2f}" for value in values) for values in (areas, above)]
        cells.append("" if math.isnan(evenness) else f"{evenness:.2f}")
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def _area(known: Sequence[float], outside: Sequence[float]) -> float:
    """Return how often the best score of a known excerpt is above that of another one (ties: half)."""
    ours, others = np.array(known)[:, np.newaxis], np.array(outside)
    return float((ours > others).mean() + (ours == others).mean() / 2)


def _above(known: Sequence[tuple[bool, float]], outside: Sequence[float]) -> float:
    """Return the share of right first tracks over the score that 1 % of the other excerpts exceed."""
    limit = sorted(outside)[math.ceil(0.99 * len(outside)) - 1]
    return float(np.mean([ok and score > limit for ok, score in known]))


if __name__ == "__main__":
    sys.exit(main())
