"""PortAudio with sound cards that are not there."""

import threading
from types import SimpleNamespace

import numpy as np


class PortAudioError(Exception):
    pass


def device(name, channels, rate_hz=48_000.0):
    return {"name": name, "hostapi": 0, "max_input_channels": channels, "default_samplerate": rate_hz}


class FakeSounddevice:
    """Stands for the module `sounddevice`; its streams call back from a thread, as PortAudio does.

    `script` is what the callbacks bring: an array, or the number of frames that overflowed before
    the next one. When it is used up no callback comes any more, as when a driver has died.
    """

    PortAudioError = PortAudioError

    def __init__(self):
        self.devices = [
            device("HDMI out", 0),
            device("Built-in", 2, 44_100.0),
            device("USB Mic: Blue (hw:1,0)", 1),
        ]
        self.plugged_in_later = []
        self.script = None
        self.fail = None
        self.opened = []
        self.restarts = 0
        self.on_start = None
        self.closed = 0

    def query_devices(self, kind=None):
        if kind == "input":
            return {"index": 2, **self.devices[2]}
        return self.devices

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def _terminate(self):
        self.restarts += 1

    def _initialize(self):
        self.devices = self.devices + self.plugged_in_later

    def InputStream(self, **settings):  # noqa: N802 - the name in sounddevice
        if self.fail is not None:
            raise PortAudioError(self.fail)
        self.opened.append(settings)
        return FakeStream(self, settings)


class FakeStream:
    def __init__(self, module, settings):
        self.module = module
        self.settings = settings
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        if self.module.on_start is not None:
            self.module.on_start()

    def close(self):
        self.over.set()
        self.thread.join()
        self.module.closed += 1

    def run(self):
        buffer = np.empty((self.settings["blocksize"], self.settings["channels"]), np.float32)
        for said in self.module.script if self.module.script is not None else [0.1] * 200:
            if self.over.is_set():
                return
            buffer[:] = abs(said)  # PortAudio uses one buffer again and again
            status = SimpleNamespace(input_overflow=said < 0)
            self.settings["callback"](buffer, len(buffer), None, status)
            buffer[:] = 9.0
            self.over.wait(0.001)
