"""Measure the onset lane: detection, soft notes, clusters, drift, cost, memory, sounds of the environment.

Run it as .venv/bin/python scripts/evaluate_onsets.py PART... with the material that the part needs:

  detection    --annotated DIR (tracks.csv, audio, `time<TAB>class` lines) and --shots DIR...
  lines        --lines DIR...    what scripts/make_lines.py renders
  going-on     --recordings DIR...   onsets a minute in what does not begin again, and in recordings
  clusters     --shots DIR...
  hard         --shots DIR...   clusters of strums and double strokes among single sounds
  real         --annotated DIR   clusters of annotated drum recordings, those of the fitting included
  drift        --shots DIR...   four hours in which the level wanders, with a restart in the middle
  cost         --shots DIR...
  memory       nothing
  environment  --environment DIR (a folder per class), --plot PNG

mir_eval is needed, scikit-learn comes with librosa, aubio is compared with if it is there. Files of single
sounds that have more than one attack are left out. The detector was learnt from, and the clusters were
fitted on, the kit FITTED_KIT and every second one of Sonic Pi's samples; the tables are of the others unless
--all is given. The tracks named in FITTED_ON, which an earlier detector was fitted on, are left out with
them. The lines that the detector was learnt from are of other soundfonts or instruments.
"""

import argparse
import csv
import itertools
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mir_eval
import numpy as np
import numpy.typing as npt
from beginnings.hard_sounds import going_on, hard_shots
from beginnings.one_shots import AUDIO, PlacedSounds, Shot, of_the_fitting, placed_sounds, read, single_sounds
from beginnings.superflux import superflux_onsets

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.config import OnsetSettings
from stream_match.engine import Engine
from stream_match.events import OnsetClusterFacts
from stream_match.onsets.detector import Onset, OnsetDetector
from stream_match.onsets.kinds import Kinds
from stream_match.onsets.lane import OnsetLane
from stream_match.sounds.analyse import described
from stream_match.sounds.groups import grouped

Samples = npt.NDArray[np.float32]

FITTED_ON = ("80sRock", "Grunge", "Shadows")
TOGETHER_S = 0.03  # strokes closer than this are one onset
BLOCK_SAMPLES = 2205
CLICK_SAMPLES = 1544
SOFT_CYMBAL_DB = 6.0  # below the other sounds
FAR_S = 0.15  # what is told farther off a note is another error than one of time


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
    parser.add_argument("--annotated", type=Path, metavar="DIR")
    parser.add_argument("--shots", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--lines", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--recordings", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--environment", type=Path, metavar="DIR")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    parser.add_argument(
        "--onsets", type=int, default=1_000_000, help="of the part memory; a tenth of them as audio"
    )
    parser.add_argument("--hours", type=float, default=4.0, help="of the part drift")
    parser.add_argument("--all", action="store_true", help="also what the detector was fitted on")
    args = parser.parse_args(argv)
    for part in args.parts:
        print(f"\n## {part}\n")
        PARTS[part](args)
    return 0


# --- detection ---


def detection(args: argparse.Namespace) -> None:
    """Compare detectors on annotated recordings and on placed one-shots."""
    detectors = dict(_detectors())
    if args.annotated:
        for kind, tracks in _annotated(args.annotated, everything=args.all).items():
            _table(f"{kind} ({len(tracks)} recordings)", tracks, detectors)
    if args.shots:
        clear = [_placed(args, seed, 8, level_db=12, snr_db=None) for seed in range(60)]
        noisy = [_placed(args, seed, 8, level_db=12, snr_db=20) for seed in range(60)]
        _table("one-shots, level ±12 dB", [(s.y, s.times_s) for s in clear], detectors)
        _table("one-shots, level ±12 dB, noise at 20 dB", [(s.y, s.times_s) for s in noisy], detectors)


