"""Learn models/shapes: along which directions of the spectrum rooms, noise and talkers change music.

Run it as .venv/bin/python scripts/learn_shapes.py --music DIR... --talk DIR... [--out DIR], with music
that no test and no report uses, and recordings of single talkers. Excerpts are drawn from the music and
damaged by chance: small loudspeakers in noisy rooms, coloured noise, talkers, echo, a clock a little off.
Pairs of what was played and what is heard give three arrays: the directions of the spectrum in which the two
agree best against how they differ, the covariance of the differences over some time, and how music goes on
along the directions. Seeded: the same files give the same arrays, but for the last bits, which are the
processor's.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.signal

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.config import FeatureSettings
from stream_match.errors import StreamMatchError
from stream_match.features.contrast import N_BANDS, contrast_bands, log_frequency_filter
from stream_match.features.learnt import BASIS_FILE, LAG_S, MUSIC_FILE, NOISE_FILE
from stream_match.features.shape import shape_bands
from stream_match.features.smoothing import smooth
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

OUT = Path(__file__).resolve().parents[1] / "models" / "shapes"
AUDIO = {".flac", ".wav", ".ogg", ".mp3", ".opus"}
SEED = 20_261_127
EXCERPT_S = 8.0
EXCERPTS = 5  # of each file
COPIES = 2  # of each excerpt
SILENT_RMS = 10 ** (-50 / 20)
KINDS = {"room": 0.3, "noise": 0.25, "talk": 0.25, "echo": 0.1, "turned": 0.1}
GROUPS = (("noise",), ("room", "echo"), ("talk",), tuple(KINDS))  # each has hyperplanes of its own
DIRECTIONS = 96
LAGS = 9
TAPS = 4095
MOST_TURNED = 0.012  # a fifth of a semitone; at the ends, 48 ms

# What small loudspeakers leave, in dB, fitted to real ones: none to six fifths of it is taken.
SPEAKER_HZ = np.array([50.0, 100, 160, 250, 500, 1000, 2000, 5000, 11025])
SPEAKER_DB = np.array([-60.0, -45, -35, -27, -19, -8, -5, -5, -10])

CARD = """# What rooms change

Three arrays for stream-match: the basis of the spectral shape, how noise changes its coefficients, and how
music goes on along them.

**What it is.** {pairs} pairs of excerpts of {seconds:.0f} s, as played and as heard, gave directions along
the 202 bands of the log-frequency spectrum, in the order of their canonical correlation ({first:.2f} for the
first, {last:.2f} for the last), covariances of the differences, and second moments of what was played.
`scripts/learn_shapes.py` says how the excerpts are damaged.

| file | what |
|---|---|
| `basis.npy` | directions, 202 x {directions}, float32 |
| `noise.npy` | covariances of the differences, {groups} x {lags} x {directions} x {directions}, float32 |
| `music.npy` | second moments of 1 and the coefficients, {lags} x {moments} x {moments}, float32 |

**What it was learnt from.** {files} files of music and {talkers} of talkers, in folders named:
{folders}. It holds no audio.

**Limits.** It knows music of computer games, most of it synthesised, and few voices.

