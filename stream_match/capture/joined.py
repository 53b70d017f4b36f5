"""Files read by FFmpeg, part by part, and what of them could not be heard."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.decode import MAX_GAP_S, Decoder
from stream_match.capture.heads import HEAD_BYTES
from stream_match.capture.media import import_av, open_bytes, stated_s
from stream_match.capture.parts import Part, behind_id3, cut_riff, parts_of, riff_bytes
from stream_match.capture.told import logger
from stream_match.errors import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer

log = logger(__name__)

Float32 = npt.NDArray[np.float32]

BLOCK_S = 10.0

MAX_UNREADABLE = 100
"""Parts in a row that cannot be read, after which the rest is left."""

MAX_PARTS = 10_000
"""Parts that are heard; more, of a few bytes each, are no recording and take minutes."""

XING_BYTES = 256  # of the first frame of an MP3 file: the tag that counts its frames is among them
XING = re.compile(rb"(?:Xing|Info)\0\0\0.(.{4})", re.DOTALL)  # flags, number of frames
LOW_RATE_HZ = 32_000  # below, a frame of MP3 has 576 samples, from there on twice as many

SHORT_S = 0.25
"""What is shorter by less than it promises has lost nothing: encoders pad, and some count their padding."""

LEAST_TOLD_S = 0.05
"""Less is lost where MP3 files are joined, of the silence with which the second begins."""

BEHIND_BYTES = 1 << 16  # less is tags, and no audio that a recorder forgot to count
BARE = ("flac", "ogg")
"""Formats without an index or large tags behind the audio. What is behind MP3 counts as damage."""


class JoinedFile:
    """A file that may have been joined of several, read by FFmpeg.

    Parameters
    ----------
    file : binary file
        Open for reading; stays open.
    path : Path
        As messages name it.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._heard_s = 0.0
        self._filled_s = 0.0
        self._damaged = 0
        self._no_numbers = 0
        self._unheard_bytes = 0
        self._promised_s = 0.0
        self._slack_s = 0.0
        self._reason: str | None = None
        self._jumps = False

    def duration_s(self) -> float | None:
        """Say how long the file claims to be.

        Returns
        -------
        float or None [seconds]
            The sum over its parts; None if one of them cannot be opened or does not tell.
        """
        av = import_av(self._shown)
        total_s = 0.0
        for part in islice(parts_of(self._file), MAX_PARTS):
            try:
                with open_bytes(part, shown=self._shown) as container:
                    if container.duration is None:
                        return None
                    total_s += container.duration / 1_000_000
            except (av.error.FFmpegError, OSError):
                return None
        return total_s

    def blocks(self, channel: int | None) -> Iterator[Float32]:
        """Decode the file; what could not be heard is told in the log at the end.

        Parameters
        ----------
        channel : int or None, >= 1
            The channel to take, counted from 1; None for the mean of all.

        Yields
        ------
        np.ndarray [shape=(n,), dtype=float32]
            Mono samples at `SAMPLE_RATE_HZ`; n may be 0.

        Raises
        ------
        SourceError
            If FFmpeg is not installed, or what it decodes is out of range.
        av.error.FFmpegError or OSError
            If nothing of the file can be opened.
        """
        av = import_av(self._shown)
        refused: Exception | None = None
        unreadable = 0
        for number, part in enumerate(parts_of(self._file), start=1):
            try:
                container = open_bytes(part, shown=self._shown)
            except (av.error.FFmpegError, OSError) as error:
                refused = refused or part.failure or error
                self._unheard_bytes += part.size
                unreadable += 1
            else:
                unreadable = 0
                with container:
                    yield from self._part(container, part, channel)
            if unreadable >= MAX_UNREADABLE or number >= MAX_PARTS:
                self._unheard_bytes += self._file.seek(0, os.SEEK_END) - part.end
                break
        if refused is not None and not self._heard_s:
            raise refused
        self._tell()

    @property
    def _shown(self) -> str:
        return repr(str(self._path))

    def _part(self, container: "InputContainer", part: Part, channel: int | None) -> Iterator[Float32]:
        import av

        decoder = Decoder(container, self._shown, BLOCK_S, channel=channel, file_bytes=part.size)
        try:
            for block in decoder.blocks():
                yield self._silence(block)
                yield block.y
                self._heard_s += block.y.size / SAMPLE_RATE_HZ
        except (av.error.FFmpegError, OSError, SourceError) as error:
            if not self._heard_s and isinstance(error, SourceError):
                raise
            self._reason = str(getattr(error, "strerror", None) or error)
        if part.failure is not None:
            self._reason = part.failure.strerror
        self._damaged += decoder.damaged_within
        self._no_numbers += decoder.no_numbers
        self._jumps |= decoder.leaps > 0
        self._tell_riff(part, decoder)
        self._tell_behind(container.format.name, part.size - decoder.heard_bytes)
        promised_s = _promised_s(container, decoder, part)
        if promised_s is not None:
            self._promised_s += promised_s
            self._slack_s += SHORT_S

    def _silence(self, block: Block) -> Float32:
        """Return the silence that keeps what follows a missing stretch in its place."""
        gap_s = min(block.gap_s, MAX_GAP_S - self._filled_s)  # time stamps may be damaged too
        self._jumps |= gap_s < block.gap_s
        self._filled_s += gap_s
        self._heard_s += gap_s
        return np.zeros(round(gap_s * SAMPLE_RATE_HZ), np.float32)

    def _tell_riff(self, part: Part, decoder: Decoder) -> None:
        """Tell of a WAV or AIFF file that is shorter or longer than its header says; FFmpeg keeps silent."""
        promised = riff_bytes(part)
        if promised is None:
            return
        part.seek(0)
        if cut := cut_riff(part.read(HEAD_BYTES), part.size):
            log.warning("%s: broken off: %s", self._path, cut)
        behind = part.size - promised
        if behind > BEHIND_BYTES and part.size - decoder.packet_bytes >= behind:
            log.warning("%s: %d bytes behind the end that its header names are not heard", self._path, behind)

    def _tell_behind(self, name: str, behind: int) -> None:
        """Tell that something follows the audio, such as a file of a format whose head is not known."""
        if name in BARE and behind > BEHIND_BYTES:
            log.warning("%s: about %d kB behind its audio are not heard", self._path, behind // 1000)

    def _tell(self) -> None:
        self._tell_short()
        if self._filled_s >= LEAST_TOLD_S:
            told = "%s: %.2f s of it are damaged or missing and became silence"
            log.warning(told, self._path, self._filled_s)
        elif self._damaged > 1:
            log.warning("%s: damaged packets that were skipped: %d", self._path, self._damaged)
        if self._no_numbers:
            log.warning("%s: %d samples were no numbers and became silence", self._path, self._no_numbers)
        if self._unheard_bytes:
            log.warning("%s: %d bytes in it cannot be read as audio", self._path, self._unheard_bytes)
        if self._jumps:
            log.warning("%s: its time stamps jump by more than a minute: parts are missing", self._path)

    def _tell_short(self) -> None:
        if self._heard_s < self._promised_s - self._slack_s:
            told = "%s: broken off: %.1f s of %.1f s could be decoded"
            log.warning(told, self._path, self._heard_s, self._promised_s)
        elif self._reason is not None:
            log.warning("%s: broken off after %.1f s: %s", self._path, self._heard_s, self._reason)


def _promised_s(container: "InputContainer", decoder: Decoder, part: Part) -> float | None:
    """Return how long a part says that it should be; None if it does not say."""
    if container.format.name == "mp3":  # FFmpeg's guess is wrong where something was appended
        return _counted_s(part, decoder.stream.rate or LOW_RATE_HZ)
    return stated_s(container, decoder.stream)


def _counted_s(part: Part, rate_hz: int) -> float | None:
    """Return how long an MP3 file is by the number of frames in its first."""
    part.seek(behind_id3(part))
    tag = XING.search(part.read(XING_BYTES))
    samples = 1152 if rate_hz >= LOW_RATE_HZ else 576
    return None if tag is None else int.from_bytes(tag[1], "big") * samples / rate_hz
