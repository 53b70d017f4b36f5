"""What clips cost, and how short a marked stretch may be; the figures of docs/clips.md.

    .venv/bin/python scripts/evaluate_clips.py marks --seconds 2.5 3 4 5
    .venv/bin/python scripts/evaluate_clips.py encoding
    .venv/bin/python scripts/evaluate_clips.py buffer

`marks`: stretches of twelve places in music made for this are added to the demo's index; each is played once
between two other pieces, clean and in white noise. Told are those that were recognised as themselves, and all
other matches. `encoding`: CPU time and bytes of a minute of music. `buffer`: what a minute of rolling buffer
takes, by block length.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog import add_tracks, load_index
from stream_match.clips import SourceAudio
from stream_match.clips.encoding import encoded
from stream_match.clips.samples import sixteen_bits
from stream_match.config import ClipSettings
from stream_match.engine import Engine
from stream_match.events import MatchFacts

DEMO = Path(__file__).parents[1] / "models" / "demo"
PLACES_S = (5.0, 21.37)
SEED = 1
BEFORE_S = 12.003
"""Not a multiple of a hop: what is broadcast begins anywhere."""


def main() -> None:
    """Run a part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    marks_parser = parts.add_parser("marks")
    marks_parser.add_argument("--seconds", type=float, nargs="+", default=[2.5, 3.0, 4.0, 5.0])
    parts.add_parser("encoding")
    parts.add_parser("buffer")
    args = parser.parse_args()
    if args.part == "marks":
        for seconds in args.seconds:
            marks(seconds)
    elif args.part == "encoding":
        encoding()
    else:
        buffer()


def marks(seconds: float) -> None:
    """Mark stretches of one length, play them, and print what was told."""
    stretches = list(_stretches(seconds))
    others = [render(replace(piece, seed=900 + n, tonic=piece.tonic + 2)) for n, piece in enumerate(PIECES)]
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(shutil.copytree(DEMO, Path(folder, "index")))
        marked = Path(folder, "audio", "marked")
        marked.mkdir(parents=True)
        for number, y in enumerate(stretches):
            soundfile.write(marked / f"{number}.flac", sixteen_bits(y), SAMPLE_RATE_HZ)
        add_tracks(index, [marked.parent], jobs=1, progress=False)
        catalogue = load_index(index)
        for noise_db in (None, 20, 10):
            right, others_told, known_s = 0, 0, []
            for number, y in enumerate(stretches):
                heard = _between(others[(number + 3) % len(others)], y)
                if noise_db is not None:
                    level = np.sqrt(np.mean(np.square(y))) * 10 ** (-noise_db / 20)
                    heard = heard + (level * rng.standard_normal(heard.size)).astype(np.float32)
                engine = Engine(catalogue)
                told = engine.feed(heard) + engine.flush()
                facts = [fact for fact in told if isinstance(fact, MatchFacts) and fact.phase == "started"]
                own = [fact for fact in facts if fact.track.id == f"marked/{number}"]
                right += bool(own)
                others_told += len(facts) - len(own)
                known_s += [fact.stream_s - BEFORE_S for fact in own[:1]]
            noise = "clean" if noise_db is None else f"noise at {noise_db} dB"
            known = f"known after {np.median(known_s):.1f} s (median)" if known_s else ""
            print(
                f"{seconds:g} s, {noise}: {right} of {len(stretches)}, other matches {others_told}; {known}"
            )


def encoding() -> None:
    """Print what a minute of music takes."""
    y = sixteen_bits(np.concatenate([render(piece) for piece in PIECES[:2]])[: 60 * SAMPLE_RATE_HZ])
    for format_ in ("flac", "opus"):
        began = time.process_time()
        size = len(encoded(y, format_))
        print(f"{format_}: {size / 1e3:.0f} kB, {time.process_time() - began:.2f} s of CPU")


def buffer() -> None:
    """Print what it takes to hold a minute."""
    for seconds in (0.01, 0.1, 1.0):
        audio = SourceAudio("a", ClipSettings(matches=True, buffer_seconds=60))
        y = render(PIECES[0])[: round(seconds * SAMPLE_RATE_HZ)]
        began = time.process_time()
        for _ in range(round(60 / seconds)):
            audio.hear(Block(y))
            audio.go_on()
        print(f"blocks of {seconds:g} s: {1000 * (time.process_time() - began):.0f} ms of CPU a minute")


def _stretches(seconds: float) -> Iterator[npt.NDArray[np.float32]]:
    for number, piece in enumerate(PIECES):
        y = render(replace(piece, seed=100 + number))
        for place_s in PLACES_S:
            yield y[round(place_s * SAMPLE_RATE_HZ) :][: round(seconds * SAMPLE_RATE_HZ)]


def _between(other: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    before = round(BEFORE_S * SAMPLE_RATE_HZ)
    return np.concatenate([other[:before], y, other[before : 2 * before]]).astype(np.float32)


if __name__ == "__main__":
    main()
