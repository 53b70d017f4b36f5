"""Microphones that are heard: PortAudio, ALSA and PulseAudio as they are, in a short form of the check."""

import ctypes.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("/usr/lib", "/usr/lib64")
NEEDED = "pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2"


def _is_there():
    plugin = any(any(Path(place).glob("**/libasound_module_pcm_pulse.so")) for place in PLUGINS)
    programs = all(shutil.which(program) for program in ("pulseaudio", "pactl", "paplay"))
    return programs and plugin and ctypes.util.find_library("portaudio") is not None


@pytest.mark.skipif(not _is_there(), reason=f"the Debian packages {NEEDED} are not installed")
def test_music_is_heard_also_after_the_server_and_a_device_were_away():
    # The limits are wide, so that a busy computer does not fail it; the script tells how fast it was.
    check = [sys.executable, ROOT / "scripts" / "check_microphone.py", "--rooms", "2", "--minutes", "0"]
    limits = ["--away", "1", "--within", "60", "--drops", "10"]
    done = subprocess.run([*check, *limits], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("tone, attic, 44100 Hz, 1 ch", "tone, hall, 48000 Hz, 2 ch", "1 of 1 matches right"):
        assert said in done.stdout
    for said in (
        r"server away 1 s, attic: heard",
        r"number \d then \d, hall: heard",
        r"suspended, hall: heard",
    ):
        assert re.search(said, done.stdout), done.stdout
