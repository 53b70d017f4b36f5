"""A program of its own that holds one microphone and writes what it brings to standard output.

PortAudio freezes its list of devices when it is loaded and keeps one state for the whole process. A
driver may hang in it for good. In a process of its own the list is fresh at each opening, no microphone
disturbs another, and a process that hangs can be killed. The program is run by its path. It imports
nothing of the package, so that it starts in a tenth of a second. It ends with its standard input.

Each message is a `HEADER` (kind, bytes) and a body. The body is JSON or audio. Audio is an `AUDIO` header
(frames lost before it; whether it is torn off; the rate at which frames come if that is not the stated
one, else 0) and interleaved float32 samples.
"""

import json
import os
import queue
import re
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

HEADER = struct.Struct("<cI")
AUDIO = struct.Struct("<I?f")
SAID, HEARD = b"J", b"A"

CALLBACKS_PER_S = 10
QUEUED_CALLBACKS = 100
"""Ten seconds may wait for their reader; then the newest is lost, counted and marked."""

MAX_CHANNELS = 2  # a sound card with 32 inputs is not 32 microphones in one room

RATES_HZ = (48_000, 44_100, 96_000, 32_000, 16_000, 8_000)
"""Tried in this order when a device does not take the rate that it names as its own."""

UNFIT = {-9994, -9997, -9998, -9999}
"""PortAudio's codes for a format, a rate, channels or a combination of them that the device does not take."""

RATE_AFTER_S = 60.0
"""Audio after which the rate of a device is compared with the clock."""

RATE_SLACK = 0.02
"""By so much [share] a rate may be off. Clocks of sound cards are off by 0.0001. One that delivers 44,100 Hz
for 48,000 is off by 0.08, and nothing in it would be recognised."""

CLOSE_S = 2.0  # that a device may take when standard input has ended; then its driver hangs
NAMES_SHOWN = 5
_ADDRESS = re.compile(r" \(hw:\d+,\d+\)$")


class Failure(Exception):  # noqa: N818 - sent to the parent, where it becomes a SourceError
    """A sentence for a person, and whether trying again may help."""

    def __init__(self, said: str, *, retry: bool = True) -> None:
        super().__init__(said)
        self.retry = retry


