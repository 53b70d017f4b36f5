"""Make a corpus of versions, in the measuring kit's form, of human performances of piano music.

Run it as .venv/bin/python scripts/make_performances.py OUT, then scripts/evaluate.py OUT --steps versions.
The performances are those of ASAP (MIDI, non-commercial: for testing only), rendered by tinysoundfont. One
pianist of each piece goes into OUT/versions/ref, stretches of the others into OUT/versions/query; of every
third piece there is no reference. Beat annotations say which stretch of the reference a query is, and how
much faster.
"""

import argparse
import csv
import itertools
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
ASAP = ROOT.parent / "shared" / "audio" / "versions" / "asap"
RATE_HZ = 22_050
QUERIES = 8
COLUMNS = [
    "query",
    "piece",
    "in_set",
    "tempo_ratio",
    "semitones",
    "reference_start_s",
    "instruments",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Render everything; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--asap", type=Path, default=ASAP, metavar="DIR", help="default ../shared/audio/…")
    parser.add_argument("--query-seconds", type=float, default=20, metavar="S", help="default %(default)s")
    parser.add_argument(
        "--query-program",
        type=int,
        default=6,
        metavar="N",
        help="General MIDI instrument of the queries (default %(default)s, harpsichord): on the own "
        "piano of the references, 0, notes are the very samples, and passages pass for the recording",
    )
    args = parser.parse_args(argv)
    missing = [name for name in ("tinysoundfont", "pretty_midi") if find_spec(name) is None]
    if missing or not (args.asap / "pieces.csv").is_file():
        what = (
            f"{missing[0]}: pip install --no-deps {missing[0]}" if missing else f"pieces.csv in {args.asap}"
        )
        print(f"make_performances: missing {what}", file=sys.stderr)
        return 2
    with (args.asap / "pieces.csv").open(encoding="utf-8") as handle:
        performances = sorted(csv.DictReader(handle), key=lambda row: (row["composer"], row["title"]))
    out = args.out / "versions"
    for folder in ("ref", "query"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rows = []
    pieces = itertools.groupby(performances, key=lambda row: f"{row['composer']}_{row['title']}")
    for number, (piece, players) in enumerate(pieces):
        rows += _make_piece(piece, list(players), args, out, in_set=number % 3 != 2)
    with (out / "versions.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    return 0


def _make_piece(
    piece: str, players: list[dict[str, str]], args: argparse.Namespace, out: Path, *, in_set: bool
) -> list[list[object]]:
    """Render a piece; return a row for each query."""
    indexed, *others = players
    if in_set:
        _write(out / "ref" / f"{piece}.wav", _render(args.asap / indexed["midi_performance"], program=0))
    there = _beats(args.asap / indexed["performance_annotations"])
    rows: list[list[object]] = []
    for other in others:
        y = _render(args.asap / other["midi_performance"], program=args.query_program)
        here = _beats(args.asap / other["performance_annotations"])
        last_s = min(here[-1], len(y) / RATE_HZ) - args.query_seconds
        for k, begin_s in enumerate(np.linspace(here[0], last_s, QUERIES)):
            name = f"query/{piece}_{other['performer']}_{k}.wav"
            end_s = begin_s + args.query_seconds
            _write(out / name, y[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)])
            first, last = np.interp([begin_s, end_s], here, there)
            ratio = (last - first) / args.query_seconds
            rows.append(
                [name, piece, int(in_set), f"{ratio:.4f}", 0, f"{first:.2f}", f"0 > {args.query_program}"]
            )
    return rows


def _beats(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the times of the beats; the n-th beat is the same in every performance of a piece."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return np.array([float(line.split("\t")[0]) for line in lines])


def _render(midi: Path, *, program: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    import tinysoundfont

    spec = find_spec("pretty_midi")
    assert spec is not None
    assert spec.origin is not None
    synth: Any = tinysoundfont.Synth(gain=-10, samplerate=RATE_HZ)
    font = synth.sfload(str(Path(spec.origin).parent / "TimGM6mb.sf2"))
    player: Any = tinysoundfont.Sequencer(synth)
    change = tinysoundfont.midi.ProgramChange
    player.midi_load(str(midi), filter=lambda event: isinstance(event.action, change))
    seconds = max(event.t for event in player.events) + 2
    for channel in range(16):
        synth.program_select(channel, font, 0, program)
    blocks = [
        np.frombuffer(synth.generate(RATE_HZ // 10), np.float32).reshape(-1, 2).mean(axis=1)
        for _ in range(round(10 * seconds))
    ]
    y = np.concatenate(blocks)
    scaled: np.ndarray[tuple[int], np.dtype[np.float32]] = (0.5 * y / np.abs(y).max()).astype(np.float32)
    return scaled


def _write(path: Path, y: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    soundfile.write(path, y, RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    sys.exit(main())
