"""Audio files: read by FFmpeg where it is installed, else by libsndfile."""

import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import Block
from stream_match.capture.joined import JoinedFile
from stream_match.capture.media import import_av
from stream_match.capture.parts import is_mpeg_audio
from stream_match.capture.sndfile import length_s, open_sndfile, sndfile_blocks, warn_once
from stream_match.capture.threaded import from_thread
from stream_match.capture.told import told_before
from stream_match.errors import SourceError

Float32 = npt.NDArray[np.float32]


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


def read_blocks(path: str | Path, *, channel: int | None = None) -> Iterator[Float32]:
    """Decode a file, never holding more of it than some ten seconds, or a minute of silence.

    A file that was joined of several is heard part by part. One that breaks off gives what can be decoded
    and a warning in the log. Stretches that are missing by the time stamps are silence, but for what goes
    beyond a minute in all.

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
        if y.size:
            empty = False
            yield y
    if empty:
        raise SourceError(f"{str(path)!r} holds no audio that can be decoded; is it damaged or cut off?")


def read_again(path: str | Path, *, channel: int | None = None) -> Iterator[Float32]:
    """Decode a file that was decoded before, as `read_blocks` does, and say nothing of it in the log.

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
    blocks = read_blocks(path, channel=channel)
    while True:
        with told_before():
            y = next(blocks, None)
        if y is None:
            return
        yield y


def duration_s(path: str | Path) -> float | None:
    """Say how long a file claims to be, from its header, or its headers if it was joined of several.

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
    with suppress(SourceError, OSError):
        _check(path)
        if _has_ffmpeg():
            with path.open("rb") as file:
                found = JoinedFile(file, path).duration_s()
            if found is not None:
                return found
        handle = open_sndfile(path)
        if handle is not None:
            with handle:
                return length_s(handle)
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


def _has_ffmpeg() -> bool:
    try:
        import_av("")
    except SourceError:
        return False
    return True


def _decoded(path: Path, channel: int | None) -> Iterator[Float32]:
    if not _has_ffmpeg():
        warn_once()
        handle = open_sndfile(path)
        if handle is None:
            import_av(f"{str(path)!r}, which libsndfile does not read,")  # says what to install
        yield from sndfile_blocks(handle, path, channel)
        return
    import av

    with path.open("rb") as file:
        try:
            yield from JoinedFile(file, path).blocks(channel)
        except (av.error.FFmpegError, OSError) as error:
            handle = None if is_mpeg_audio(file) else open_sndfile(path)
            if handle is None:
                raise _refused(path, error) from error
            yield from sndfile_blocks(handle, path, channel)


def _refused(path: Path, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return SourceError(
        f"{str(path)!r} is no audio that libsndfile or FFmpeg can read ({reason}); "
        "convert it, or check that it is whole"
    )
