"""Make models/background, which stands beside small catalogues: from seeds, the same bytes every time.

Run it as .venv/bin/python scripts/make_background.py. Everything in it is synthetic: music, voices, drums,
noises and held chords.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.synth import SCALES, Piece, Voice, drum_solo, render
from stream_match.catalog.background import CARD_FILE, save_background
from stream_match.config import FeatureSettings
from stream_match.features.rolling import RollingFeatures
from stream_match.features.smoothing import smooth
from stream_match.index.background import Background

Samples = npt.NDArray[np.float32]
Draft = npt.NDArray[Any]  # float32 or float64, at any level

OUT = Path(__file__).resolve().parents[1] / "models" / "background"
SEED = 20_261_126
SECONDS = 52.0

KINDS = {"music": 20, "voice": 4, "drums": 2, "noise": 2, "chords": 2}
"""How many tracks there are of each kind. What sounds is like few of them at most, whatever it is."""

CARD = """# A background

{count} tracks, {minutes:.0f} minutes, for stream-match.

**What it is.** Material that stands beside a catalogue of fewer than 24 different tracks of 15 s.
A claim is measured against the best lines of other tracks; where a catalogue has too few, those of the
background count, too.
Its tracks are searched and compared as the catalogue's are, and never claimed.

**What is in it.** {kinds}. All of it is synthetic: `scripts/make_background.py` makes it
from the seed {seed} with the synthesiser of the demo (`stream_match/capture/synth.py`). Nothing is recorded.
It holds no audio, but every fourth smoothed feature frame (chroma and spectral shape) as bytes.

| file | what |
|---|---|
| `means.npy` | the frames, {rows} x {columns} bytes |
| `starts.npy` | first frame of each track |
| `scale.npy` | what the bytes 0 and 255 stand for, column by column |
| `settings.json` | the feature settings that the frames were made with |

**Limits.** It fits indexes whose frames are made as these were: window, hop, chroma, level of silence, means.
How frames are stacked and coded is free. A small catalogue with other settings is refused.
It is like music, but like no real recording. `docs/recordings.md` has what small catalogues claim falsely
with it.

**Made again** on the same computer it gives the same bytes; on another processor single bytes may differ.

**Licence.** Dedicated to the public domain (CC0 1.0).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the background; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="models/background by default")
    out: Path = parser.parse_args(argv).out
    background = make()
    save_background(background, out)
    kinds = ", ".join(f"{count} of {kind}" for kind, count in KINDS.items())
    rows, columns = background.means.shape
    minutes = len(background) * SECONDS / 60
    text = CARD.format(
        count=len(background), minutes=minutes, kinds=kinds, seed=SEED, rows=rows, columns=columns
    )
    (out / CARD_FILE).write_text(text, encoding="utf-8")
    return 0


def make() -> Background:
    """Play all tracks and keep their frames."""
    settings = FeatureSettings()
    frames = (RollingFeatures(settings).feed(y) for y in tracks())
    return Background.of([smooth(rows, settings.smooth_frames) for rows in frames], settings)


def tracks() -> Iterator[Samples]:
    """Yield the tracks, of `SECONDS` each."""
    makers = {"music": _music, "voice": _voice, "drums": _drums, "noise": _noise, "chords": _chords}
    n = round(SECONDS * SAMPLE_RATE_HZ)
    for kind, count in KINDS.items():
        for number in range(count):
            rng = np.random.default_rng([SEED, len(kind), number])
            yield _levelled(makers[kind](n, rng))


def _levelled(y: Draft) -> Samples:
    levelled: Samples = (0.5 * y / np.abs(y).max()).astype(np.float32)
    return levelled


def _music(n: int, rng: np.random.Generator) -> Draft:
    """Compose a piece and play it, in a room, through an amplifier, or as it is."""
    tempo = float(rng.uniform(60, 170))
    piece = Piece(
        id="", title="", artist="",
        seed=int(rng.integers(1 << 30)),
        tonic=int(rng.integers(50, 70)),
        scale=str(rng.choice(list(SCALES))),
        tempo_bpm=tempo,
        progressions=tuple(tuple(map(int, rng.integers(0, 7, 4))) for _ in range(3)),
        lead=_instrument(rng), pad=_instrument(rng), bass=_instrument(rng),
        drums=float(rng.choice([0.0, 0.1, 0.3, 0.6])),
        bars=int(np.ceil(n / SAMPLE_RATE_HZ * tempo / 240)),
    )  # fmt: skip
    y: Draft = render(piece)[:n]
    if rng.random() < 0.5:
        y = _in_a_room(y, rng)
    if rng.random() < 0.3:
        y = np.tanh(y * rng.uniform(3, 20))
    noisy: Draft = y + rng.choice([0.0, 0.01, 0.03]) * _noise(n, rng)
    return noisy


