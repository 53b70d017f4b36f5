"""Tracks that resemble those of a folder and are none of them, so that a catalogue of any size can be made.

Three kinds, from the dearest and likest to the cheapest:

- `sounded`: audio that is cut elsewhere, played at another speed, so that its pitch moves along, and mostly
  mixed with another track that has been treated so too;
- `stretched`: the same done to feature frames, a dozen times faster;
- `permuted`: codes of the tracks themselves, their bits in another order.

Nothing of a track is heard as itself in them. What is sounded is 2 to 8 semitones higher or lower, and as
much faster or slower (12 to 60 %), while recordings are looked for from -4 to +4 % only, and up to two
semitones either way: it is the speed that sets the nearest apart.
Main parts of two copies of one track lie 1.2 semitones apart, 7 %, or more. What is stretched is in another
key and runs 8 to 65 % faster or slower; two copies of one track may be near each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.features.chroma import N_CHROMA
from stream_match.features.shape import shape_basis

Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

SEED = 20_261_127

_SEMITONES = (-6.8, -5.2, -3.6, -2.2, 2.2, 3.6, 5.0, 6.4, 7.8)
"""How much higher the main part of each copy sounds; give or take a tenth."""

MOST_SOUNDED = len(_SEMITONES)
"""So many copies of a track can be sounded, and none of them is another one."""

_MIXED = 0.7
"""Share of the copies that are mixed with another track."""

_LONGEST_S = 600.0
"""No more of a track is taken: frames of that are embedded at once."""


@dataclass(frozen=True)
class Sounds:
    """Decoded tracks: mono samples as 16-bit numbers, so that hours fit into memory."""

    tracks: list[npt.NDArray[np.int16]]

    def sounded(self, track: int, copy: int) -> Float32:
        """Return a copy of a track that is not that track.

        Parameters
        ----------
        track : int
        copy : int, in [0, `MOST_SOUNDED`)

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float32]
            At `SAMPLE_RATE_HZ`.
        """
        rng = np.random.default_rng([SEED, track, copy])
        y = self._played(track, _SEMITONES[copy] + rng.uniform(-0.1, 0.1), rng)
        if rng.random() < _MIXED and len(self.tracks) > 1:
            other = (track + int(rng.integers(1, len(self.tracks)))) % len(self.tracks)
            z = self._played(other, rng.choice([-1, 1]) * rng.uniform(2, 7), rng)
            start = int(rng.uniform(0, 10) * SAMPLE_RATE_HZ)
            z = z[: max(0, len(y) - start)]
            level = 10 ** (-rng.uniform(6, 15) / 20) * _rms(y) / max(_rms(z), 1e-9)
            y[start : start + len(z)] += np.float32(level) * z
        return (y / np.float32(max(1.0, np.abs(y).max(initial=0)))).astype(np.float32)

    def _played(self, track: int, semitones: float, rng: np.random.Generator) -> Float32:
        """Return a track from somewhere near its beginning on, so much higher and faster."""
        import librosa

        samples = self.tracks[track]
        first = int(rng.uniform(0, 0.1) * len(samples))
        y = samples[first : first + int(_LONGEST_S * SAMPLE_RATE_HZ)].astype(np.float32) / np.float32(1 << 15)
        higher = 2 ** (semitones / N_CHROMA)
        played: Float32 = librosa.resample(
            y, orig_sr=SAMPLE_RATE_HZ * higher, target_sr=SAMPLE_RATE_HZ, res_type="soxr_lq"
        )
        return played[: int(_LONGEST_S * SAMPLE_RATE_HZ)]


def _rms(y: Float32) -> float:
    return float(np.sqrt(np.mean(np.square(y)))) if len(y) else 0.0


@dataclass(frozen=True)
class Frames:
    """Feature frames of tracks, as `RollingFeatures` makes them for an index."""

    tracks: list[Float32]

    def stretched(self, track: int, copy: int) -> Float32:
        """Return frames of a copy of a track that is not that track.

        Parameters
        ----------
        track : int
        copy : int, >= 0

        Returns
        -------
        np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
        """
        rng = np.random.default_rng([SEED + 1, track, copy])
        frames = self._moved(track, rng)
        if rng.random() < _MIXED and len(self.tracks) > 1:
            other = self._moved((track + int(rng.integers(1, len(self.tracks)))) % len(self.tracks), rng)
            other = other[: len(frames)]
            frames[: len(other)] += np.float32(10 ** (-rng.uniform(6, 15) / 20)) * other
        return frames

    def _moved(self, track: int, rng: np.random.Generator) -> Float32:
        """Return a track in another key and at another pace."""
        frames = self.tracks[track]
        semitones = int(rng.choice([-5, -4, -3, -2, 2, 3, 4, 5, 6, 7]))
        pace = float(rng.choice([-1, 1])) * rng.uniform(0.08, 0.5)
        first = rng.uniform(0, 0.1) * len(frames)
        at = np.arange(first, len(frames) - 1, np.exp(pace))[: int(_LONGEST_S * SAMPLE_RATE_HZ) // 1024]
        before = at.astype(np.int64)
        share = (at - before).astype(np.float32)[:, np.newaxis]
        between = frames[before] * (1 - share) + frames[before + 1] * share
        chroma = np.roll(between[:, :N_CHROMA], semitones, axis=1)
        moved: Float32 = np.concatenate(
            [chroma, between[:, N_CHROMA:] @ _higher(frames.shape[1] - N_CHROMA, semitones)], axis=1
        )
        return moved


@lru_cache
def _higher(n_coefficients: int, semitones: int) -> Float32:
    """Return the matrix that moves coefficients of the spectral shape up [shape=(n, n), dtype=float32]."""
    bands = np.linalg.pinv(shape_basis(n_coefficients)).astype(np.float32)  # of least norm
    moved: Float32 = bands @ shape_basis(n_coefficients, -semitones)
    return moved


def permutations(n_bits: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield orders of bits without end, each by chance."""
    rng = np.random.default_rng([SEED + 2, n_bits, seed])
    while True:
        yield rng.permutation(n_bits)


def permuted(codes: Bytes, order: npt.NDArray[np.int64]) -> Bytes:
    """Return codes with their bits in another order.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_bits // 8), dtype=uint8]
    order : np.ndarray [shape=(n_bits,), dtype=int64]
    """
    reordered = np.empty_like(codes)
    for first in range(0, len(codes), 1 << 16):  # bits are eight times as large as codes
        bits = np.unpackbits(codes[first : first + (1 << 16)], axis=1)
        reordered[first : first + (1 << 16)] = np.packbits(bits[:, order], axis=1)
    return reordered
