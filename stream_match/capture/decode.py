"""Decoding with FFmpeg (PyAV): an opened container → blocks of audio."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import Block
from stream_match.capture.damage import DamageLog
from stream_match.capture.media import default_audio
from stream_match.capture.resample import Resampler, to_float
from stream_match.errors import SourceError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import InputContainer

JUMP_S = 0.25
"""Time stamps that are off by more mean that audio is missing; less is the jitter of containers."""

TORN_JUMP_S = 0.005
"""The same just behind damage, where audio is missing: a frame of FLAC or MP3 is 26 to 93 ms."""

MAX_GAP_S = 60.0
"""A forward jump up to this is missing audio; a longer one is a clock that was set."""

MAX_DAMAGED_IN_ROW = 500
"""Packets (10 s or more of audio) without one that can be decoded, after which we give up a live stream."""

MAX_DAMAGED_S = 8.0
"""Time of nothing but such packets after which we give it up, too. A station that has gone over to another
codec is then opened again, and heard; damage of a dropped connection is over within a second or two."""

FRAME_HEAD_BYTES = 1024  # of a frame besides its samples, at most
FEW_DAMAGED = 50  # 1 s or more
MORE_PACKETS = 100_000  # that a file may have than bytes

MAX_FORMATS = 8  # a stream that changes more often is damaged

_KINDS = {"u": "u", "s": "i", "f": "f", "d": "f"}
"""Kind of number by the first letter of FFmpeg's sample formats: u8, s16, s32, s64, flt, dbl."""


def no_news(position: int | None) -> Mapping[str, str]:
    """Say that a container brings no metadata on its way.

    Parameters
    ----------
    position : int or None
        Not looked at.

    Returns
    -------
    mapping
        Empty.
    """
    del position
    return {}


