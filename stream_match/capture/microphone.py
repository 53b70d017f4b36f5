"""Microphones, through PortAudio."""

import queue
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import Block
from stream_match.capture.resample import Resampler
from stream_match.capture.threaded import from_thread
from stream_match.errors import SourceError

STALL_S = 5.0
"""No callback for so long: the driver has stopped. PortAudio does not tell (a known fault on ALSA)."""

CALLBACKS_PER_S = 10
QUEUED_CALLBACKS = 100
"""Ten seconds may wait for their reader; then the newest is lost, counted and marked."""

MAX_CHANNELS = 2  # a sound card with 32 inputs is not 32 microphones in one room


# PortAudio is one for the whole process: whoever looks for devices or opens one holds the lock.
_portaudio = threading.Lock()
_streams: list[Any] = []


@dataclass(frozen=True)
class Microphone:
    """A device that records.

    Parameters
    ----------
    name : str
        As the system names it; ``mic:NAME`` takes it, or a part of it.
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
        If PortAudio is not installed.
    """
    sd = _import_sounddevice()
    with _portaudio:
        return [microphone for _, microphone in _recorders(sd)]


class MicrophoneSource:
    """A microphone; found by its name at each opening, because numbers change at every plug.

    Parameters
    ----------
    uri : str
        ``mic:`` for the system's default, or ``mic:NAME``: a name or a part of it, in any case.
    name : str
        Name of the source.
    stall_s : float, > 0 [seconds]
        Without audio for so long, it counts as lost.
    """

    def __init__(self, uri: str, name: str, *, stall_s: float = STALL_S) -> None:
        self.name = name
        self.uri = uri
        self.live = True
        self._wanted = uri.partition(":")[2].strip()
        self._stall_s = stall_s

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
        sd = _import_sounddevice()
        with _portaudio:
            index, device = _find(sd, self._wanted)
            hand_over = _HandOver(device.rate_hz)
            stream = _open(sd, index, device, hand_over)
            _streams.append(stream)
        try:
            yield from self._heard(sd, stream, hand_over, device, stop)
        finally:
            stream.close()
            with _portaudio:
                _streams.remove(stream)

    def _heard(
        self, sd: Any, stream: Any, hand_over: "_HandOver", device: Microphone, stop: threading.Event
    ) -> Iterator[Block]:
        resampler = Resampler(device.rate_hz, _channels(device))
        try:
            stream.start()
        except sd.PortAudioError as error:
            raise _unopened(device.name, error) from error
        while not stop.is_set():
            got = hand_over.take(self._stall_s, stop)
            if got is None:
                if stop.is_set():
                    return
                raise SourceError(
                    f"microphone {device.name!r} has delivered nothing for {self._stall_s:g} s; "
                    "is it still plugged in?",
                    retry=True,
                )
            y, lost_s, broken = got
            tail = resampler.flush() if broken else np.empty(0, np.float32)
            if tail.size:
                yield Block(tail)
            yield Block(resampler.feed(y), gap_s=lost_s, discontinuity=broken)


class _HandOver:
    """Between PortAudio's thread, which may do nothing but copy, and ours."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._waiting: queue.Queue[tuple[npt.NDArray[np.float32], int, bool]] = queue.Queue(QUEUED_CALLBACKS)
        self._lost = 0
        self._overflow = False

    def callback(self, y: npt.NDArray[np.float32], frames: int, time: Any, status: Any) -> None:
        """Take what the device has heard; `y` belongs to PortAudio."""
        del time
        overflow = self._overflow or bool(status and status.input_overflow)
        try:
            self._waiting.put_nowait((y.copy(), self._lost, overflow or self._lost > 0))
        except queue.Full:
            self._lost += frames
            self._overflow = overflow
        else:
            self._lost = 0
            self._overflow = False

    def take(
        self, patience_s: float, stop: threading.Event
    ) -> tuple[npt.NDArray[np.float32], float, bool] | None:
        """Wait for a block, its lost seconds and whether it is torn off; None if none came."""
        for _ in range(max(1, round(patience_s * CALLBACKS_PER_S))):
            try:
                y, lost, broken = self._waiting.get(timeout=1.0 / CALLBACKS_PER_S)
            except queue.Empty:
                if stop.is_set():
                    return None
            else:
                return y, lost / self._rate_hz, broken
        return None


def _import_sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise SourceError(
            "microphones need the PortAudio library, which is not installed: apt install libportaudio2 "
            "(Debian, Ubuntu, Raspberry Pi OS)"
        ) from error
    except ImportError as error:
        raise SourceError("microphones need the package sounddevice: pip install sounddevice") from error
    return sounddevice


def _recorders(sd: Any) -> list[tuple[int, Microphone]]:
    host_apis = [str(api["name"]) for api in sd.query_hostapis()]
    return [
        (index, _described(device, host_apis))
        for index, device in enumerate(sd.query_devices())
        if device["max_input_channels"] > 0
    ]


def _described(device: Any, host_apis: list[str]) -> Microphone:
    return Microphone(
        name=str(device["name"]),
        channels=int(device["max_input_channels"]),
        rate_hz=round(device["default_samplerate"]),
        host_api=host_apis[device["hostapi"]],
    )


def _find(sd: Any, wanted: str) -> tuple[int, Microphone]:
    """Find a microphone by name; a device that was plugged in meanwhile is found the second time."""
    found = _match(_recorders(sd), wanted, sd)
    if found is None and not _streams:
        sd._terminate()  # the only way to a new list of devices; it would end every open stream
        sd._initialize()
        found = _match(_recorders(sd), wanted, sd)
    if found is not None:
        return found
    there = ", ".join(repr(microphone.name) for _, microphone in _recorders(sd)) or "none at all"
    what = f"no microphone named {wanted!r}" if wanted else "no default microphone"
    raise SourceError(f"there is {what}; there is {there}", retry=True)


def _match(recorders: list[tuple[int, Microphone]], wanted: str, sd: Any) -> tuple[int, Microphone] | None:
    if not recorders:
        return None
    if not wanted:
        default = sd.query_devices(kind="input")["index"]
        return next((found for found in recorders if found[0] == default), recorders[0])
    sought = wanted.casefold()
    exact = [found for found in recorders if found[1].name.casefold() == sought]
    part = [found for found in recorders if sought in found[1].name.casefold()]
    return next(iter(exact + part), None)


def _channels(device: Microphone) -> int:
    return min(device.channels, MAX_CHANNELS)


def _open(sd: Any, index: int, device: Microphone, hand_over: _HandOver) -> Any:
    try:
        return sd.InputStream(
            device=index,
            channels=_channels(device),
            samplerate=device.rate_hz,
            blocksize=device.rate_hz // CALLBACKS_PER_S,
            dtype="float32",
            callback=hand_over.callback,
        )
    except (sd.PortAudioError, ValueError) as error:
        raise _unopened(device.name, error) from error


def _unopened(name: str, error: Exception) -> SourceError:
    return SourceError(
        f"microphone {name!r} cannot be opened ({error}); does another program hold it?", retry=True
    )
