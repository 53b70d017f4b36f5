"""Stands for the package `sounddevice` in a recorder's process, with sound cards that are not there.

What it does is in the file that `microphone_fakes.FakePortAudio` writes. As with PortAudio, the list of
devices is that of the moment at which the module was loaded, and streams call back from a thread.
"""

import json
import os
import signal
import threading
import time
from array import array
from pathlib import Path
from types import SimpleNamespace

FOLDER = Path(os.environ["FAKE_PORTAUDIO"])
PLAN = json.loads((FOLDER / "plan.json").read_text(encoding="utf-8"))

with (FOLDER / "pids.txt").open("a", encoding="utf-8") as pids:
    pids.write(f"{os.getpid()}\n")

if PLAN["missing"]:
    raise OSError("PortAudio library not found")


class PortAudioError(Exception):
    pass


def do(what):
    """Note what is done, and misbehave there if that is the plan."""
    with (FOLDER / "done.txt").open("a", encoding="utf-8") as done:
        done.write(what + "\n")
    misbehaviour = PLAN["at"].get(what.partition(" ")[0])
    if misbehaviour == "hang":
        time.sleep(600)
    elif misbehaviour == "crash":
        os.kill(os.getpid(), signal.SIGABRT)
    elif misbehaviour is not None:
        raise PortAudioError(*misbehaviour)


def query_devices(kind=None):
    do("list")
    if kind == "input":
        if PLAN["default"] is None:
            raise PortAudioError("Error querying device -1")
        return {"index": PLAN["default"]}
    return PLAN["devices"]


def query_hostapis():
    return [{"name": "ALSA"}]


class RawInputStream:
    def __init__(self, **settings):
        self.settings = settings
        rate_hz, channels = settings["samplerate"], settings["channels"]
        do(f"open {settings['device']} {rate_hz} {channels}")
        if PLAN["forms"] is not None and [rate_hz, channels] not in PLAN["forms"]:
            raise PortAudioError("Invalid sample rate", -9997)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        do("start")
        self.thread.start()

    def close(self):
        self.over.set()
        do("close")

    def run(self):
        frames, channels = self.settings["blocksize"], self.settings["channels"]
        for said in PLAN["script"]:
            if self.over.is_set():
                return
            # One level per channel: each is louder than the one before it.
            levels = [abs(said) * (number + 1) for number in range(channels)]
            buffer = array("f", levels * frames)
            self.settings["callback"](buffer, frames, None, SimpleNamespace(input_overflow=said < 0))
            self.over.wait(0.001)
        if PLAN["finishes"]:
            self.settings["finished_callback"]()