def _table(
    title: str, tracks: list[tuple[Samples, Any]], detectors: dict[str, Callable[[Samples], Any]]
) -> None:
    print(f"| {title} | F ±25 ms | precision | recall | F ±50 ms |\n|---|---|---|---|---|")
    for name, detect in detectors.items():
        found = [(truth, np.sort(np.array(detect(y), float))) for y, truth in tracks]
        near = np.mean([mir_eval.onset.f_measure(t, e, window=0.025) for t, e in found], axis=0)
        wide = np.mean([mir_eval.onset.f_measure(t, e, window=0.05)[0] for t, e in found])
        print(f"| {name} | {near[0]:.3f} | {near[1]:.3f} | {near[2]:.3f} | {wide:.3f} |")
    delays, errors = [], []
    for y, truth in tracks:
        onsets = _ours(y)
        times = np.array([o.sample for o in onsets]) / SAMPLE_RATE_HZ
        for i, j in mir_eval.util.match_events(truth, times, 0.05):
            delays.append(1000 * (onsets[j].decided / SAMPLE_RATE_HZ - truth[i]))
            errors.append(1000 * abs(times[j] - truth[i]))
    print(
        f"\nDecision delay of ours: median {np.median(delays):.0f} ms, "
        f"95 % {np.percentile(delays, 95):.0f} ms; error of the time: "
        f"median {np.median(errors):.2f} ms, 95 % {np.percentile(errors, 95):.1f} ms.\n"
    )


def _ours(y: Samples) -> list[Onset]:
    return OnsetDetector(SAMPLE_RATE_HZ, from_silence=True).feed(y)


def _detectors() -> Iterator[tuple[str, Callable[[Samples], Any]]]:
    yield "stream_match, online", lambda y: [o.sample / SAMPLE_RATE_HZ for o in _ours(y)]
    try:
        import aubio
    except ImportError:
        print("aubio is not installed and is left out\n", file=sys.stderr)
    else:
        yield "aubio, online, default", lambda y: _aubio(aubio, "default", y)
        yield "aubio, online, specflux", lambda y: _aubio(aubio, "specflux", y)
    import librosa

    yield "librosa, offline, SuperFlux settings", superflux_onsets
    yield (
        "librosa, offline, defaults",
        lambda y: librosa.onset.onset_detect(y=y, sr=SAMPLE_RATE_HZ, units="time"),
    )


def _aubio(aubio: Any, method: str, y: Samples) -> list[float]:
    detector = aubio.onset(method, 1024, 256, SAMPLE_RATE_HZ)
    blocks = (y[start : start + 256] for start in range(0, len(y) - 255, 256))
    return [detector.get_last_s() for block in blocks if detector(block)]


