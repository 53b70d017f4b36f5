"""Learn models/onsets: the perceptron that tells a beginning from the changes of the spectrum around it.

Run it as .venv/bin/python scripts/learn_onsets.py --lines DIR... --behind DIR... --shots DIR... --soundfont
FILE.sf2 --talk DIR... --before DIR [--out DIR]. Lines are what scripts/make_lines.py renders, those behind
drums included; of the single sounds those are taken that scripts/evaluate_onsets.py leaves out; the soundfont
gives drums; talkers are what scripts/make_talk.py speaks; the earlier weights are what is learnt on from.
tinysoundfont is needed. docs/onsets.md has the commands of the shipped weights. No recording of its tables is
learnt from. Seeded: the same files give the same weights, but for the last bits, which are the processor's.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from beginnings.lines import FURTHER, INSTRUMENTS
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
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

OUT = Path(__file__).resolve().parents[1] / "models" / "onsets"
SEED = 20_261_128
HIDDEN = 40
PASSES, FINAL_PASSES = 14, 30
TRIALS = 4  # fits that differ in chance alone
BEFORE = 0.5  # the share of the earlier perceptron in what is taught
HEARD_SINCE = ("duet", *INSTRUMENTS, *FURTHER)
"""Of these the earlier one is not asked: it learnt that a note begins where it is played, and a slow note is
not heard there yet."""
UNTAUGHT = ("beep", "burst", "start")  # where the earlier one errs
BATCH = 1024
RATE = 2e-3
DECAY = 1e-4
TIMING = 0.2  # weight of the error of a time [frames squared] against the logistic loss
KEPT = 0.5  # of the frames in which nothing begins
WARM_UP_FRAMES = 8
CLOSE_FRAMES = (5, 8)  # between two sounds that are so near, none begins
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

**How.** {trials} perceptrons were fitted to that. The shipped one began as an earlier one, and was fitted to
what the earlier one ({before:.0%}) and these say in the mean, in log odds; of lines and duets to what these
say alone; to what is known where the earlier one errs ({untaught}). docs/onsets.md has the commands.

**Limits.** Its notes are a soundfont's and its rooms are noise that dies away. What it is worth on
recordings, docs/onsets.md says.

**Licence.** Dedicated to the public domain (CC0 1.0).
"""


