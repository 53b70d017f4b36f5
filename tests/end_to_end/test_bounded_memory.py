"""A file may be as long as it likes: memory does not grow with it."""

import json
import os
import subprocess

import numpy as np
import soundfile
from cli.cli_process import command, env

RATE_HZ = 8_000
SHORT_MIN, LONG_MIN = 2, 30
NOISE_S = 2  # of every minute: enough that everything is at work, and that it does not take long
MORE_MB = 40
"""All audio of the long file would be 160 MB, its chroma frames and votes tens of MB more."""


def identified(index, path):
    """Identify a file; return what was found and the memory that it took at most, in MB."""
    with subprocess.Popen(
        command("identify", "--index", index, "--json", path), stdout=subprocess.PIPE, **env()
    ) as process:
        found = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return found, usage.ru_maxrss / 1024


def test_identify_takes_no_more_memory_for_a_longer_file(index, tmp_path):
    path = tmp_path / "noise.flac"
    rng = np.random.default_rng(1)
    peaks = []
    for minutes in (SHORT_MIN, LONG_MIN):
        with soundfile.SoundFile(path, "w", RATE_HZ, 1) as file:
            for _ in range(minutes):
                y = np.zeros(60 * RATE_HZ, np.float32)
                y[: NOISE_S * RATE_HZ] = 0.1 * rng.standard_normal(NOISE_S * RATE_HZ)
                file.write(y)
        found, peak_mb = identified(index, path)
        assert found["seconds"] == 60 * minutes
        assert found["matches"] == []
        peaks.append(peak_mb)
    assert peaks[1] - peaks[0] < MORE_MB
