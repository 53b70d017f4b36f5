"""Single sounds from files, and sequences in which they are placed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks

Samples = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

FITTED_KIT = "GMRockKit"
"""The kit that the detector was learnt from."""

FITTED_HALF = "samples"
"""The folder of which every second sound was learnt from."""

AUDIO = {".flac", ".wav", ".ogg", ".mp3"}
LATEST_BEGINNING_SAMPLES = 265
NO_SINGLE_SOUND = (
    "loop", "roll", "ambi", "guit", "glitch", "vinyl", "misc", "mehackit", "arovane", "swoosh", "perc_door",
    "bass_trance", "bass_drop", "splash-softest",
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A single sound, and the sample of it that first exceeds a tenth of its peak."""

    y: Samples
    first: int


@dataclass(frozen=True)
class PlacedSounds:
    """Sounds placed at known samples, and which kind each is."""

    y: Samples
    times_s: Float64
    kinds: npt.NDArray[np.int64]


def single_sounds(folders: Iterable[Path]) -> dict[Path, Shot]:
    """Return the files below some folders that hold one sound with one attack."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in AUDIO)
    paths = [path for path in paths if not any(word in path.name.lower() for word in NO_SINGLE_SOUND)]
    return {path: shot for path in paths if (shot := _single(path)) is not None}


def of_the_fitting(shots: Mapping[Path, Shot]) -> set[Path]:
    """Return those that the detector and the clusters were fitted on."""
    half = [path for path in shots if path.parent.name == FITTED_HALF][1::2]
    return {path for path in shots if path.parent.name == FITTED_KIT}.union(half)


def placed_sounds(
    shots: Mapping[str, Shot],
    rng: np.random.Generator,
    n_kinds: int,
    *,
    level_db: float,
    snr_db: float | None,
    per_kind: int = 15,
    apart_s: tuple[float, float] = (0.15, 0.7),
    softer_db: Mapping[str, float] = MappingProxyType({}),
) -> PlacedSounds:
    """Place sounds of so many kinds at random, some of them softer, in white noise."""
    names = rng.choice(sorted(shots), n_kinds, replace=False).tolist()
    kinds = rng.integers(n_kinds, size=per_kind * n_kinds)
    starts = np.round(SAMPLE_RATE_HZ * (0.5 + np.cumsum(rng.uniform(*apart_s, len(kinds))))).astype(int)
    y = np.zeros(starts[-1] + SAMPLE_RATE_HZ)
    for start, kind in zip(starts, kinds, strict=True):
        shot = shots[names[kind]]
        level = rng.uniform(-level_db, level_db) - softer_db.get(names[kind], 0.0)
        gain = 0.25 / np.abs(shot.y).max() * 10 ** (level / 20)
        room = y[start - shot.first : start - shot.first + len(shot.y)]
        room += gain * shot.y[: len(room)]
    if snr_db is not None:
        y += np.sqrt(np.mean(y**2)) * 10 ** (-snr_db / 20) * rng.standard_normal(len(y))
    return PlacedSounds(y.astype(np.float32), starts / SAMPLE_RATE_HZ, kinds)


def read(path: Path) -> Samples:
    """Read a recording as mono samples at `SAMPLE_RATE_HZ`."""
    return np.concatenate(list(read_blocks(path)))


def _single(path: Path) -> Shot | None:
    y = read(path)
    if not y.any() or not _has_one_attack(y):
        return None
    first = int(np.argmax(np.abs(y) > 0.1 * np.abs(y).max()))
    return Shot(y[: 2 * SAMPLE_RATE_HZ], first) if first < LATEST_BEGINNING_SAMPLES else None


def _has_one_attack(y: Samples) -> bool:
    """Say whether the level, in steps of 10 ms, never rises by 6 dB again after its peak."""
    steps = y[: len(y) // 220 * 220].reshape(-1, 220).astype(float)
    level_db = 10 * np.log10(np.mean(steps**2, axis=1) + 1e-12)
    after = level_db[int(np.argmax(level_db)) :]
    again = (after > np.minimum.accumulate(after) + 6) & (after > after[0] - 30)
    return not again.any() and int(np.argmax(level_db)) < 6