def _instrument(rng: np.random.Generator) -> Voice:
    return Voice(
        ratio=float(rng.choice([0.5, 1.0, 1.0, 2.0, 3.0, 3.5, 4.0, 1.41, 7.0])),
        index=float(rng.uniform(0.2, 4.0)),
        attack_s=float(10 ** rng.uniform(-2.7, -0.7)),
        decay_s=float(10 ** rng.uniform(-0.7, 0.9)),
    )


def _in_a_room(y: Draft, rng: np.random.Generator) -> Draft:
    """Let noise that dies away answer every sound."""
    t = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    answer = rng.standard_normal(len(t)) * np.exp(-6.9 * t / rng.uniform(0.3, 1.5))
    answer *= rng.uniform(0.3, 1) / np.sqrt(np.square(answer).sum())
    answer[0] += 1
    size = len(y) + len(answer)
    heard: Draft = np.fft.irfft(np.fft.rfft(y, size) * np.fft.rfft(answer, size), size)[: len(y)]
    return heard


def _voice(n: int, rng: np.random.Generator) -> Draft:
    """Talk without words: pulses or breath through the resonances of a mouth that changes by syllables."""
    y, start, pitch = np.zeros(n), 0, rng.uniform(80, 260)
    while start < n:
        length = int(rng.uniform(0.06, 0.3) * SAMPLE_RATE_HZ)
        sound = _syllable(length, pitch * rng.uniform(0.8, 1.25), rng)[: n - start]
        y[start : start + len(sound)] = sound
        pause = rng.uniform(0.3, 0.8) if rng.random() < 0.1 else rng.uniform(0, 0.05)
        start += length + int(pause * SAMPLE_RATE_HZ)
    return y


def _syllable(n: int, pitch: float, rng: np.random.Generator) -> Draft:
    t = np.arange(n) / SAMPLE_RATE_HZ
    turns = np.cumsum(pitch * (1 + rng.uniform(-0.15, 0.15) * t / t[-1])) / SAMPLE_RATE_HZ
    voiced = rng.random() < 0.75
    source = np.diff(np.floor(turns), prepend=0.0) if voiced else rng.standard_normal(n)
    hertz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    mouth = (
        0.003 + np.zeros(len(hertz))
        if voiced
        else np.exp(-0.5 * ((hertz - rng.uniform(2500, 7000)) / 1500) ** 2)
    )
    for low, high, width, level in ((250, 850, 60, 1.0), (850, 2400, 90, 0.5), (2400, 3400, 150, 0.2)):
        mouth = mouth + level * voiced * np.exp(-np.abs(hertz - rng.uniform(low, high)) / width)
    y = np.fft.irfft(np.fft.rfft(source) * mouth, n) * np.sin(np.pi * np.minimum(1, t / t[-1])) ** 0.5
    level = rng.uniform(0.4, 1) * (1 if voiced else 0.15)
    syllable: Draft = level * y / max(np.abs(y).max(), 1e-9)
    return syllable


def _drums(n: int, rng: np.random.Generator) -> Draft:
    """Drums alone, in a room."""
    bars = [drum_solo(int(rng.uniform(1, 4) * SAMPLE_RATE_HZ), rng) for _ in range(n // SAMPLE_RATE_HZ)]
    return _in_a_room(np.concatenate(bars)[:n], rng)


def _noise(n: int, rng: np.random.Generator) -> Draft:
    """Coloured noise whose level and colour wander, as of wind, rain and engines."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** rng.uniform(0.2, 1)
    y = np.fft.irfft(spectrum, n)
    knots = rng.uniform(0.1, 1, n // SAMPLE_RATE_HZ + 2)
    y *= np.interp(np.arange(n) / SAMPLE_RATE_HZ, np.arange(len(knots)), knots)
    levelled: Draft = y / np.abs(y).max()
    return levelled


def _chords(n: int, rng: np.random.Generator) -> Draft:
    """Chords that are held for seconds, one after the other."""
    held: list[Draft] = []
    while sum(map(len, held)) < n:
        t = np.arange(int(rng.uniform(1, 8) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        pitches = 110 * 2 ** (rng.integers(0, 36, rng.integers(1, 5)) / 12)
        partials = (rng.uniform(0, 1) / h * np.sin(2 * np.pi * (p * h * t + rng.random()))
                    for p in pitches for h in range(1, rng.integers(2, 12)))  # fmt: skip
        held.append(np.sum(list(partials), axis=0))
    return np.concatenate(held)[:n]


if __name__ == "__main__":
    sys.exit(main())
