"""Microphones, each recorded by a process of its own."""

import json
import logging
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream_match.capture.base import Block
from stream_match.capture.recorder import AUDIO, CALLBACKS_PER_S, HEADER, SAID
from stream_match.capture.resample import Resampler
from stream_match.capture.threaded import from_thread
from stream_match.errors import ParameterError, SourceError

RECORDER = Path(__file__).with_name("recorder.py")

STALL_S = 5.0
"""No audio for so long: the driver has stopped. PortAudio does not always tell (a known fault on ALSA)."""

OPEN_S = 10.0
"""Longest wait for a device to open; some sound servers take seconds to start."""

CLOSE_S = 0.5
"""How long a recorder may take to close its device before it is killed."""

KILL_S = 2.0
"""How long a killed recorder may take to be gone; a driver may hold it in the kernel."""

RECONNECT_MAX_S = 5.0
"""Longest wait before a lost microphone is looked for again, however long it is away. Looking takes 0.2 s of
CPU and bothers nobody else. With the time that opening takes it is heard within 10 s of its return."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Microphone:
    """A device that records.

    Parameters
    ----------
    name : str
        As the system names it, without the number of the sound card where the name is unique
        without it; ``mic:NAME`` takes it, or a part of it.
    channels : int, >= 1
        Its inputs.
    rate_hz : int
        Its own sample rate.
    host_api : str
        The sound system through which it is reached (ALSA, Core Audio, …).
    """

    name: str
    channels: int
    rate_hz: int
    host_api: str


def list_microphones() -> list[Microphone]:
    """List the devices that record.

    Returns
    -------
    list of Microphone
        In the system's order; empty if there is none.

    Raises
    ------
    SourceError
        If PortAudio is not installed, or does not answer.
    """
    with closing(_Recorder("list")) as recorder:
        return [Microphone(**about) for about in recorder.told(threading.Event())["microphones"]]


class MicrophoneSource:
    """A microphone; found by its name at each opening, because numbers change at every plug.

    Parameters
    ----------
    uri : str
        ``mic:`` for the system's default, or ``mic:NAME``: a name or a part of it, in any case.
    name : str
        Name of the source.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of the first two.
    stall_s : float, > 0 [seconds]
        Without audio for so long, it counts as lost.

    Raises
    ------
    ParameterError
        If `channel` is below 1.
    """

    def __init__(self, uri: str, name: str, *, channel: int | None = None, stall_s: float = STALL_S) -> None:
        if channel is not None and channel < 1:
            raise ParameterError(f"the channel of {uri} is {channel}; expected 1 or more")
        self.name = name
        self.uri = uri
        self.live = True
        self.reconnect_max_s = RECONNECT_MAX_S
        self._wanted = uri.partition(":")[2].strip()
        self._channel = channel
        self._stall_s = stall_s
        self._told: set[str] = set()

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Open the device and yield what it hears, handed over by a thread.

        Returns
        -------
        async generator of Block
            Blocks of about a tenth of a second.

        Raises
        ------
        SourceError
            If there is no PortAudio; if there is no such device, it cannot be opened, or it stops:
            then trying again may help.
        """
        return from_thread(self._blocks, name=f"mic-{self.name}")

    def _blocks(self, stop: threading.Event) -> Iterator[Block]:
        with closing(_Recorder("record", self._wanted, str(self._channel or 0))) as recorder:
            device = recorder.told(stop)
            if device:
                self._tell_form(device)
                yield from self._heard(recorder, device, stop)

    def _tell_form(self, device: dict[str, Any]) -> None:
        """Say that a device does not take what it names as its own."""
        if device["refused"]:
            form = f"{device['rate_hz']} Hz with {device['channels']} channels"
            self._tell(f"microphone {device['name']!r} is recorded at {form}; it refused {device['refused']}")

    def _tell(self, what: str) -> None:
        """Say something once, however often the microphone is opened."""
        if what not in self._told:
            self._told.add(what)
            log.warning("%s: %s", self.name, what)

    def _heard(self, recorder: "_Recorder", device: dict[str, Any], stop: threading.Event) -> Iterator[Block]:
        channels, rate_hz = device["channels"], device["rate_hz"]
        shown = f"microphone {device['name']!r}"
        resampler = Resampler(rate_hz, channels, self.name, channel=self._channel)
        while (body := recorder.receive(self._stall_s, stop)) is not None:
            lost, torn, wrong_hz = AUDIO.unpack_from(body)
            if wrong_hz:
                self._tell(
                    f"{shown} says {rate_hz} Hz and delivers {wrong_hz:.0f}: nothing will be recognised"
                )
            tail = resampler.flush() if torn else np.empty(0, np.float32)
            if tail.size:
                yield Block(tail)
            y = np.frombuffer(body, np.float32, offset=AUDIO.size).reshape(-1, channels)
            lost_s = lost / rate_hz
            yield Block(resampler.feed(y), gap_s=lost_s, overrun_s=lost_s, discontinuity=torn)
        if not stop.is_set():
            raise SourceError(
                f"{shown} has delivered nothing for {self._stall_s:g} s; is it still plugged in?",
                retry=True,
            )


class _Recorder:
    """The process that holds a device, and the messages that it sends."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program; arguments are no shell's
            [sys.executable, "-P", str(RECORDER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # ALSA and PortAudio complain of every device that they skip
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        self._received = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    def told(self, stop: threading.Event) -> dict[str, Any]:
        """Wait for what the recorder says first; empty if `stop` was set meanwhile."""
        body = self.receive(OPEN_S, stop)
        if body is None and not stop.is_set():
            raise SourceError(f"the sound system has not answered for {OPEN_S:g} s", retry=True)
        return {} if body is None else dict(json.loads(body))

    def receive(self, patience_s: float, stop: threading.Event) -> bytes | None:
        """Wait for the next message; None if none came, or `stop` was set."""
        waits = max(1, round(patience_s * CALLBACKS_PER_S))
        while not stop.is_set():
            message = self._take()
            if message is not None:
                return message
            if self._selector.select(1.0 / CALLBACKS_PER_S):
                self._read()
            elif (waits := waits - 1) == 0:
                return None
        return None

    def close(self) -> None:
        """Let the recorder close its device; kill it if that takes long."""
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_S)
            return
        self._process.kill()
        try:
            self._process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            log.warning("process %d cannot be ended: the driver of a sound card holds it", self._process.pid)

    def _take(self) -> bytes | None:
        """Take a whole message out of what was received; raise what it reports."""
        if len(self._received) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._received)
        end = HEADER.size + length
        if len(self._received) < end:
            return None
        body = bytes(self._received[HEADER.size : end])
        del self._received[:end]
        if kind == SAID and "error" in (said := json.loads(body)):
            raise SourceError(said["error"], retry=said["retry"])
        return body

    def _read(self) -> None:
        received = os.read(self._pipe, 1 << 16)
        if not received:
            raise SourceError(self._ending(), retry=True)
        self._received += received

    def _ending(self) -> str:
        """Say how the process ended."""
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(CLOSE_S)
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            return f"the sound system ended the recorder of a microphone ({how})"
        return "the recorder of a microphone has gone silent"
