"""Raw PCM on standard input: the way in for everything that we cannot open ourselves."""

import os
import select
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import Block
from stream_match.capture.resample import MAX_RATE_HZ, MIN_RATE_HZ, Resampler, to_float
from stream_match.capture.threaded import from_thread
from stream_match.errors import SourceError, UsageError

MAX_CHANNELS = 64
DEFAULTS = {"rate": "48000", "channels": "2", "format": "s16le"}
READ_BYTES = 1 << 16  # what a pipe of Linux holds
STOP_POLL_S = 0.2  # a reader that has gone is noticed after this
BLOCK_S = 0.1  # fixed, so that what is told does not depend on how the writer cuts; hardly a delay


def _plain(dtype: str) -> Callable[[bytes], npt.NDArray[Any]]:
    return lambda data: np.frombuffer(data, dtype).astype(np.dtype(dtype).newbyteorder("="))


def _packed_24(data: bytes) -> npt.NDArray[Any]:
    # Into the upper three bytes of 32 bits, where the sign is in its place.
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0]


# Name as ffmpeg and arecord have it → bytes of a sample, and how to read them.
FORMATS: dict[str, tuple[int, Callable[[bytes], npt.NDArray[Any]]]] = {
    "u8": (1, _plain("u1")),
    "s16le": (2, _plain("<i2")),
    "s16be": (2, _plain(">i2")),
    "s24le": (3, _packed_24),
    "s32le": (4, _plain("<i4")),
    "f32le": (4, _plain("<f4")),
    "f64le": (8, _plain("<f8")),
}


class PcmSource:
    """Raw PCM from a file descriptor; it waits for its reader and ends with its writer.

    Parameters
    ----------
    uri : str
        ``pcm:-`` with ``rate``, ``channels`` and ``format`` as query; by default 48000, 2, s16le.
    name : str
        Name of the source.
    descriptor : int
        Where to read; standard input by default. Stays open.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.

    Raises
    ------
    UsageError
        If `uri` asks for anything else, or for what there is not.
    """

    def __init__(self, uri: str, name: str, *, descriptor: int = 0, channel: int | None = None) -> None:
        settings = _settings(uri)
        self.name = name
        self.uri = uri
        self.live = False
        self._descriptor = descriptor
        self._channel = channel
        self._rate_hz = _number(settings, "rate", MIN_RATE_HZ, MAX_RATE_HZ)
        self._channels = _number(settings, "channels", 1, MAX_CHANNELS)
        self._sample_bytes, self._read_samples = _format(settings["format"])

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Yield the audio as it is written, read in a thread.

        Returns
        -------
        async generator of Block
            Blocks of `BLOCK_S`, however the writer cuts what it writes; the last one may be shorter.

        Raises
        ------
        SourceError
            If the descriptor cannot be read.
        """
        return from_thread(self._blocks, name=f"pcm-{self.name}")

    def _blocks(self, stop: threading.Event) -> Iterator[Block]:
        resampler = Resampler(self._rate_hz, self._channels, self.name, channel=self._channel)
        for data in self._chunks(stop):
            samples = to_float(self._read_samples(data))
            y = resampler.feed(samples.reshape(-1, self._channels))
            if y.size:
                yield Block(y)
        if (tail := resampler.flush()).size:
            yield Block(tail)

    def _chunks(self, stop: threading.Event) -> Iterator[bytes]:
        """Yield whole frames, `BLOCK_S` at a time."""
        frame_bytes = self._sample_bytes * self._channels
        chunk_bytes = frame_bytes * max(1, round(BLOCK_S * self._rate_hz))
        waiting = bytearray()
        for data in self._reads(stop):
            waiting += data
            while len(waiting) >= chunk_bytes:
                yield bytes(waiting[:chunk_bytes])
                del waiting[:chunk_bytes]
        yield bytes(waiting[: len(waiting) // frame_bytes * frame_bytes])

    def _reads(self, stop: threading.Event) -> Iterator[bytes]:
        if os.isatty(self._descriptor):
            raise SourceError(
                "standard input is a terminal; pipe raw audio into it, as from arecord or ffmpeg"
            )
        try:
            while not stop.is_set():
                ready, _, _ = select.select([self._descriptor], [], [], STOP_POLL_S)
                if not ready:
                    continue
                data = os.read(self._descriptor, READ_BYTES)
                if not data:
                    return
                yield data
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"standard input cannot be read ({reason}); is audio piped into it?") from error


def _settings(uri: str) -> dict[str, str]:
    place, _, query = uri.removeprefix("pcm:").partition("?")
    if place != "-":
        raise UsageError(f"{uri!r} reads raw audio from {place!r}; only standard input is possible: pcm:-")
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise UsageError(f"{uri!r} sets {', '.join(unknown)}; expected {', '.join(DEFAULTS)}")
    return DEFAULTS | given


def _number(settings: dict[str, str], key: str, low: int, high: int) -> int:
    text = settings[key]
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high and len(text) < 9):
        raise UsageError(f"the {key} of pcm: is {text!r}; expected a whole number from {low} to {high}")
    return int(text)


def _format(text: str) -> tuple[int, Callable[[bytes], npt.NDArray[Any]]]:
    if text not in FORMATS:
        raise UsageError(f"the format of pcm: is {text!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[text]
