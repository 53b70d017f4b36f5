"""A small share of `scripts/check_stations.py`, which needs minutes for more."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from publish.conftest import MOSQUITTO

ROOT = Path(__file__).parents[2]


def test_what_breaks_a_station_is_told_and_it_is_back_soon():
    pytest.importorskip("av", reason="PyAV reads the radio stations")
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = [sys.executable, ROOT / "scripts" / "check_stations.py", "--only", "redirects", "certificate"]
    command += ["--well", "0", "--broken", "1", "--late", "60"]  # late is what is broken: a computer is busy
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("reconnecting") == 2