class Examples(NamedTuple):
    """Frames to learn from.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, n_inputs), dtype=float32]
        The changes around each.
    offsets : np.ndarray [shape=(n,), dtype=float32]
        How many frames later a sound begins, or NaN.
    sure : np.ndarray [shape=(n,), dtype=bool]
        Whether that is known.
    taught : np.ndarray [shape=(n,), dtype=bool]
        Whether other perceptrons are asked instead.
    before : np.ndarray [shape=(n,), dtype=float32]
        The share of the earlier one among them, in [0, 1].
    """

    rows: Float32
    offsets: Float32
    sure: Bool
    taught: Bool
    before: Float32


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
    parser.add_argument("--behind", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--shots", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--soundfont", type=Path, required=True, metavar="FILE")
    parser.add_argument("--talk", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--before", type=Path, required=True, metavar="DIR", help="the earlier weights")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    args = parser.parse_args(argv)
    making, looking, fitting = np.random.default_rng(SEED).spawn(3)
    singles = single_sounds(args.shots)
    shots = {path.name: singles[path] for path in of_the_fitting(singles)}
    talk = sorted(path for folder in args.talk for path in folder.rglob("*") if path.suffix in AUDIO)
    if not shots or not talk:
        raise StreamMatchError("there are no single sounds, or no talkers")
    before = Perceptron(*(np.load(args.before / f"{name}.npy") for name in Perceptron._fields))
    pieces, kinds, seconds = [], Counter[str](), 0.0
    for one in material(args.lines, args.behind, shots, args.soundfont, talk, making):
        changes, offsets, sure = _examples(one, looking)
        kept = np.isfinite(offsets) | (looking.random(len(offsets)) < KEPT)
        taught = np.full(kept.sum(), one.kind not in UNTAUGHT)
        share = np.full(kept.sum(), 0 if one.kind in HEARD_SINCE else BEFORE, np.float32)
        pieces.append(Examples(changes[kept], offsets[kept], sure[kept], taught, share))
        kinds[one.kind] += 1
        seconds += len(one.y) / SAMPLE_RATE_HZ
    examples = Examples(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))
    perceptron = learnt(examples, before, fitting)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, array in perceptron._asdict().items():
        np.save(args.out / f"{name}.npy", array)
    files = (*args.lines, *args.behind, *args.shots, args.soundfont, *args.talk)
    names = dict.fromkeys(file.name for file in files)
    card = CARD.format(
        inputs=len(perceptron.mean), hidden=HIDDEN, seconds=seconds, frames=len(examples.rows),
        folders=", ".join(names), trials=TRIALS, before=BEFORE, untaught=", ".join(UNTAUGHT),
        kinds="\n".join(f"| {kind} | {count} |" for kind, count in sorted(kinds.items())),
    )  # fmt: skip
    (args.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return 0


def _examples(one: Material, rng: np.random.Generator) -> tuple[Float32, Float32, Bool]:
    """Return the changes around each frame, how many frames later a sound begins, and whether that is sure.

    Half of the material begins in silence; the other half in the middle, where what sounds has begun before.
    """
    y, onsets_s = one.y.astype(np.float32), one.onsets_s
    from_silence = rng.random() < 0.5
    if from_silence:
        y, shift = np.concatenate([np.zeros(N_FFT, np.float32), y]), N_FFT
    else:
        shift = -int(rng.integers(min(SAMPLE_RATE_HZ, len(y) // 3)))
        y = y[-shift:]
    changes = Flux(SAMPLE_RATE_HZ).feed(y)
    rows = in_context(np.concatenate([np.repeat(changes[:1], BEHIND_FRAMES, axis=0), changes]))
    places = (onsets_s * SAMPLE_RATE_HZ + shift - N_FFT) / HOP_SAMPLES + DELAY_FRAMES
    offsets, sure = _labels(places, len(rows))
    if from_silence:
        sure[:WARM_UP_FRAMES] = False
    return rows, offsets, sure


def _labels(places: Float64, n_frames: int) -> tuple[Float32, Bool]:
    """Return how many frames after each one a sound begins (NaN: none), and whether that is sure.

    A sound begins in three frames, the two beside them may go either way, unless another one is as near as
    50 to 80 ms, and in all others there is none.
    """
    offsets, sure = np.full(n_frames, np.nan, np.float32), np.ones(n_frames, bool)
    for place in places:
        frames = np.arange(max(0, round(place) - 2), min(n_frames, max(0, round(place) + 3)))
        sure[frames] = False
        if place < FIRST_FRAMES:
            continue
        frames = frames[np.abs(frames - round(place)) <= 1]
        offsets[frames] = place - frames
    sure |= np.isfinite(offsets)
    frames = np.sort(np.round(places).astype(int))
    for one, other in itertools.pairwise(frames):
        if CLOSE_FRAMES[0] <= other - one <= CLOSE_FRAMES[1]:
            sure[max(0, one + 2) : max(0, other - 1)] = True
    return offsets, sure


def learnt(examples: Examples, before: Perceptron, rng: np.random.Generator) -> Perceptron:
    """Fit some perceptrons to what is known, and a last one to what they and an earlier one say in the mean.

    Each errs in its own way where material is unlike what it was learnt from, and the mean less (Hinton,
    Vinyals and Dean, "Distilling the knowledge in a neural network", 2015). The last one begins as that.

    Parameters
    ----------
    examples : Examples
    before : Perceptron
    rng : np.random.Generator
    """
    *own, last = rng.spawn(TRIALS + 1)
    truth = np.isfinite(examples.offsets).astype(np.float32)
    known = examples.rows[examples.sure], truth[examples.sure], examples.offsets[examples.sure]
    fits = [fitted(_fresh(known[0], one), *known, PASSES, one) for one in own]
    log_odds = np.mean([_log_odds(fit, examples.rows) for fit in fits], axis=0)
    share = examples.before
    log_odds = share * _log_odds(before, examples.rows) + (1 - share) * log_odds
    odds = np.where(examples.taught, 1 / (1 + np.exp(-log_odds)), truth).astype(np.float32)
    used = examples.taught | examples.sure
    return fitted(before, examples.rows[used], odds[used], examples.offsets[used], FINAL_PASSES, last)


def fitted(
    first: Perceptron,
    rows: Float32,
    begins: Float32,
    offsets: Float32,
    passes: int,
    rng: np.random.Generator,
) -> Perceptron:
    """Fit a perceptron to rows by Adam (Kingma and Ba, 2015), the rate falling as a cosine.

    Parameters
    ----------
    first : Perceptron
        What it begins as; mean and deviation stay.
    rows : np.ndarray [shape=(n, n_inputs), dtype=float32]
    begins : np.ndarray [shape=(n,), dtype=float32]
        The probability that a sound begins.
    offsets : np.ndarray [shape=(n,), dtype=float32]
        How many frames later it does, or NaN.
    passes : int
    rng : np.random.Generator
    """
    seen = _standardised(first, rows)
    weights = [one.copy() for one in first[2:]]
    mean, square = [np.zeros_like(one) for one in weights], [np.zeros_like(one) for one in weights]
    batches = len(seen) // BATCH
    steps = passes * batches
    for step in range(1, steps + 1):
        at = (step - 1) % batches
        if at == 0:
            order = rng.permutation(len(seen))
        batch = order[at * BATCH : (at + 1) * BATCH]
        rate = RATE / 2 * (1 + np.cos(np.pi * step / steps))
        for i, slope in enumerate(_slopes(weights, seen[batch], begins[batch], offsets[batch])):
            mean[i] = 0.9 * mean[i] + 0.1 * slope
            square[i] = 0.999 * square[i] + 0.001 * slope**2
            scale = np.sqrt(square[i] / (1 - 0.999**step)) + 1e-8
            weights[i] -= (rate * mean[i] / (1 - 0.9**step) / scale).astype(np.float32)
    return Perceptron(first.mean, first.deviation, weights[0], weights[1], weights[2], weights[3])


def _fresh(rows: Float32, rng: np.random.Generator) -> Perceptron:
    """Return a perceptron that has learnt nothing but the scale of some rows."""
    n_inputs = rows.shape[1]
    hidden = (rng.standard_normal((n_inputs, HIDDEN)) / np.sqrt(n_inputs)).astype(np.float32)
    output = (rng.standard_normal((HIDDEN, 2)) / np.sqrt(HIDDEN)).astype(np.float32)
    deviation = rows.std(axis=0) + np.float32(1e-3)
    bias, output_bias = np.zeros(HIDDEN, np.float32), np.array([-2, 0], np.float32)
    return Perceptron(rows.mean(axis=0), deviation, hidden, bias, output, output_bias)


def _standardised(net: Perceptron, rows: Float32) -> Float32:
    seen: Float32 = np.clip((rows - net.mean) / net.deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return seen


def _log_odds(net: Perceptron, rows: Float32) -> Float32:
    units = np.tanh(_standardised(net, rows) @ net.hidden + net.hidden_bias)
    log_odds: Float32 = units @ net.output[:, 0] + net.output_bias[0]
    return log_odds


def _slopes(weights: list[Float32], rows: Float32, begins: Float32, offsets: Float32) -> list[Float32]:
    """Return the slopes of the logistic loss, the squared error of offsets, and decay of the first layer."""
    hidden, bias, output, output_bias = weights
    known = np.isfinite(offsets)
    units = np.tanh(rows @ hidden + bias)
    told = units @ output + output_bias
    wrong = np.stack(
        [1 / (1 + np.exp(-told[:, 0])) - begins, np.where(known, told[:, 1] - offsets, 0)], axis=1
    )
    wrong = (wrong * np.array([1, TIMING]) / len(rows)).astype(np.float32)
    back = wrong @ output.T * (1 - units**2)
    return [rows.T @ back + np.float32(DECAY) * hidden, back.sum(axis=0), units.T @ wrong, wrong.sum(axis=0)]


if __name__ == "__main__":
    sys.exit(main())
