"""Render single lines of bowed and blown instruments, whose notes are known to the sample.

Run it as .venv/bin/python scripts/make_lines.py --soundfont FILE.sf2 --out DIR; soundfile, music21 and
tinysoundfont (`pip install --no-deps tinysoundfont`) are needed. The lines are parts of quartets and songs in
music21's corpus, moved by octaves into the range of each instrument, five for each: `legato` (no gaps,
vibrato), `slurred` (one sound whose pitch steps within 15 to 40 ms), `detached`, `repeated` (long notes are
played as several) and `swelling` (each note grows for 60 to 120 ms). Written: DIR/audio/*.flac,
DIR/annotations/*.txt with a line `time<TAB>pitch<TAB>time played` for each note, and DIR/tracks.csv. The
first time is when the note is heard: where its sound, played by itself, reaches a tenth of its peak. A note
that stays below a tenth of what else sounds is left out.
"""

import argparse
import csv
import itertools
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from beginnings.lines import CHANNELS, FURTHER, INSTRUMENTS, PLAYED, melodies, performance, rendered

from stream_match.capture.base import SAMPLE_RATE_HZ

MELODIES, APART = 48, 17
"""So many melodies are read, whatever the seed, for music21 takes seconds for each; another seed begins with
another one of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Render the lines; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = {**INSTRUMENTS, **FURTHER}
    parser.add_argument("--soundfont", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--instruments", nargs="+", choices=sorted(every), default=sorted(INSTRUMENTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--one-channel", action="store_true", help="what still rings is bent with the next phrase"
    )
    args = parser.parse_args(argv)
    import soundfile

    for folder in ("audio", "annotations"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    channels = CHANNELS[:1] if args.one_channel else CHANNELS
    wanted = [(name, played) for name in args.instruments for played in PLAYED]
    found = _from(args.seed * APART, list(itertools.islice(melodies(np.random.default_rng(0)), MELODIES)))
    with (args.out / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["audio", "annotation", "kind", "played"])
        for name, played in wanted:
            rng = np.random.default_rng(zlib.crc32(f"{args.seed} {name} {played}".encode()))
            notes = performance(next(found), every[name], played, rng)
            y, heard_s = rendered(notes, every[name], played, args.soundfont, rng, channels=channels)
            audio, annotation = f"audio/{name}-{played}.flac", f"annotations/{name}-{played}.txt"
            soundfile.write(args.out / audio, y, SAMPLE_RATE_HZ)
            told = sorted(zip(heard_s, notes, strict=True), key=lambda one: one[0])
            lines = "".join(
                f"{at_s:.4f}\t{note.key}\t{note.start_s:.4f}\n" for at_s, note in told if np.isfinite(at_s)
            )
            (args.out / annotation).write_text(lines, encoding="utf-8")
            rows.writerow([audio, annotation, name, played])
    return 0


def _from(first: int, found: Sequence[npt.NDArray[np.float64]]) -> Iterator[npt.NDArray[np.float64]]:
    """Yield things in a circle, from one of them on."""
    start = first % len(found)
    return itertools.cycle([*found[start:], *found[:start]])


if __name__ == "__main__":
    sys.exit(main())
