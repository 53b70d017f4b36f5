"""PortAudio with sound cards that are not there."""

import json
import os
from pathlib import Path

FAKE = Path(__file__).parent / "fake_portaudio"


def device(name, channels, rate_hz=48_000.0):
    return {"name": name, "hostapi": 0, "max_input_channels": channels, "default_samplerate": rate_hz}


class FakePortAudio:
    """Plans what the package `sounddevice` does in the processes that are started from now on.

    `script` is what the callbacks bring: the level of a block, negative if it comes after an overflow.
    When it is used up no callback comes any more, as when a driver has died; with `finishes` the driver
    says so. `at` has what happens at ``list``, ``open``, ``start``, ``close``: ``hang``, ``crash``, or an
    error of PortAudio.
    """

    def __init__(self, folder, patch):
        self._folder = folder
        self._plan = {
            "devices": [
                device("HDMI out", 0),
                device("Built-in", 2, 44_100.0),
                device("USB Mic: Blue (hw:1,0)", 1),
            ],
            "default": 2,
            "missing": False,
            "forms": None,
            "script": [0.1] * 200,
            "finishes": False,
            "at": {},
        }
        patch.setenv("FAKE_PORTAUDIO", str(folder))
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, [str(FAKE), os.environ.get("PYTHONPATH", "")]))
        )
        self.plan()

    def plan(self, **changes):
        self._plan.update(changes)
        (self._folder / "plan.json").write_text(json.dumps(self._plan), encoding="utf-8")

    @property
    def done(self):
        path = self._folder / "done.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def running(self):
        """Processes that have loaded the package and have not ended."""
        pids = (self._folder / "pids.txt").read_text(encoding="utf-8").split()
        return [pid for pid in pids if Path("/proc", pid).exists()]

    @property
    def opened(self):
        """Device, rate and channels of each opening."""
        return [tuple(map(int, line.split()[1:])) for line in self.done if line.startswith("open ")]
