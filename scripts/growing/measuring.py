"""What a catalogue costs those who listen, and what it makes them claim."""

import csv
import ctypes
import ctypes.util
import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.config import MatchSettings, OnsetSettings
from stream_match.engine import Engine
from stream_match.events import MatchFacts
from stream_match.identify import identify_files
from stream_match.index.catalogue import Catalogue
from stream_match.index.lines import Lines
from stream_match.match.recording.background_scores import fisher_z
from stream_match.match.recording.query import Query, shifts_semitones
from stream_match.match.recording.votes import OffsetBins
from stream_match.match.tracking.trace import Trace

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

BUDGETS = (10.0, 1.0)
"""False alarms per hour; what is claimed at the first tells what is at the other."""

_DECISION_SAMPLES = 8192
"""0.37 s: one decision falls in it."""


_EXCERPT_S = 40.0

_OFFSETS = np.arange(-1.5, 1.75, 0.25, dtype=np.float32)
"""In positions: the votes tell a place within as much."""


@dataclass(frozen=True)
class Cost:
    """What it costs to listen to some audio with both match lanes and onsets.

    Parameters
    ----------
    share : float
        CPU seconds per second of audio, in blocks of a second.
    decision_ms, slowest_ms : float
        CPU time of 0.37 s of audio, in which a decision falls: median, and what 95 % stay below.
    """

    share: float
    decision_ms: float
    slowest_ms: float


def cost(catalogue: Catalogue, y: Float32) -> Cost:
    """Listen to samples and measure.

    Parameters
    ----------
    catalogue : Catalogue
    y : np.ndarray [shape=(n,), dtype=float32]
    """
    whole = _fed(catalogue, y, SAMPLE_RATE_HZ)
    each = 1000 * np.array(_fed(catalogue, y, _DECISION_SAMPLES))
    share = sum(whole) / (len(y) / SAMPLE_RATE_HZ)
    return Cost(share, float(np.median(each)), float(np.quantile(each, 0.95)))


def _fed(catalogue: Catalogue, y: Float32, block_samples: int) -> list[float]:
    """Return the CPU seconds of each block."""
    engine = Engine(catalogue, MatchSettings(), OnsetSettings())
    seconds = []
    for first in range(0, len(y), block_samples):
        began = time.process_time()
        engine.feed(y[first : first + block_samples])
        seconds.append(time.process_time() - began)
    return seconds