class RateCheck:
    """Compares the rate at which frames come with the rate that a device states.

    Parameters
    ----------
    rate_hz : int
        What the device states.
    clock : callable
        Monotonic time [seconds].
    """

    def __init__(self, rate_hz: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_hz = rate_hz
        self._clock = clock
        self._begun: float | None = None
        self._frames = 0
        self.wrong_hz = 0.0

    def hear(self, frames: int, *, torn: bool) -> None:
        """Count frames; set `wrong_hz` if they come at another rate."""
        now = self._clock()
        if torn or self._begun is None:
            self._begun, self._frames = now, 0
            return
        self._frames += frames
        if self._frames >= RATE_AFTER_S * self._rate_hz:
            measured_hz = self._frames / max(now - self._begun, 1e-9)
            self.wrong_hz = measured_hz if abs(measured_hz / self._rate_hz - 1) > RATE_SLACK else 0.0
            self._begun = None


class Tape:
    """Between PortAudio's thread, which may do nothing but copy, and ours."""

    def __init__(self, rate_hz: int) -> None:
        self.rate = RateCheck(rate_hz)
        self.over = threading.Event()
        self._waiting: queue.Queue[tuple[int, bool, bytes]] = queue.Queue(QUEUED_CALLBACKS)
        self._lost = 0
        self._torn = False

    def callback(self, samples: Any, frames: int, times: Any, status: Any) -> None:
        """Take what the device has heard; `samples` belongs to PortAudio."""
        del times
        self._torn = self._torn or bool(status and status.input_overflow)
        self.rate.hear(frames, torn=self._torn)
        try:
            self._waiting.put_nowait((self._lost, self._torn or self._lost > 0, bytes(samples)))
        except queue.Full:
            self._lost += frames
        else:
            self._lost, self._torn = 0, False

    def messages(self, stop: threading.Event) -> Iterator[bytes]:
        """Yield bodies of audio until the stream is over or `stop` is set."""
        while not stop.is_set():
            try:
                lost, torn, samples = self._waiting.get(timeout=1.0 / CALLBACKS_PER_S)
            except queue.Empty:
                if self.over.is_set():
                    return
            else:
                yield AUDIO.pack(lost, torn, self.rate.wrong_hz) + samples


def stable_names(devices: list[Any]) -> list[str]:
    """Return names without the number of the sound card, which changes at a plug, where they stay unique."""
    short = [_ADDRESS.sub("", str(device["name"])) for device in devices]
    return [
        name if short.count(name) == 1 else str(device["name"])
        for name, device in zip(short, devices, strict=True)
    ]


def find(devices: list[Any], wanted: str, default: int | None) -> Any:
    """Return the recording device that a name stands for, or None.

    An exact name goes before the same name on another sound card, and that before a part of a name.
    """
    if not wanted:
        return next((device for device in devices if device["index"] == default), next(iter(devices), None))
    sought = wanted.casefold()
    names = [str(device["name"]).casefold() for device in devices]
    ways = (
        [name == sought for name in names],
        [_ADDRESS.sub("", name) == _ADDRESS.sub("", sought) for name in names],
        [sought in name for name in names],
    )
    return next((device for fits in ways for device, fit in zip(devices, fits, strict=True) if fit), None)


def forms(device: Any, channel: int | None) -> list[tuple[int, int]]:
    """Return the rates and numbers of channels to try, the device's own rate first."""
    own, most = round(device["default_samplerate"]), int(device["max_input_channels"])
    least = channel or 1
    channels = [n for n in (min(most, max(least, MAX_CHANNELS)), 1, 2, most) if least <= n <= most]
    return [(rate, n) for rate in dict.fromkeys((own, *RATES_HZ)) for n in dict.fromkeys(channels)]


def main(arguments: list[str]) -> None:
    """Run ``list`` or ``record NAME CHANNEL``; a channel of 0 is all of them."""
    # The parent ends this process; a signal to the whole group must not look like a fault of the device.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the messages
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    try:
        if arguments[0] == "list":
            _send(out, SAID, json.dumps({"microphones": _listed(_sounddevice())}).encode())
        else:
            _record(out, arguments[1], int(arguments[2]) or None, stop)
    except BrokenPipeError:
        pass
    except Exception as error:  # noqa: BLE001 - PortAudio may raise its own at any call
        why = next(iter(error.args), type(error).__name__)
        failure = error if isinstance(error, Failure) else Failure(f"the sound system does not work ({why})")
        _send(out, SAID, json.dumps({"error": str(failure), "retry": failure.retry}).encode())
    os._exit(0)  # PortAudio's own cleaning up at the end may hang, too


def _wait_for_end(stop: threading.Event) -> None:
    while os.read(0, 64):
        pass
    stop.set()
    time.sleep(CLOSE_S)
    os._exit(1)


def _send(out: Any, kind: bytes, body: bytes) -> None:
    out.write(HEADER.pack(kind, len(body)) + body)
    out.flush()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise Failure(
            "microphones need the PortAudio library, which is not installed: apt install libportaudio2 "
            "(Debian, Ubuntu, Raspberry Pi OS)",
            retry=False,
        ) from error
    except ImportError as error:
        raise Failure(
            "microphones need the package sounddevice: pip install sounddevice", retry=False
        ) from error
    return sounddevice


def _recorders(sd: Any) -> list[Any]:
    devices = [{**device, "index": index} for index, device in enumerate(sd.query_devices())]
    return [device for device in devices if device["max_input_channels"] > 0]


def _listed(sd: Any) -> list[dict[str, Any]]:
    host_apis, devices = sd.query_hostapis(), _recorders(sd)
    return [
        {
            "name": name,
            "channels": int(device["max_input_channels"]),
            "rate_hz": round(device["default_samplerate"]),
            "host_api": str(host_apis[device["hostapi"]]["name"]),
        }
        for name, device in zip(stable_names(devices), devices, strict=True)
    ]


def _record(out: Any, wanted: str, channel: int | None, stop: threading.Event) -> None:
    sd = _sounddevice()
    device = _wanted(sd, wanted)
    stream, tape, rate_hz, channels, refused = _open(sd, device, channel)
    about = {"name": device["name"], "rate_hz": rate_hz, "channels": channels, "refused": refused}
    _send(out, SAID, json.dumps(about).encode())
    with suppress(BrokenPipeError):  # the parent does not listen any more
        for body in tape.messages(stop):
            _send(out, HEARD, body)
        if not stop.is_set():
            raise Failure(f"microphone {device['name']!r} has stopped; is it still plugged in?")
    stream.close()


def _wanted(sd: Any, wanted: str) -> Any:
    devices = _recorders(sd)
    found = find(devices, wanted, _default(sd))
    if found is not None:
        return found
    names = [repr(name) for name in stable_names(devices)]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    there = f"there is {', '.join(names[:NAMES_SHOWN])}{more}" if names else "there is none at all"
    what = f"no microphone named {wanted!r}" if wanted else "no default microphone"
    raise Failure(f"there is {what}; {there}; stream-match devices lists them")


def _default(sd: Any) -> int | None:
    try:
        return int(sd.query_devices(kind="input")["index"])
    except (sd.PortAudioError, ValueError):  # the system names none
        return None


def _open(sd: Any, device: Any, channel: int | None) -> tuple[Any, Tape, int, int, str]:
    """Open and start a device in the first form that it takes; return it, its form, and why not the first."""
    tries = forms(device, channel)
    if not tries:
        most = device["max_input_channels"]
        raise Failure(f"microphone {device['name']!r} has {most} channels; there is no channel {channel}")
    refused: list[str] = []
    for rate_hz, channels in tries:
        try:
            return *_started(sd, device, rate_hz, channels), rate_hz, channels, next(iter(refused), "")
        except (sd.PortAudioError, ValueError) as error:
            refused.append(f"{rate_hz} Hz, {channels} ch: {error.args[0]}")
            if len(error.args) > 1 and error.args[1] not in UNFIT:
                break
    raise Failure(
        f"microphone {device['name']!r} cannot be opened ({refused[-1]}); does another program hold it?"
    )


def _started(sd: Any, device: Any, rate_hz: int, channels: int) -> tuple[Any, Tape]:
    tape = Tape(rate_hz)
    stream = sd.RawInputStream(
        device=device["index"],
        channels=channels,
        samplerate=rate_hz,
        blocksize=rate_hz // CALLBACKS_PER_S,
        dtype="float32",
        callback=tape.callback,
        finished_callback=tape.over.set,
    )
    try:
        stream.start()
    except sd.PortAudioError:
        stream.close()
        raise
    return stream, tape


if __name__ == "__main__":
    main(sys.argv[1:])
