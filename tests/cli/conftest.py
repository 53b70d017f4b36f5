import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
from cli_process import command, env

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES, UNKNOWN
from stream_match.capture.synth import render
from stream_match.cli import main


@dataclass
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_cli(capfd):
    """Run the command line, here: a process of its own would only be slower."""

    def run(*args):
        capfd.readouterr()
        status = main([str(arg) for arg in args])
        return Done(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def run_process():
    """Run the command line in a process of its own."""

    def run(*args):
        return subprocess.run(command(*args), capture_output=True, text=True, timeout=60, **env())

    return run


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """A folder of two pieces, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("music")
    for piece in PIECES[:2]:
        path = folder / f"{piece.id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, render(piece), SAMPLE_RATE_HZ)
    (folder / "broken.wav").write_bytes(b"RIFF, but no more")
    return folder


@pytest.fixture(scope="session")
def built(music, tmp_path_factory):
    """An index of the music, as the command line builds it."""
    out = tmp_path_factory.mktemp("models") / "two"
    with redirect_stderr(io.StringIO()) as err, redirect_stdout(io.StringIO()) as told:
        status = main(["index", "build", str(music), "--out", str(out), "--jobs", "1"])
    return out, Done(status, told.getvalue(), err.getvalue())


@pytest.fixture
def index(built):
    return built[0]


@pytest.fixture(scope="session")
def query(tmp_path_factory):
    """Twelve seconds from the first piece, and where they begin."""
    path = tmp_path_factory.mktemp("query") / "query.wav"
    start_s = 5.0
    first = round(start_s * SAMPLE_RATE_HZ)
    soundfile.write(path, render(PIECES[0])[first : first + 12 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    return path, start_s


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    path = tmp_path_factory.mktemp("stranger") / "stranger.wav"
    soundfile.write(path, render(UNKNOWN[0])[: 8 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    return path


@pytest.fixture(scope="session")
def long_broadcast(tmp_path_factory):
    """Minutes of music in turn: too long to be heard to the end in a test."""
    path = tmp_path_factory.mktemp("broadcast") / "long.wav"
    turn = np.concatenate([render(piece)[: 12 * SAMPLE_RATE_HZ] for piece in PIECES[:2]])
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
        for _ in range(40):
            file.write(turn)
    return path