**Licence.** Dedicated to the public domain (CC0 1.0).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Learn and write; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--talk", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="models/shapes by default")
    given = parser.parse_args(argv)
    music, talkers = files_in(given.music), files_in(given.talk)
    talk = [said for path in talkers if len(said := read(path))]
    if not talk:
        parser.error("--talk has no audio that can be read")
    pairs = list(pairs_of(music, talk))
    if missing := set(KINDS) - {pair.kind for pair in pairs}:
        parser.error(f"--music has too little to be damaged in every way: no {', '.join(sorted(missing))}")
    learnt = learn(pairs)
    given.out.mkdir(parents=True, exist_ok=True)
    arrays = ((BASIS_FILE, learnt.basis), (NOISE_FILE, learnt.noise), (MUSIC_FILE, learnt.music))
    for name, values in arrays:
        np.save(given.out / name, values.astype(np.float32), allow_pickle=False)
    folders = ", ".join(sorted({folder.name for folder in (*given.music, *given.talk)}))
    text = CARD.format(
        pairs=learnt.n_pairs, seconds=EXCERPT_S, first=learnt.correlations[0], last=learnt.correlations[-1],
        directions=DIRECTIONS, moments=1 + DIRECTIONS, lags=LAGS, groups=len(GROUPS), files=len(music),
        talkers=len(talkers), folders=folders,
    )  # fmt: skip
    (given.out / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    return 0


def files_in(folders: Sequence[Path]) -> list[Path]:
    """Return the audio files in folders, in a fixed order."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in AUDIO)


def read(path: Path) -> Float32:
    """Return all of a file at the rate of the features; nothing of one that cannot be read."""
    try:
        return np.concatenate([np.empty(0, np.float32), *read_blocks(str(path))])
    except StreamMatchError as error:
        print(f"left out: {error}", file=sys.stderr)
        return np.empty(0, np.float32)


@dataclass(frozen=True)
class Pair:
    """Smoothed spectra of an excerpt as it is played and as it is heard [shape=(n, 202), dtype=float32]."""

    kind: str
    played: Float32
    heard: Float32


def pairs_of(music: Sequence[Path], talk: Sequence[Float32]) -> Iterator[Pair]:
    """Yield pairs of excerpts."""
    n = int(EXCERPT_S * SAMPLE_RATE_HZ)
    for number, path in enumerate(music):
        y = read(path)
        rng = np.random.default_rng([SEED, number])
        if len(y) < 2 * n:
            continue
        for _ in range(EXCERPTS):
            first = int(rng.integers(len(y) - n))
            excerpt = y[first : first + n].astype(np.float64)
            if rms(excerpt) < SILENT_RMS:
                continue
            played = spectra(excerpt)
            for kind in rng.choice(list(KINDS), COPIES, p=list(KINDS.values())):
                yield Pair(str(kind), played, spectra(damaged(str(kind), excerpt, talk, rng)))


def spectra(y: Float64) -> Float32:
    """Return the smoothed shape bands of samples, one row per hop."""
    settings = FeatureSettings()
    frames = FrameBuffer(settings.n_fft_samples, settings.hop_samples).feed(
        (0.5 * y / np.abs(y).max()).astype(np.float32)
    )
    bands = log_frequency_filter(settings.sample_rate_hz, settings.n_fft_samples)
    contrast = contrast_bands(magnitudes(frames, hann(settings.n_fft_samples)), bands)
    return smooth(shape_bands(contrast), settings.smooth_frames)


def damaged(kind: str, y: Float64, talk: Sequence[Float32], rng: np.random.Generator) -> Float64:
    """Return an excerpt as it is heard."""
    if kind == "room":
        return _in_a_room(y, talk, rng)
    if kind == "noise":
        return mixed(y, coloured(len(y), float(rng.uniform(-6, 0)), rng), float(rng.uniform(-8, 6)))
    if kind == "talk":
        talkers = int(rng.integers(1, 9))
        least = -18 if talkers == 1 else -8
        return mixed(y, talking(len(y), talkers, talk, rng), float(rng.uniform(least, 3)))
    if kind == "echo":
        room = response(float(rng.uniform(0.2, 0.8)), float(rng.uniform(-3, 8)), rng)
        return mixed(scipy.signal.fftconvolve(y, room)[: len(y)], coloured(len(y), -3.0, rng), 30.0)
    return turned(y, float(rng.uniform(-MOST_TURNED, MOST_TURNED)))


def turned(y: Float64, faster: float) -> Float64:
    """Return samples played a little faster, or slower, about their middle."""
    middle = (len(y) - 1) / 2
    at = middle + (np.arange(len(y)) - middle) * (1 + faster)
    moved: Float64 = np.interp(at, np.arange(len(y)), y, 0, 0)
    return moved


def _in_a_room(y: Float64, talk: Sequence[Float32], rng: np.random.Generator) -> Float64:
    """Play an excerpt through a small loudspeaker, in a room with noise and talkers."""
    ripple = rng.normal(0, 3, len(SPEAKER_DB))
    played = filtered(y, SPEAKER_DB * rng.uniform(0, 6 / 5) + ripple)
    room = response(float(rng.uniform(0.2, 0.8)), float(rng.uniform(-3, 8)), rng)
    played = scipy.signal.fftconvolve(played, room)[: len(y)]
    noise = coloured(len(y), float(rng.uniform(-6, 0)), rng)
    noise = filtered(noise / rms(noise), rng.normal(0, 3, len(SPEAKER_DB))) * rng.uniform(0.2, 1)
    talkers = talking(len(y), int(rng.integers(1, 6)), talk, rng)
    noise += (
        scipy.signal.fftconvolve(talkers, room)[: len(y)] * rng.uniform(0, 1) / (rms(talkers) * rms(room))
    )
    return mixed(played, noise, float(np.clip(rng.normal(-8, 7), -20, 6)))


def response(rt60_s: float, direct_db: float, rng: np.random.Generator) -> Float64:
    """Return the direct sound and a decaying tail of noise, with so much less energy."""
    n = int(1.2 * rt60_s * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / SAMPLE_RATE_HZ / rt60_s)
    tail[: int(0.005 * SAMPLE_RATE_HZ)] = 0
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1
    return tail


def filtered(y: Float64, gains_db: Float64) -> Float64:
    """Return samples with gains at `SPEAKER_HZ`, straight lines between them over the logarithm."""
    grid = np.geomspace(20, SAMPLE_RATE_HZ / 2, 256)
    gains = 10 ** (np.interp(np.log(grid), np.log(SPEAKER_HZ), gains_db) / 20)
    taps = scipy.signal.firwin2(
        TAPS, np.r_[0, grid[:-1], SAMPLE_RATE_HZ / 2], np.r_[0, gains], fs=SAMPLE_RATE_HZ
    )
    shaped: Float64 = scipy.signal.fftconvolve(y, taps)[TAPS // 2 : TAPS // 2 + len(y)]
    return shaped


def coloured(n: int, slope_db: float, rng: np.random.Generator) -> Float64:
    """Return noise whose density falls by so many dB an octave."""
    hz = np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ), 20.0)
    noise: Float64 = np.fft.irfft(
        np.fft.rfft(rng.standard_normal(n)) * 10 ** (slope_db * np.log2(hz / 1000) / 20), n
    )
    return noise


def talking(n: int, talkers: int, talk: Sequence[Float32], rng: np.random.Generator) -> Float64:
    """Return so many talkers at once, of equal level, with pauses between what they say."""
    together = np.zeros(n)
    for _ in range(talkers):
        said = [np.zeros(int(rng.integers(SAMPLE_RATE_HZ // 2)))]
        while sum(map(len, said)) < n:
            said += [np.zeros(int(rng.integers(SAMPLE_RATE_HZ // 2)))]
            words = talk[int(rng.integers(len(talk)))].astype(np.float64)
            said += [words / max(rms(words), SILENT_RMS)]
        together += np.concatenate(said)[:n]
    return together + 1e-6 * rng.standard_normal(n)


def mixed(y: Float64, noise: Float64, snr_db: float) -> Float64:
    """Return samples with noise so far below them from 300 to 5000 Hz: small loudspeakers have no more."""
    middle = scipy.signal.butter(4, [300, 5000], "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    wanted, had = (rms(scipy.signal.sosfilt(middle, part)) for part in (y, noise))
    return y + noise * (wanted / had) * 10 ** (-snr_db / 20)


def rms(y: Float64) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(y)) + 1e-20))


@dataclass(frozen=True)
class Learnt:
    """The arrays of models/shapes, and how well the two sides of the pairs correlate along the basis."""

    basis: Float64
    noise: Float64
    music: Float64
    correlations: Float64
    n_pairs: int


def learn(pairs: Sequence[Pair]) -> Learnt:
    """Find the directions, how noise changes what lies along them, and how music goes on there."""
    sides = [pair.played for pair in pairs], [pair.heard for pair in pairs]
    means = [np.mean([rows.mean(axis=0) for rows in side], axis=0) for side in sides]
    between = np.zeros((N_BANDS, N_BANDS))
    within = np.zeros((N_BANDS, N_BANDS))
    count = 0
    for pair in pairs:
        played, heard = (pair.played - means[0], pair.heard - means[1])
        across = played.T @ heard
        between += (across + across.T) / 2
        within += (played.T @ played + heard.T @ heard) / 2
        count += len(played)
    between, within = between / count, within / count
    within += 1e-3 * np.trace(within) / N_BANDS * np.eye(N_BANDS)
    correlations, directions = scipy.linalg.eigh(between, within)
    order = np.argsort(-correlations)[:DIRECTIONS]
    basis = directions[:, order]
    # Which of two opposite directions comes out is the library's choice: the strongest band is made positive.
    basis *= np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(DIRECTIONS)])
    apart = round(LAG_S / FeatureSettings().frame_s)
    noise = np.zeros((len(GROUPS), LAGS, DIRECTIONS, DIRECTIONS))
    music = np.zeros((LAGS, 1 + DIRECTIONS, 1 + DIRECTIONS))
    for pair in pairs:
        played = np.insert(pair.played @ basis, 0, 1, axis=1)
        music += _products(played, apart) / len(pairs)
        change = (pair.heard - means[1] - pair.played + means[0]) @ basis
        of = [number for number, group in enumerate(GROUPS) if pair.kind in group]
        noise[of] += _products(change, apart)
    for number, group in enumerate(GROUPS):
        noise[number] /= sum(pair.kind in group for pair in pairs)
        noise[number, 0] = (noise[number, 0] + noise[number, 0].T) / 2
    return Learnt(basis, noise, music, correlations[order], len(pairs))


def _products(rows: Float64, apart: int) -> Float64:
    """Return the mean products of rows with those some frames later [shape=(LAGS, d, d)]."""
    later = [rows[lag * apart :] for lag in range(LAGS)]
    return np.stack([rows[: len(moved)].T @ moved / len(moved) for moved in later])


if __name__ == "__main__":
    sys.exit(main())
