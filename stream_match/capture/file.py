"""Audio files: whatever libsndfile or FFmpeg reads, block by block."""

import logging
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.decode import MAX_GAP_S, Decoder
from stream_match.capture.media import import_av, open_bytes
from stream_match.capture.resample import Resampler
from stream_match.capture.threaded import from_thread
from stream_match.errors import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer

log = logging.getLogger(__name__)

CHUNK_VALUES = 1 << 20
"""Numbers read at once (4 MB; 12 s of stereo at 44.1 kHz). Anything from 1 s to 20 s is as fast."""

STEP_FRAMES = 1024  # up to so many are lost before a place where a file is damaged
FFMPEG_BLOCK_S = 10.0
FFMPEGS = ("OPUS", "VORBIS")
"""What libsndfile reads too, but slower (160 and 510 times real time on one core, FFmpeg 440 and 690), of Ogg
files that were joined only the first, and of some Opus files the beginning."""

UNKNOWN_LENGTH = 1 << 62  # libsndfile's way of saying that the header does not tell
END_SLACK_S = 0.05  # some Ogg files promise a little more than libsndfile makes of them
RIFF_BYTES = 8  # before what the size in the header counts
RIFF_SLACK_BYTES = 1024  # some writers count a little wrong
LARGEST_RIFF_BYTES = 0x7FF0_0000  # beyond, it is what programs write into a pipe, not knowing the length