def _annotated(folder: Path, *, everything: bool) -> dict[str, list[tuple[Samples, Any]]]:
    tracks: dict[str, list[tuple[Samples, Any]]] = {}
    with (folder / "tracks.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if not everything and any(name in row["audio"] for name in FITTED_ON):
                continue
            audio, annotation = (folder.parent / row[column] for column in ("audio", "annotation"))
            tracks.setdefault(row["kind"], []).append((read(audio), _onset_times(annotation)))
    return tracks


def _onset_times(path: Path) -> npt.NDArray[np.float64]:
    times: list[float] = []
    for time_s in sorted(float(line.split()[0]) for line in path.read_text().splitlines() if line.strip()):
        if not times or time_s - times[-1] >= TOGETHER_S:
            times.append(time_s)
    return np.array(times)


# --- soft notes ---


def lines(args: argparse.Namespace) -> None:
    """Compare with librosa's offline SuperFlux on rendered lines, instrument by instrument and way by way."""
    rows: dict[str, list[_Scores]] = {}
    for folder in args.lines:
        with (folder / "tracks.csv").open(encoding="utf-8") as tracks:
            for track in csv.DictReader(tracks):
                scores = _line_scores(read(folder / track["audio"]), folder / track["annotation"])
                for row in ("all", track["kind"], track["played"]):
                    rows.setdefault(row, []).append(scores)
    print(
        "| lines | F ±25 ms (precision, recall) | F ±50 ms (precision, recall) | SuperFlux: ±25 ms, ±50 ms "
        "| error of the time, ms (quartiles) | heard after it is played, ms (median, 95 %) |\n"
        "|---|---|---|---|---|---|"
    )
    for name, scored in rows.items():
        near, wide = np.mean([(one.near, one.wide) for one in scored], axis=0)
        theirs = np.mean([one.superflux for one in scored], axis=0)
        errors_ms = np.concatenate([one.errors_ms for one in scored])
        late_ms = np.concatenate([one.late_ms for one in scored])
        cells = [
            *(f"{f:.3f} ({precision:.3f}, {recall:.3f})" for f, precision, recall in (near, wide)),
            ", ".join(f"{f:.3f}" for f in theirs),
            ", ".join(f"{ms:.0f}" for ms in np.percentile(errors_ms, (25, 50, 75))),
            ", ".join(f"{ms:.0f}" for ms in np.percentile(late_ms, (50, 95))),
        ]
        print(f"| {name} ({len(scored)}) | {' | '.join(cells)} |")


class _Scores(NamedTuple):
    """How well a line is told.

    Parameters
    ----------
    near, wide : tuple of float
        F, precision and recall at ±25 and at ±50 ms.
    superflux : tuple of float
        F at ±25 and at ±50 ms.
    errors_ms : np.ndarray
        How much later than heard the notes are told, of those within ±`FAR_S`.
    late_ms : np.ndarray
        How much later than played the notes are heard.
    """

    near: tuple[float, float, float]
    wide: tuple[float, float, float]
    superflux: tuple[float, float]
    errors_ms: npt.NDArray[np.float64]
    late_ms: npt.NDArray[np.float64]


def _line_scores(y: Samples, annotation: Path) -> _Scores:
    truth, theirs = _onset_times(annotation), np.sort(superflux_onsets(y))
    ours = np.array([onset.sample / SAMPLE_RATE_HZ for onset in _ours(y)])
    near, wide = (mir_eval.onset.f_measure(truth, ours, window=window) for window in (0.025, 0.05))
    pairs = mir_eval.util.match_events(truth, ours, FAR_S)
    columns = [line.split() for line in annotation.read_text().splitlines()]
    return _Scores(
        near, wide,
        tuple(mir_eval.onset.f_measure(truth, theirs, window=window)[0] for window in (0.025, 0.05)),
        np.array([1000 * (ours[j] - truth[i]) for i, j in pairs]),
        np.array([1000 * (float(heard) - float(played)) for heard, _, played in columns]),
    )  # fmt: skip


def still(args: argparse.Namespace) -> None:
    """Count onsets a minute where few or none are."""
    print("| a minute of | onsets told | in truth |\n|---|---|---|")
    for name, (y, truth) in going_on().items():
        told = len(_ours(y.astype(np.float32))) / (len(y) / SAMPLE_RATE_HZ / 60)
        print(f"| {name} | {told:.0f} | {truth} |")
    for folder in args.recordings:
        recordings = [read(path) for path in sorted(folder.iterdir()) if path.suffix in AUDIO]
        told = sum(len(_ours(y)) for y in recordings) / (sum(map(len, recordings)) / SAMPLE_RATE_HZ / 60)
        print(f"| {folder.name} | {told:.0f} | not known |")


# --- one-shots ---

_SHOTS: dict[tuple[Any, ...], dict[str, Shot]] = {}


def _shots(args: argparse.Namespace) -> dict[str, Shot]:
    """Return single sounds by name; those of the fitting only if all are asked for."""
    key = (*args.shots, args.all)
    if key not in _SHOTS:
        singles = single_sounds(args.shots)
        fitted = set() if args.all else of_the_fitting(singles)
        _SHOTS[key] = {path.name: shot for path, shot in singles.items() if path not in fitted}
        print(f"single sounds: {len(_SHOTS[key])}\n", file=sys.stderr)
    return _SHOTS[key]


def _placed(
    args: argparse.Namespace,
    seed: int,
    n_kinds: int,
    *,
    level_db: float,
    snr_db: float | None,
    per_kind: int = 15,
) -> PlacedSounds:
    rng = np.random.default_rng((seed, n_kinds))
    return placed_sounds(_shots(args), rng, n_kinds, level_db=level_db, snr_db=snr_db, per_kind=per_kind)


# --- clusters ---


def clusters(args: argparse.Namespace) -> None:
    """Compare our clusters, which know no number, with K-means told it, and with affinity propagation."""
    from sklearn.metrics import adjusted_rand_score

    print("| kinds | online | its least | clusters made | K-means, told k | affinity propagation |")
    print("|---|---|---|---|---|---|")
    for n_kinds in (2, 4, 8, 12):
        rows = []
        for seed in range(10):
            placed = _placed(args, seed, n_kinds, level_db=12, snr_db=20, per_kind=30)
            told, truth = _told(placed)
            points = _points(placed.y, [one.onset_s for one in told])
            ours = [one.cluster_id for one in told]
            labels = [ours, grouped(points, "kmeans", n_kinds), grouped(points, "affinity", None)]
            rows.append([*(adjusted_rand_score(truth, one) for one in labels), len(set(ours))])
        mean = np.mean(rows, axis=0)
        least = min(row[0] for row in rows)
        print(f"| {n_kinds} | {mean[0]:.3f} | {least:.2f} | {mean[3]:.1f} | {mean[1]:.3f} | {mean[2]:.3f} |")


def hard(args: argparse.Namespace) -> None:
    """Measure clusters among whose kinds are strums, double strokes and soft cymbals."""
    shots = {**_shots(args), **hard_shots(_shots(args), np.random.default_rng(3))}
    cymbals = sorted(name for name in _shots(args) if "cymbal" in name.lower())
    ways = (
        sorted(name for name in shots if name.startswith("strum")),
        sorted(name for name in shots if name.startswith("double")),
        cymbals,
    )
    easy = sorted(set(_shots(args)) - set(cymbals))
    print("| kinds | adjusted Rand index | its least | clusters made | sounds heard |\n|---|---|---|---|---|")
    for n_kinds in (2, 4, 8, 12):
        drawn = [np.random.default_rng((seed, n_kinds)) for seed in range(30)]
        n_hard = max(1, n_kinds // 3)
        kinds = [
            [str(rng.choice(ways[(seed + i) % 3])) for i in range(n_hard)] for seed, rng in enumerate(drawn)
        ]
        chosen = [
            [*dict.fromkeys(some), *rng.choice(easy, n_kinds - len(set(some)), replace=False)]
            for some, rng in zip(kinds, drawn, strict=True)
        ]
        _hard_row(str(n_kinds), shots, chosen, cymbals)
    only = [[one, two] for one in cymbals for two in [*ways[0], *ways[1]]]
    _hard_row("a soft cymbal and a strum or double stroke", shots, only, cymbals)


def _hard_row(title: str, shots: dict[str, Shot], chosen: list[list[str]], cymbals: Sequence[str]) -> None:
    """Place the sounds of each choice, cymbals softer than the others, and print how they are grouped."""
    from sklearn.metrics import adjusted_rand_score

    rows = []
    for seed, names in enumerate(chosen):
        placed = placed_sounds(
            {name: shots[name] for name in names}, np.random.default_rng((seed, 1)), len(names), level_db=12,
            snr_db=20, per_kind=30, apart_s=(0.25, 0.8), softer_db=dict.fromkeys(cymbals, SOFT_CYMBAL_DB),
        )  # fmt: skip
        told, truth = _told(placed)
        ours = [one.cluster_id for one in told]
        rows.append([adjusted_rand_score(truth, ours), len(set(ours)), len(truth) / len(placed.kinds)])
    index, made, heard = np.mean(rows, axis=0)
    print(f"| {title} | {index:.3f} | {min(row[0] for row in rows):.2f} | {made:.1f} | {heard:.3f} |")


def _told(placed: PlacedSounds) -> tuple[list[OnsetClusterFacts], list[int]]:
    """Return what the lane tells of those sounds that were placed, and of which kind each is."""
    facts, pairs = _matched(placed.y, placed.times_s)
    return [facts[j] for _, j in pairs], [int(placed.kinds[i]) for i, _ in pairs]


def _matched(y: Samples, times_s: Any) -> tuple[list[OnsetClusterFacts], list[tuple[int, int]]]:
    """Return what the lane tells, and which true sound each fact is of: pairs in the order of the facts."""
    lane = OnsetLane(OnsetSettings(max_onsets_per_second=25), SAMPLE_RATE_HZ, from_silence=True)
    facts = [one for one in [*lane.feed(y), *lane.finish(0.0)] if isinstance(one, OnsetClusterFacts)]
    pairs = mir_eval.util.match_events(times_s, np.array([one.onset_s for one in facts]), 0.05)
    return facts, sorted(pairs, key=lambda pair: pair[1])


def real(args: argparse.Namespace) -> None:
    """Compare our clusters of drum recordings with what is struck: drums struck together are a kind."""
    from sklearn.metrics import adjusted_rand_score

    print(
        "| recording | strokes heard | kinds | clusters made | adjusted Rand index |\n|---|---|---|---|---|"
    )
    scores = []
    with (args.annotated / "tracks.csv").open(encoding="utf-8") as rows:
        drums = [row for row in csv.DictReader(rows) if row["kind"] == "drum_only"]
    for row in drums:
        audio, annotation = (args.annotated.parent / row[column] for column in ("audio", "annotation"))
        times_s, struck = _strokes(annotation)
        facts, pairs = _matched(read(audio), times_s)
        ours, truth = [facts[j].cluster_id for _, j in pairs], [struck[i] for i, _ in pairs]
        scores.append(adjusted_rand_score(truth, ours))
        heard = f"{len(pairs)} of {len(struck)}"
        print(f"| {audio.stem} | {heard} | {len(set(truth))} | {len(set(ours))} | {scores[-1]:.2f} |")
    print(f"\nmean: {np.mean(scores):.2f}")


def _strokes(path: Path) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return when something is struck, and what: all drums that follow within `TOGETHER_S`."""
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    times_s = _onset_times(path)
    struck: list[set[str]] = [set() for _ in times_s]
    for at, drum in lines:
        struck[int(np.searchsorted(times_s, float(at), side="right")) - 1].add(drum)
    return times_s, ["+".join(sorted(one)) for one in struck]


def _points(y: Samples, times_s: Sequence[float]) -> npt.NDArray[np.float64]:
    samples = [round(at_s * SAMPLE_RATE_HZ) for at_s in times_s]
    return np.array([one.point for one in described([y], samples, "timbre")])


# --- drift, cost, memory ---


def drift(args: argparse.Namespace) -> None:
    """Follow eight kinds over hours in which the level wanders by ±6 dB, with a restart in the middle."""
    rng = np.random.default_rng(8)
    shots = _shots(args)
    names = rng.choice(sorted(shots), 8, replace=False)
    minutes = round(60 * args.hours)
    engine, offset_s, heard = Engine(onsets=OnsetSettings()), 0.0, []
    for minute in range(minutes):
        if minute == minutes // 2:
            memory = engine.memory()
            engine, offset_s = Engine(onsets=OnsetSettings()), 60.0 * minute
            assert memory is not None
            engine.remember(memory)
        y, truth = _minute(rng, shots, names, gain_db=6 * np.sin(2 * np.pi * minute / 73))
        facts = [one for one in engine.feed(y) if isinstance(one, OnsetClusterFacts)]
        times = np.array([one.onset_s + offset_s - 60 * minute for one in facts])
        pairs = mir_eval.util.match_events(np.array([at for at, _ in truth]), times, 0.05)
        heard += [(minute, truth[i][1], facts[j].cluster_id) for i, j in pairs]
    own = {kind: Counter(c for _, k, c in heard if k == kind).most_common(1)[0][0] for kind in range(8)}
    strays = sum(cluster != own[kind] for _, kind, cluster in heard)
    switches = sum(
        _majority(heard, kind, start) not in (own[kind], None)
        for kind in own for start in range(0, minutes, 10)
    )  # fmt: skip
    before, after = (
        {kind: _majority(heard, kind, start, 30) for kind in own}
        for start in (minutes // 2 - 30, minutes // 2)
    )
    print(f"sounds: {len(heard)}; identities of the eight kinds: {sorted(own.values())}")
    print(f"spells of 10 min in which a kind went under another identity: {switches} of {8 * minutes // 10}")
    print(f"sounds not under their kind's identity: {strays} ({1000 * strays / len(heard):.1f} in 1,000)")
    kept = sum(before[kind] == after[kind] for kind in own)
    print(f"kinds with the same identity before and after the restart: {kept} of {len(own)}")


def _minute(
    rng: np.random.Generator, shots: dict[str, Shot], names: Any, *, gain_db: float
) -> tuple[Samples, list[tuple[float, int]]]:
    y = 0.002 * rng.standard_normal(60 * SAMPLE_RATE_HZ)
    truth = []
    for at_s in np.arange(1.0, 57.5, 2.4) + rng.uniform(0, 0.5, 24):
        kind = int(rng.integers(len(names)))
        shot = shots[names[kind]]
        start = round(at_s * SAMPLE_RATE_HZ)
        y[start - shot.first : start - shot.first + len(shot.y)] += 0.2 / np.abs(shot.y).max() * shot.y
        truth.append((start / SAMPLE_RATE_HZ, kind))
    return (y * 10 ** (gain_db / 20)).astype(np.float32), truth


def _majority(heard: list[tuple[int, int, str]], kind: int, start: int, minutes: int = 10) -> str | None:
    here = Counter(c for at, k, c in heard if k == kind and start <= at < start + minutes)
    return here.most_common(1)[0][0] if here else None


def cost(args: argparse.Namespace) -> None:
    """Measure the CPU time of the onset lane, in blocks of 0.1 s."""
    placed = _placed(args, 1, 8, level_db=12, snr_db=20, per_kind=60)
    engine = Engine(onsets=OnsetSettings())
    begun = time.process_time()
    for start in range(0, len(placed.y), BLOCK_SAMPLES):
        engine.feed(placed.y[start : start + BLOCK_SAMPLES])
    seconds = time.process_time() - begun
    length_s = len(placed.y) / SAMPLE_RATE_HZ
    print(f"{len(placed.times_s) / length_s:.1f} sounds a second: {100 * seconds / length_s:.2f} % of a core")


def memory(args: argparse.Namespace) -> None:
    """Hear sounds of which a third never comes again, and watch memory and time.

    First the whole lane, with audio: ten clicks a second, as many as are told in the long run; what it takes
    to make them is in the time. Then the kinds alone, with ten times as many points.
    """
    for title, heard, n_sounds in (
        ("samples to events", _clicks_heard(), args.onsets // 10),
        ("kinds alone", _points_heard(), args.onsets),
    ):
        print(f"| {title}: sounds | identities given | µs a sound | peak memory of the process |")
        print("|---|---|---|---|")
        step, newest = max(1, n_sounds // 10), 0
        for number in range(step, n_sounds + 1, step):
            begun = time.process_time()
            newest = max(newest, *itertools.islice(heard, step))
            took_s = (time.process_time() - begun) / step
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"| {number:,} | {newest + 1:,} | {1e6 * took_s:.0f} | {peak_mb:.0f} MB |", flush=True)
        print()


def _clicks_heard() -> Iterator[int]:
    """Play clicks into a lane, a block for each; yield the identities of their kinds."""
    rng = np.random.default_rng(1)
    known = [_click(rng) for _ in range(40)]
    lane = OnsetLane(OnsetSettings(), SAMPLE_RATE_HZ)
    while True:
        y = 1e-4 * rng.standard_normal(BLOCK_SAMPLES)
        y[:CLICK_SAMPLES] += _click(rng) if rng.random() < 1 / 3 else known[rng.integers(len(known))]
        facts = lane.feed(y.astype(np.float32))
        yield from (int(one.cluster_id) for one in facts if isinstance(one, OnsetClusterFacts))


def _click(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a sound of 70 ms that dies away: some tones of its own."""
    t = np.arange(CLICK_SAMPLES) / SAMPLE_RATE_HZ
    tones = np.sin(2 * np.pi * np.outer(rng.uniform(100, 9000, 5), t))
    click: npt.NDArray[np.float64] = 0.1 * np.exp(-t / 0.015) * (rng.uniform(0, 1, 5) ** 2 @ tones)
    return click


def _points_heard() -> Iterator[int]:
    """Let kinds hear points ten times a second; yield the identity of the kind of each."""
    rng = np.random.default_rng(0)
    known = _directions(rng, 40)
    kinds = Kinds(known.shape[1])
    for number in itertools.count(1):
        new = rng.random() < 1 / 3
        point = _directions(rng, 1)[0] if new else known[rng.integers(len(known))]
        point = point + 0.01 * rng.standard_normal(len(point))
        yield kinds.hear(point, 0.01, number / 10).kind


def _directions(rng: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    points = np.abs(rng.standard_normal((n, 80))) ** 3
    unit: npt.NDArray[np.float64] = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit


# --- environment ---


def environment(args: argparse.Namespace) -> None:
    """Play a minute of barks, one of ticks and one of sneezes, and print who is taken for whom."""
    classes = ("dog_bark", "clock_tick", "person_sneeze")
    engine = Engine(onsets=OnsetSettings())
    events: list[tuple[str, OnsetClusterFacts]] = []
    for name in classes:
        y = _minute_of(sorted((args.environment / name).iterdir()), seed=len(name))
        events += [(name, one) for one in engine.feed(y) if isinstance(one, OnsetClusterFacts)]
    table = Counter((name, one.cluster_id) for name, one in events)
    ids = sorted({one.cluster_id for _, one in events}, key=lambda c: -sum(table[n, c] for n in classes))
    print(f"| cluster | {' | '.join(classes)} |\n|---|{'---|' * len(classes)}")
    for cluster in ids[:15]:
        print(f"| {cluster} | {' | '.join(str(table[name, cluster] or '') for name in classes)} |")
    rest = [sum(table[name, cluster] for cluster in ids[15:]) for name in classes]
    print(f"| {len(ids[15:])} more | {' | '.join(map(str, rest))} |")
    pure = sum(max(table[name, cluster] for name in classes) for cluster in ids)
    print(f"\nsounds: {len(events)}; in a cluster of which most are of their class: {pure / len(events):.2f}")
    sizes = [sum(table[name, cluster] for name in classes) for cluster in ids]
    often = [size for size in sizes if size > 2]
    share = sum(often) / len(events)
    print(f"clusters: {len(ids)}; of three sounds or more: {len(often)}, with {share:.2f} of the sounds")
    if args.plot:
        _plot(events, classes, args.plot)


def _minute_of(paths: Sequence[Path], *, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    y = 1e-4 * rng.standard_normal(60 * SAMPLE_RATE_HZ)
    at = 0
    while at < len(y):
        for path in paths:
            clip = read(path)
            room = y[at : at + len(clip)]
            room += 0.3 / np.abs(clip).max() * clip[: len(room)]
            at += len(clip)
    return y.astype(np.float32)


def _plot(events: list[tuple[str, OnsetClusterFacts]], classes: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure

    order = {c: n for n, c in enumerate(dict.fromkeys(one.cluster_id for _, one in events))}
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots()
    for name in classes:
        own = [one for said, one in events if said == name]
        axes.plot(
            [one.onset_s for one in own],
            [order[one.cluster_id] for one in own],
            "|",
            markersize=9,
            label=name,
        )
    axes.set(xlabel="seconds", ylabel="cluster, in order of appearance")
    axes.legend()
    figure.savefig(path)


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "detection": detection,
    "lines": lines,
    "going-on": still,
    "clusters": clusters,
    "hard": hard,
    "real": real,
    "drift": drift,
    "cost": cost,
    "memory": memory,
    "environment": environment,
}

if __name__ == "__main__":
    sys.exit(main())
