"""Songs, files and indexes that the tests of the catalogue share."""

import hashlib
import json

import numpy as np
import soundfile

from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.manifest import signed
from stream_match.catalog.store import open_index
from stream_match.descriptors.sets import SETS

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
    """Every file of a folder, by its path in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def only_segment(index):
    """The segment of an index that has one."""
    (segment,) = open_index(index).segments
    return segment.segment


def resign(index, change):
    """Change what a manifest says, by a function of its contents, and sign it anew."""
    path = index / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_bytes(signed(manifest))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


COLUMNS = sum(len(described.columns) for described in SETS.values())


def made_up_descriptors(index, seed=0):
    """Rows for all tracks of an index, by the hash of their audio."""
    rng = np.random.default_rng(seed)
    return {row.sha256: rng.standard_normal(COLUMNS).astype(np.float32) for row in open_index(index).rows}


def describe(index, seed=0):
    """Give all tracks of an index made-up descriptors."""
    found = made_up_descriptors(index, seed)
    add_descriptors(index, found, librosa="0.11.0")
    return found