class FileSource:
    """A file as a source: read as fast as the reader takes it, ending once.

    Parameters
    ----------
    uri : str
        Path of the file.
    name : str
        Name of the source.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.
    """

    def __init__(self, uri: str, name: str, *, channel: int | None = None) -> None:
        self.name = name
        self.uri = uri
        self.live = False
        self._channel = channel

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Open the file and yield its audio, decoded in a thread.

        Returns
        -------
        async generator of Block
            Blocks of up to some ten seconds.

        Raises
        ------
        SourceError
            If there is no such file, or nothing in it can be decoded.
        """
        return from_thread(self._blocks, name=f"file-{self.name}")

    def _blocks(self, stop: threading.Event) -> Iterator[Block]:
        del stop  # a chunk takes milliseconds
        for y in read_blocks(self.uri, channel=self._channel):
            yield Block(y)


def read_blocks(path: str | Path, *, channel: int | None = None) -> Iterator[npt.NDArray[np.float32]]:
    """Decode a file, never holding more of it than some ten seconds, or a minute of silence.

    A file that breaks off gives what can be decoded and a warning in the log. Parts that are missing by the
    time stamps, as FFmpeg tells them, are silence, but for what goes beyond a minute in all.

    Parameters
    ----------
    path : str or Path
        A regular file.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.

    Yields
    ------
    np.ndarray [shape=(n,), dtype=float32]
        Mono samples at `SAMPLE_RATE_HZ`, n > 0, owned by the caller.

    Raises
    ------
    SourceError
        If there is no such file, or nothing in it can be decoded.
    """
    path = Path(path)
    _check(path)
    empty = True
    for y in _decoded(path, channel):
        empty = False
        yield y
    if empty:
        raise SourceError(f"{str(path)!r} holds no audio that can be decoded; is it damaged or cut off?")


def duration_s(path: str | Path) -> float | None:
    """Say how long a file claims to be, from its header.

    Parameters
    ----------
    path : str or Path
        Any path.

    Returns
    -------
    float or None [seconds]
        An estimate; None if the file cannot be read or does not tell.
    """
    path = Path(path)
    with suppress(SourceError):
        _check(path)
        handle = _open_sndfile(path)
        if handle is not None:
            with handle:
                return float(handle.frames / handle.samplerate) if handle.frames < UNKNOWN_LENGTH else None
        with _open_ffmpeg(path) as container:
            return None if container.duration is None else float(container.duration / 1_000_000)
    return None


def _check(path: Path) -> None:
    """Refuse what is no readable, regular file, with the sentence that fits."""
    shown = repr(str(path))
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"the name {shown} is not UTF-8, which decoders need: rename the file") from error
    try:
        if path.is_dir():
            raise SourceError(f"{shown} is a folder; expected an audio file")
        if not path.exists():
            raise SourceError(f"there is no file {shown}; check the path")
        if not path.is_file():
            raise SourceError(f"{shown} is no regular file; raw audio from a pipe is read with pcm:-")
        with path.open("rb") as handle:
            if not handle.read(1):
                raise SourceError(f"{shown} is empty; expected an audio file")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{shown} cannot be read: {reason}") from error


def _open_sndfile(path: Path) -> Any:
    """Open with libsndfile; None if it does not know the format."""
    import soundfile

    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        return None


@contextmanager
def _open_ffmpeg(path: Path) -> "Iterator[InputContainer]":
    shown = repr(str(path))
    av = import_av(_needs_ffmpeg(path))
    with ExitStack() as opened:
        try:
            handle = opened.enter_context(path.open("rb"))
            container = opened.enter_context(open_bytes(handle, shown=shown))
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SourceError(
                f"{shown} is no audio that libsndfile or FFmpeg can read ({reason}); "
                "convert it, or check that it is whole"
            ) from error
        yield container


def _decoded(path: Path, channel: int | None) -> Iterator[npt.NDArray[np.float32]]:
    handle = _open_sndfile(path)
    if handle is not None and handle.subtype not in FFMPEGS:
        yield from _sndfile_blocks(handle, path, channel)
        return
    with ExitStack() as opened:
        try:
            container = opened.enter_context(_open_ffmpeg(path))
        except SourceError:  # FFmpeg is not installed, or more particular than libsndfile
            if handle is None:
                raise
            yield from _sndfile_blocks(handle, path, channel)
            return
        if handle is not None:
            handle.close()
        yield from _ffmpeg_blocks(container, path, channel)


def _sndfile_blocks(handle: Any, path: Path, channel: int | None) -> Iterator[npt.NDArray[np.float32]]:
    read = 0
    with handle:
        promised = handle.frames
        resampler = Resampler(handle.samplerate, handle.channels, repr(str(path)), channel=channel)
        for y in _raw(handle):
            read += len(y)
            yield from _not_empty(resampler.feed(y))
        yield from _not_empty(resampler.flush())
        if read + END_SLACK_S * handle.samplerate < promised < UNKNOWN_LENGTH:
            _warn_broken(path, read / handle.samplerate, promised / handle.samplerate)
            if handle.subtype in FFMPEGS:
                log.warning("%s: FFmpeg's decoders may read more of it: pip install av", path)
        _warn_cut_off(path)
        _warn_damaged(path, resampler.damaged)


def _raw(handle: Any) -> Iterator[npt.NDArray[np.float32]]:
    """Read up to the end or to the damage; each array is valid until the next."""
    import soundfile

    chunk = np.empty((max(STEP_FRAMES, CHUNK_VALUES // handle.channels), handle.channels), np.float32)
    read = 0
    with suppress(soundfile.LibsndfileError):  # the caller counts what is missing
        try:
            while len(y := handle.read(out=chunk)):
                read += len(y)
                yield y
        except soundfile.LibsndfileError:
            # It does not say how far it came: back, and on in small steps.
            handle.seek(read)
            while len(y := handle.read(out=chunk[:STEP_FRAMES])):
                yield y


def _ffmpeg_blocks(container: Any, path: Path, channel: int | None) -> Iterator[npt.NDArray[np.float32]]:
    import av

    decoder = Decoder(container, repr(str(path)), FFMPEG_BLOCK_S, channel=channel)
    heard_s = filled_s = 0.0
    jumps = False
    try:
        for block in decoder.blocks():
            # What follows a missing part keeps its time; but time stamps may be damaged too.
            gap_s = min(block.gap_s, MAX_GAP_S - filled_s)
            jumps |= block.discontinuity and (gap_s == 0 or gap_s < block.gap_s)
            yield from _not_empty(np.zeros(round(gap_s * SAMPLE_RATE_HZ), np.float32))
            yield from _not_empty(block.y)
            filled_s += gap_s
            heard_s += gap_s + block.y.size / SAMPLE_RATE_HZ
    except (av.error.FFmpegError, SourceError) as error:
        if heard_s == 0 and isinstance(error, SourceError):
            raise
        reason = getattr(error, "strerror", None) or error
        log.warning("%s: broken off after %.1f s: %s", path, heard_s, reason)
    if filled_s:
        log.warning("%s: %.1f s of it are missing and became silence", path, filled_s)
    if jumps:
        log.warning("%s: its time stamps jump: it is joined of parts, or parts are missing", path)


def _needs_ffmpeg(path: Path) -> str:
    return f"{str(path)!r}, which libsndfile does not read,"


def _not_empty(y: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    if y.size:
        yield y


def _warn_broken(path: Path, got_s: float, promised_s: float) -> None:
    log.warning("%s: broken off: %.1f s of %.1f s could be decoded", path, got_s, promised_s)


def _warn_cut_off(path: Path) -> None:
    """Tell of a WAV or AIFF file that is shorter than its header says; libsndfile keeps silent about it."""
    with path.open("rb") as handle:
        head = handle.read(RIFF_BYTES)
        there = handle.seek(0, os.SEEK_END)
    size = int.from_bytes(head[4:], "big" if head.startswith(b"FORM") else "little")
    promised = size + RIFF_BYTES
    if head[:4] in (b"RIFF", b"FORM") and there + RIFF_SLACK_BYTES < promised < LARGEST_RIFF_BYTES:
        log.warning("%s: broken off: %d of %d bytes are there", path, there, promised)


def _warn_damaged(path: Path, damaged: int) -> None:
    if damaged:
        log.warning("%s: %d samples were no numbers and became silence", path, damaged)
