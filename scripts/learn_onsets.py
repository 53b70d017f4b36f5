"""Learn models/onsets: the perceptron that tells a beginning from the changes of the spectrum around it.

Run it as .venv/bin/python scripts/learn_onsets.py --lines DIR... --shots DIR... --soundfont FILE.sf2
--talk DIR... [--out DIR]. Lines are what scripts/make_lines.py renders; of the single sounds those are taken
that scripts/evaluate_onsets.py leaves out; the soundfont gives drums; talkers are recordings of single
voices. tinysoundfont is needed. No recording of the tables in docs/onsets.md is used. Seeded: the same files
give the same weights, but for the last bits, which are the processor's.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from beginnings.material import Material, material
from beginnings.one_shots import AUDIO, of_the_fitting, single_sounds

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.errors import StreamMatchError
from stream_match.onsets.activation import (
    BEHIND_FRAMES,
    MOST_DEVIATIONS,
    Perceptron,
    in_context,
)
from stream_match.onsets.detector import DELAY_FRAMES
from stream_match.onsets.flux import HOP_SAMPLES, N_FFT, Flux

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

OUT = Path(__file__).resolve().parents[1] / "models" / "onsets"
SEED = 20_261_128
HIDDEN = 40
PASSES = 28
BATCH = 1024
RATE = 2e-3
DECAY = 1e-4
TIMING = 0.2  # weight of the error of a time [frames squared] against the logistic loss
KEPT = 0.5  # of the frames in which nothing begins
WARM_UP_FRAMES = 8
FIRST_FRAMES = 4  # what begins before them cannot be seen to rise

CARD = """# When a sound begins

The perceptron of the onset lane of stream-match: the changes of the spectrum around a frame in, the log odds
that a sound begins there out.

**What it is.** {inputs} inputs, which are standardised by `mean.npy` and `deviation.npy`, {hidden} tanh units
and two outputs: log odds, and by how many frames the sound begins later. Arrays of float32, without pickle.

**What it was learnt from.** {seconds:.0f} s of sounds whose beginnings are known to the sample, {frames}
frames, made by `scripts/learn_onsets.py`:

| kind | pieces |
|---|---|
{kinds}

Files: {folders}. It holds no audio.

**Limits.** Its notes are a soundfont's and its rooms are noise that dies away. What it is worth on
recordings, docs/onsets.md says.