def excerpts(folders: Sequence[Path], *, seconds: float) -> Float32:
    """Return stretches of files, half a minute from their beginnings, evenly chosen, one after the other."""
    paths = list(files(folders))
    each_s = min(seconds, _EXCERPT_S)
    count = max(1, round(seconds / each_s))
    stretches = []
    for path in paths[:: max(1, len(paths) // count)][:count]:
        y = _beginning(path, each_s + 30)
        stretches.append(y[-round(each_s * SAMPLE_RATE_HZ) :])
    return np.concatenate(stretches)


def files(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of folders, in order."""
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _beginning(path: Path, seconds: float) -> Float32:
    blocks, left = [np.empty(0, np.float32)], seconds * SAMPLE_RATE_HZ
    for y in read_blocks(path):
        blocks.append(y)
        left -= len(y)
        if left <= 0:
            break
    return np.concatenate(blocks)[: round(seconds * SAMPLE_RATE_HZ)]


def stream_mb(catalogue: Catalogue, y: Float32, streams: int = 4) -> float:
    """Return the memory that each further stream takes."""
    engines, before = [], 0.0
    for number in range(streams + 1):
        engine = Engine(catalogue, MatchSettings(), OnsetSettings())
        for first in range(0, len(y), SAMPLE_RATE_HZ):
            engine.feed(y[first : first + SAMPLE_RATE_HZ])
        engines.append(engine)
        if number == 0:
            before = memory_mb()
    return (memory_mb() - before) / streams


def memory_mb() -> float:
    """Return what the process holds in memory that is no file's; 0 where that cannot be told."""
    gc.collect()
    with suppress(OSError, AttributeError, StopIteration):
        ctypes.CDLL(ctypes.util.find_library("c")).malloc_trim(0)
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024
    return 0.0


def false_claims(
    catalogue: Catalogue, folders: Sequence[Path], longest_s: float
) -> tuple[list[float], float]:
    """Listen to audio that is not in the catalogue.

    Returns
    -------
    claims : list of float
        Of each thing claimed at the first of `BUDGETS`, how often in an hour its score is reached by chance.
    hours : float
    """
    claims: list[float] = []
    samples = 0
    for path in files(folders):
        y = _beginning(path, longest_s)
        samples += len(y)
        engine = Engine(catalogue, MatchSettings(max_false_alarms_per_hour=BUDGETS[0]))
        facts = [*engine.feed(y), *engine.flush()]
        last = {one.match_id: one for one in facts if isinstance(one, MatchFacts)}
        claims += [one.false_alarms_per_hour for one in last.values()]
    return claims, samples / SAMPLE_RATE_HZ / 3600


def recalled(catalogue: Catalogue, queries: Path, budget: float) -> tuple[float, int]:
    """Return the share of excerpts of which the right track is claimed, best of all, and their number.

    Parameters
    ----------
    catalogue : Catalogue
    queries : Path
        A table with the columns path (from the table's folder) and track (an id, or empty if unknown).
    budget : float
    """
    asked = asked_for(catalogue, queries)
    settings = MatchSettings(max_false_alarms_per_hour=budget)
    found = [
        one.matches[0].track.id if one.matches else None for one in identify_files(catalogue, asked, settings)
    ]
    right = [one == track for one, track in zip(found, asked.values(), strict=True)]
    return float(np.mean(right)) if right else 0.0, len(right)


def asked_for(catalogue: Catalogue, queries: Path) -> dict[Path, str]:
    """Return the excerpts of a table whose track is in a catalogue, and their tracks."""
    with queries.open(encoding="utf-8", newline="") as handle:
        asked = {queries.parent / row["path"]: row["track"] for row in csv.DictReader(handle)}
    return {path: track for path, track in asked.items() if track in catalogue.tracks.numbers}


def background_by_shift(catalogue: Catalogue, queries: Path) -> Float64:
    """Return how well the places agree that are proposed beside the right track, by the shift of the query.

    Parameters
    ----------
    catalogue : Catalogue
    queries : Path
        As in `recalled`.

    Returns
    -------
    np.ndarray [shape=(n_shifts,), dtype=float64]
        At each of `shifts_semitones`: `fisher_z` times the root of the positions, over the longest window of
        an excerpt; the mean over the excerpts of the medians over the places.
    """
    medians = []
    for path, track in asked_for(catalogue, queries).items():
        traces: list[Trace] = []
        engine = Engine(catalogue, MatchSettings(), observe=traces.append)
        for y in read_blocks(path):
            engine.feed(y)
        trace = next((one for one in reversed(traces) if one.lane == "recording"), None)
        if trace is not None and trace.query is not None and trace.proposed is not None:
            medians.append(_by_shift(catalogue, trace.query, trace.proposed, catalogue.tracks.numbers[track]))
    by_shift: Float64 = np.nanmean(np.array(medians), axis=0)
    return by_shift


def _by_shift(catalogue: Catalogue, query: Query, proposed: OffsetBins, right: int) -> list[float]:
    """Return the median over the places that one decision looked at, at each shift."""
    bins = proposed[np.flatnonzero(proposed.track != right)]
    one = np.ones(1, np.float32)
    speeds = np.ones(len(bins), np.float32)
    lines = Lines(bins.track, bins.head_frames / query.stride, speeds, bins.shift).fan(_OFFSETS, one)
    windows = query.windows()[-1:]
    means = catalogue.lines.means(query.words, query.audible, lines, windows)
    best = means.reshape(len(bins), len(_OFFSETS)).max(axis=1)
    found = fisher_z(best) * np.sqrt(windows[0] / query.spans.scale)
    at = [found[bins.shift == shift] for shift in range(len(shifts_semitones()))]
    return [float(np.median(one)) if len(one) else np.nan for one in at]