class Decoder:
    """Turn the audio of a container into blocks; damaged packets are skipped and counted.

    Of several streams of audio it is the one that the container marks as default, or else the first.

    Parameters
    ----------
    container : av.container.InputContainer
        Opened for reading; stays open.
    shown : str
        The source as messages name it, without secrets.
    block_s : float, > 0 [seconds]
        Least length of a block, but for the last one before a gap or metadata.
    news : callable (int or None) -> mapping of str to str
        Given the byte position of each packet, what the stream says of itself from there on.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.
    name : str or None
        Name of the source, with which lines in the log begin; `shown` if there is none.
    file_bytes : int or None
        Size of a file; None for a live stream. Damage in a file ends nothing.
    damage : DamageLog or None
        Tells of damage; None leaves that to the caller.

    Raises
    ------
    SourceError
        If there is no audio in it.
    """

    def __init__(
        self,
        container: "InputContainer",
        shown: str,
        block_s: float,
        news: Callable[[int | None], Mapping[str, str]] = no_news,
        *,
        channel: int | None = None,
        name: str | None = None,
        file_bytes: int | None = None,
        damage: DamageLog | None = None,
    ) -> None:
        import av

        self.damaged = 0
        """Packets that could not be decoded."""
        self.leaps = 0
        """Jumps of the time stamps by more than `MAX_GAP_S`, which no gap stands for."""
        self.packet_bytes = 0
        """Size of all packets so far."""
        self.heard_bytes = 0
        """Place behind the last packet that gave audio, as far as the container says."""
        self.stream = default_audio(container, shown)
        """The stream that is decoded."""
        self._container = container
        self._file_bytes = file_bytes
        self._shown = shown
        self._name = name or shown
        self._block_s = block_s
        self._news = news
        self._channel = channel
        self._damaged_in_row = 0
        self._damaged_since = 0.0
        self._damage = damage
        self._torn = False
        self._format: tuple[int, str, str] | None = None
        self._resamplers: dict[tuple[int, int], Resampler] = {}
        self._resampler: Resampler | None = None
        self._expected_s: float | None = None
        self._jumped_s = 0.0
        self._enough = 0
        self._held = av.AudioFifo()  # frames of one signal
        self._next = Block(np.empty(0, np.float32))  # what the next block will say besides its audio

    @property
    def damaged_within(self) -> int:
        """Damaged packets but for a few at the end, which are what was appended to a file."""
        return self.damaged - (self._damaged_in_row if self._damaged_in_row < FEW_DAMAGED else 0)

    @property
    def no_numbers(self) -> int:
        """Samples that were no numbers, or infinite, and became silence."""
        return sum(resampler.damaged for resampler in self._resamplers.values())

    def blocks(self) -> Iterator[Block]:
        """Decode to the end of the container.

        Yields
        ------
        Block
            Mono audio, with gaps where the time stamps jump.

        Raises
        ------
        SourceError
            If nothing can be decoded any more.
        """
        import av

        try:
            for packet in self._packets():
                news = self._news(packet.pos)
                if news:
                    yield from self._emit()
                    self._next = replace(self._next, metadata={**self._next.metadata, **news})
                for frame in self._frames(packet):
                    if not self._examine(frame):
                        yield from self._emit(last=True)
                        self._begin(frame)
                    if self._hold(frame) >= self._enough:
                        yield from self._emit()
        except (av.error.FFmpegError, OSError, SourceError):
            yield from self._emit(last=True)  # it has been heard before the stream broke off
            raise
        self._tell_damage()
        yield from self._emit(last=True)

    def _packets(self) -> "Iterator[Packet[AudioStream]]":
        most = math.inf if self._file_bytes is None else MORE_PACKETS + self._file_bytes
        for number, packet in enumerate(self._container.demux(self.stream)):
            self.packet_bytes += packet.size
            yield packet
            if number > most:  # a damaged table of contents that leads in circles
                raise SourceError(f"{self._shown} holds more packets than bytes")

    def _frames(self, packet: "Packet[AudioStream]") -> "list[AudioFrame]":
        import av

        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self._count_damage()
            return []
        if frames:
            self._tell_damage()
            self._damaged_in_row = 0
            self._note_place(packet, frames[-1])
        return frames

    def _note_place(self, packet: "Packet[AudioStream]", frame: "AudioFrame") -> None:
        if packet.pos is None:
            return
        # FFmpeg gives to the last packet of FLAC whatever follows it; no frame is longer than its samples.
        raw_bytes = frame.samples * frame.layout.nb_channels * frame.format.bytes
        self.heard_bytes = packet.pos + min(packet.size, raw_bytes + FRAME_HEAD_BYTES)

    def _count_damage(self) -> None:
        self._torn = True
        self.damaged += 1
        self._damaged_in_row += 1
        if self._damage is not None:
            self._damage.count()
        if self._file_bytes is None:
            self._give_up_in_time()

    def _give_up_in_time(self) -> None:
        now = time.monotonic()
        if self._damaged_in_row == 1:
            self._damaged_since = now
        if self._damaged_in_row >= MAX_DAMAGED_IN_ROW or now - self._damaged_since >= MAX_DAMAGED_S:
            raise SourceError(
                f"{self._shown} has sent {self._damaged_in_row} packets in a row that cannot be decoded",
                retry=True,
            )

    def _tell_damage(self) -> None:
        if self._damage is not None:
            self._damage.tell()

    def _examine(self, frame: "AudioFrame") -> bool:
        """Note format and time of a frame; return whether it is what follows the last one."""
        form = (frame.sample_rate, frame.layout.name, frame.format.name)
        lost = self._torn and frame.time is None and self._expected_s is None  # nobody knows how much
        self._jumped_s = self._jump_s(frame)
        self._torn &= not lost
        same = form == self._format and self._jumped_s == 0.0 and not lost
        self._format = form
        return same

    def _jump_s(self, frame: "AudioFrame") -> float:
        """Say by how much a frame's time stamp is off, if it is too much."""
        expected_s, now_s = self._expected_s, frame.time
        if now_s is None:
            self._torn |= expected_s is not None  # FFmpeg has lost its place: the next stamp tells
            now_s = expected_s
        if now_s is None:
            return 0.0
        self._expected_s = now_s + frame.samples / frame.sample_rate
        jump_s = 0.0 if expected_s is None else now_s - expected_s
        least_s, self._torn = TORN_JUMP_S if self._torn else JUMP_S, self._torn and frame.time is None
        return jump_s if abs(jump_s) > least_s else 0.0

    def _begin(self, frame: "AudioFrame") -> None:
        """Begin a signal with a frame that does not follow the last."""
        import av

        if self._resampler is not None:
            gap_s = self._jumped_s if 0.0 < self._jumped_s <= MAX_GAP_S else 0.0
            self.leaps += self._jumped_s > MAX_GAP_S
            self._next = replace(self._next, gap_s=self._next.gap_s + gap_s, discontinuity=True)
        self._held = av.AudioFifo()
        self._resampler = self._resampler_for(frame.sample_rate, frame.layout.nb_channels)
        self._enough = round(self._block_s * frame.sample_rate)

    def _resampler_for(self, rate_hz: int, channels: int) -> Resampler:
        """Return that of the same format as before, if there is one: it knows the channels."""
        form = (rate_hz, channels)
        if form not in self._resamplers:
            if len(self._resamplers) >= MAX_FORMATS:
                self._resamplers.pop(next(iter(self._resamplers)))
            self._resamplers[form] = Resampler(rate_hz, channels, self._name, channel=self._channel)
        return self._resamplers[form]

    def _hold(self, frame: "AudioFrame") -> int:
        """Keep a frame for the next block, and return how many samples wait for it.

        Frames last 20 ms: resampled one by one, they would cost several times what decoding does.
        """
        frame.pts = None  # the queue takes no time stamps that jump; they have been looked at
        self._held.write(frame)
        return self._held.samples

    def _emit(self, *, last: bool = False) -> Iterator[Block]:
        """Yield what is held, and if it is the last of its signal, what the resampler holds too."""
        if self._resampler is None:
            return
        held = self._held.read()
        parts = [] if held is None else [self._resampler.feed(_samples(held))]
        if last:
            parts.append(self._resampler.flush())
        y = np.concatenate(parts) if parts else np.empty(0, np.float32)
        if y.size:
            yield replace(self._next, y=y)
            self._next = Block(np.empty(0, np.float32))


def _samples(frame: "AudioFrame") -> npt.NDArray[np.float32]:
    """Return the samples of a frame [shape=(n, channels), dtype=float32].

    PyAV's own ``to_ndarray`` reads a ninth plane where there are eight, which is no memory of ours.
    """
    kind, channels = frame.format, frame.layout.nb_channels
    dtype = f"{_KINDS[kind.name[0]]}{kind.bytes}"
    planes: Any = frame.planes  # buffers, which PyAV's types do not say
    if not kind.is_planar:
        return to_float(np.frombuffer(planes[0], dtype, frame.samples * channels).reshape(-1, channels))
    return to_float(np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in planes[:channels]])).T