**Licence.** Dedicated to the public domain (CC0 1.0).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Learn and write; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--shots", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--soundfont", type=Path, required=True, metavar="FILE")
    parser.add_argument("--talk", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(SEED)
    singles = single_sounds(args.shots)
    shots = {path.name: singles[path] for path in of_the_fitting(singles)}
    talk = sorted(path for folder in args.talk for path in folder.rglob("*") if path.suffix in AUDIO)
    if not shots or not talk:
        raise StreamMatchError("there are no single sounds, or no talkers")
    rows, labels, kinds, seconds = [], [], Counter[str](), 0.0
    for one in material(args.lines, shots, args.soundfont, talk, rng):
        changes, offsets, sure = _examples(one, rng)
        kept = sure & (np.isfinite(offsets) | (rng.random(len(offsets)) < KEPT))
        rows.append(changes[kept])
        labels.append(offsets[kept])
        kinds[one.kind] += 1
        seconds += len(one.y) / SAMPLE_RATE_HZ
    perceptron = learnt(np.concatenate(rows), np.concatenate(labels), rng)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, array in perceptron._asdict().items():
        np.save(args.out / f"{name}.npy", array)
    folders = ", ".join(folder.name for folder in (*args.lines, *args.shots, args.soundfont, *args.talk))
    card = CARD.format(
        inputs=len(perceptron.mean), hidden=HIDDEN, seconds=seconds, frames=sum(map(len, labels)),
        folders=folders,
        kinds="\n".join(f"| {kind} | {count} |" for kind, count in sorted(kinds.items())),
    )  # fmt: skip
    (args.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return 0


def _examples(one: Material, rng: np.random.Generator) -> tuple[Float32, Float32, Bool]:
    """Return the changes around each frame, how many frames later a sound begins, and whether that is sure.

    A sound begins in three frames, the two beside them may go either way, and in all others there is none
    (NaN). Half of the material begins in silence, where it may go either way as well; the other half in the
    middle, where what sounds has begun before.
    """
    y, onsets_s = one.y.astype(np.float32), one.onsets_s
    from_silence = rng.random() < 0.5
    if from_silence:
        y, shift = np.concatenate([np.zeros(N_FFT, np.float32), y]), N_FFT
    else:
        shift = -int(rng.integers(SAMPLE_RATE_HZ))
        y = y[-shift:]
    changes = Flux(SAMPLE_RATE_HZ).feed(y)
    rows = in_context(np.concatenate([np.repeat(changes[:1], BEHIND_FRAMES, axis=0), changes]))
    offsets, sure = np.full(len(rows), np.nan, np.float32), np.ones(len(rows), bool)
    for sample in onsets_s * SAMPLE_RATE_HZ + shift:
        place = (sample - N_FFT) / HOP_SAMPLES + DELAY_FRAMES
        frames = np.arange(max(0, round(place) - 2), min(len(rows), max(0, round(place) + 3)))
        sure[frames] = False
        if place < FIRST_FRAMES:
            continue
        frames = frames[np.abs(frames - round(place)) <= 1]
        offsets[frames] = place - frames
    sure |= np.isfinite(offsets)
    if from_silence:
        sure[:WARM_UP_FRAMES] = False
    return rows, offsets, sure


def learnt(rows: Float32, offsets: Float32, rng: np.random.Generator) -> Perceptron:
    """Fit a perceptron to labelled rows by Adam (Kingma and Ba, 2015), the rate falling as a cosine.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, n_inputs), dtype=float32]
    offsets : np.ndarray [shape=(n,), dtype=float32]
        How many frames later a sound begins, or NaN.
    rng : np.random.Generator
    """
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + np.float32(1e-3)
    seen = np.clip((rows - mean) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    hidden = rng.standard_normal((seen.shape[1], HIDDEN)) / np.sqrt(seen.shape[1])
    output = rng.standard_normal((HIDDEN, 2)) / np.sqrt(HIDDEN)
    weights = [one.astype(np.float32) for one in (hidden, np.zeros(HIDDEN), output, np.array([-2.0, 0.0]))]
    first, second = [np.zeros_like(one) for one in weights], [np.zeros_like(one) for one in weights]
    steps = PASSES * (len(seen) // BATCH)
    for step in range(1, steps + 1):
        at = (step - 1) % (len(seen) // BATCH)
        if at == 0:
            order = rng.permutation(len(seen))
        batch = order[at * BATCH : (at + 1) * BATCH]
        rate = RATE / 2 * (1 + np.cos(np.pi * step / steps))
        for i, slope in enumerate(_slopes(weights, seen[batch], offsets[batch])):
            first[i] = 0.9 * first[i] + 0.1 * slope
            second[i] = 0.999 * second[i] + 0.001 * slope**2
            scale = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
            weights[i] -= (rate * first[i] / (1 - 0.9**step) / scale).astype(np.float32)
    return Perceptron(mean, deviation, weights[0], weights[1], weights[2], weights[3])


def _slopes(weights: list[Float32], rows: Float32, offsets: Float32) -> list[Float32]:
    """Return the slopes of the logistic loss, the squared error of offsets, and decay of the first layer."""
    hidden, bias, output, output_bias = weights
    begins = np.isfinite(offsets)
    units = np.tanh(rows @ hidden + bias)
    told = units @ output + output_bias
    wrong = np.stack(
        [1 / (1 + np.exp(-told[:, 0])) - begins, np.where(begins, told[:, 1] - offsets, 0)], axis=1
    )
    wrong = (wrong * np.array([1, TIMING]) / len(rows)).astype(np.float32)
    back = wrong @ output.T * (1 - units**2)
    return [rows.T @ back + np.float32(DECAY) * hidden, back.sum(axis=0), units.T @ wrong, wrong.sum(axis=0)]


if __name__ == "__main__":
    sys.exit(main())
