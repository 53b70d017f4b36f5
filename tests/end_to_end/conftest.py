"""Music, indexes of it made by the command line, and what is broadcast of it."""

import numpy as np
import pytest
import soundfile
from broadcasts import Broadcast, excerpt
from capture.capture_servers import Server, serving
from programs import run
from publish.conftest import absent_mosquitto, guarded_mosquitto, mosquitto

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES, UNKNOWN
from stream_match.capture.synth import render

__all__ = ["absent_mosquitto", "guarded_mosquitto", "mosquitto"]


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """A folder of three pieces."""
    folder = tmp_path_factory.mktemp("music")
    for piece in PIECES[:3]:
        path = folder / f"{piece.id}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, render(piece), SAMPLE_RATE_HZ)
    return folder


@pytest.fixture(scope="session")
def index(music, tmp_path_factory):
    """Their index; not to be changed."""
    out = tmp_path_factory.mktemp("models") / "three"
    done = run("index", "build", music, "--out", out, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def broadcast(tmp_path_factory):
    """Two of the pieces, a stranger and silence between them: 12 s + 5 s + 2 s + 12 s."""
    path = tmp_path_factory.mktemp("broadcast") / "broadcast.flac"
    y = np.concatenate(
        [
            excerpt(PIECES[0], 5, 17),
            excerpt(UNKNOWN[0], 6, 11),
            np.zeros(2 * SAMPLE_RATE_HZ, np.float32),
            excerpt(PIECES[1], 9, 21),
        ]
    )
    soundfile.write(path, y, SAMPLE_RATE_HZ, subtype="PCM_16")
    samples, _ = soundfile.read(path, dtype="int16")
    return Broadcast(path, samples)


@pytest.fixture(scope="session")
def long_broadcast(broadcast, tmp_path_factory):
    """The broadcast again and again: minutes."""
    path = tmp_path_factory.mktemp("broadcast") / "long.flac"
    samples = np.tile(broadcast.samples, 6)
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return Broadcast(path, samples)


@pytest.fixture(scope="session")
def recordings(real_audio):
    """Real recordings, each in two encodings."""
    return real_audio / "librosa"


@pytest.fixture(scope="session")
def recordings_index(recordings, tmp_path_factory):
    """An index of one encoding of each."""
    wanted = sorted(path for path in recordings.glob("*.ogg") if not path.name.endswith(".hq.ogg"))
    out = tmp_path_factory.mktemp("models") / "recordings"
    done = run("index", "build", *wanted, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


@pytest.fixture
def remembering_mosquitto(absent_mosquitto, tmp_path):
    """A broker, absent as yet, that remembers subscribers and what it acknowledged over a restart."""
    with absent_mosquitto.config.open("a") as config:
        config.write(f"persistence true\npersistence_location {tmp_path}/\n")
        config.write("autosave_on_changes true\nautosave_interval 1\n")
    return absent_mosquitto
