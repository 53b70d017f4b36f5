"""Songs, files and indexes that the tests of the catalogue share."""

import hashlib

import numpy as np
import soundfile

RATE_HZ = 22_050


def song(seed, seconds=5.0, rate_hz=RATE_HZ):
    """A random melody with overtones: every seed sounds different."""
    rng = np.random.default_rng(seed)
    n = round(0.25 * rate_hz)
    t = np.arange(n) / rate_hz
    notes = []
    for pitch in rng.integers(45, 80, max(1, round(seconds * 4))):
        f = 440 * 2 ** ((pitch - 69) / 12)
        notes.append(sum(np.sin(2 * np.pi * f * h * t) / h for h in (1, 2, 3)) * np.hanning(n))
    return (0.2 * np.concatenate(notes)).astype(np.float32)


def write(path, y, rate_hz=RATE_HZ):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, y, rate_hz, subtype="FLOAT")  # the very samples
    return path


def write_tagged(path, y, **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", RATE_HZ, 1) as handle:
        for name, text in tags.items():
            setattr(handle, name, text)
        handle.write(y)
    return path


def contents(folder):
    """Every file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def sha256(data):
    return hashlib.sha256(data).hexdigest()
