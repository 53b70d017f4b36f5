"""Real recordings: one encoding is known, the other is heard."""

import csv
import zlib

import numpy as np
import pytest
import soundfile
import soxr
from music import RATE_HZ, catalogue, check_lives, hear

MUSIC = ("brahms", "fishin", "nutcracker", "vibeace")
HEARD_S = 10.0


@pytest.fixture(scope="module")
def recordings(real_audio):
    """Paths by key, of both encodings: known and heard."""
    with (real_audio / "librosa" / "keys.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["path"].startswith("librosa/")]
    return [{row["key"]: real_audio / row["path"] for row in rows if row["hq"] == hq} for hq in "01"]


@pytest.fixture(scope="module")
def known(recordings):
    return catalogue({key: read(path) for key, path in recordings[0].items()})


def read(path, start_s=0.0, seconds=None):
    with soundfile.SoundFile(path) as file:
        file.seek(round(start_s * file.samplerate))
        frames = -1 if seconds is None else round(seconds * file.samplerate)
        y = file.read(frames, dtype="float32", always_2d=True).mean(axis=1)
        return np.asarray(soxr.resample(y, file.samplerate, RATE_HZ), np.float32)


@pytest.mark.parametrize("key", MUSIC)
def test_a_recording_is_found_from_a_random_place(recordings, known, key):
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    path = recordings[1][key]
    start_s = rng.uniform(0.2, 0.7) * (soundfile.info(path).duration - HEARD_S)
    facts = hear(known, read(path, start_s, HEARD_S))
    check_lives(facts)
    assert {one.track.id for one in facts} == {key}, f"from {start_s:.3f} s on"
    for one in facts:
        places = (one.reference_s, *one.evidence.repeats_s)
        assert min(abs(place - start_s - one.stream_s) for place in places) < 0.2, f"from {start_s:.3f} s on"


def test_a_recording_that_is_not_known_is_not_claimed(recordings, known):
    others = catalogue({key: read(recordings[0][key]) for key in ("fishin", "vibeace", "humpback")})
    assert hear(others, read(recordings[1]["nutcracker"], 10, 20)) == []
    assert hear(others, read(recordings[1]["brahms"], 0, 20)) == []
