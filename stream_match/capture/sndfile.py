"""Files by libsndfile: where FFmpeg is not installed, and formats that FFmpeg does not know.

It stops at damage and at the end of the first of several joined parts, and of MP3 files without a header it
reads only as much as it guesses.
"""

import functools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.resample import Resampler
from stream_match.capture.told import logger
from stream_match.errors import install_command

log = logger(__name__)

CHUNK_VALUES = 1 << 20
"""Numbers read at once (4 MB; 12 s of stereo at 44.1 kHz). Anything from 1 s to 20 s is as fast."""

STEP_FRAMES = 1024  # up to so many are lost before a place where a file is damaged
UNKNOWN_LENGTH = 1 << 62  # its way of saying that the header does not tell
END_SLACK_S = 0.25  # some Ogg files promise a little more than it makes of them


def open_sndfile(path: Path) -> Any:
    """Open a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    soundfile.SoundFile or None
        None if it does not know the format.
    """
    import soundfile

    try:
        handle = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        return None
    # soundfile seeks after every read of what is seekable, to where it is already. In MP3 that damages what
    # follows.
    handle.seekable = lambda: False
    return handle


def length_s(handle: Any) -> float | None:
    """Say how long an open file claims to be.

    Parameters
    ----------
    handle : soundfile.SoundFile

    Returns
    -------
    float or None [seconds]
        None if its header does not tell.
    """
    return float(handle.frames / handle.samplerate) if handle.frames < UNKNOWN_LENGTH else None


def sndfile_blocks(handle: Any, path: Path, channel: int | None) -> Iterator[npt.NDArray[np.float32]]:
    """Decode an open file to its end, and close it; what is missing is told in the log.

    Parameters
    ----------
    handle : soundfile.SoundFile
    path : Path
        As messages name it.
    channel : int or None, >= 1
        The channel to take, counted from 1; None for the mean of all.

    Yields
    ------
    np.ndarray [shape=(n,), dtype=float32]
        Mono samples at `SAMPLE_RATE_HZ`; n may be 0.

    Raises
    ------
    SourceError
        If its rate or channels are out of range.
    """
    read = 0
    with handle:
        resampler = Resampler(handle.samplerate, handle.channels, repr(str(path)), channel=channel)
        for y in _raw(handle):
            read += len(y)
            yield resampler.feed(y)
        yield resampler.flush()
        promised_s, read_s = length_s(handle), read / handle.samplerate
        if promised_s is not None and read_s < promised_s - END_SLACK_S:
            log.warning("%s: broken off: %.1f s of %.1f s could be decoded", path, read_s, promised_s)
        if resampler.damaged:
            log.warning("%s: %d samples were no numbers and became silence", path, resampler.damaged)


@functools.cache
def warn_once() -> None:
    """Say, once in a process, what cannot be expected of libsndfile alone."""
    log.warning(
        "FFmpeg's decoders are not installed: files that are damaged, joined together or without a "
        "header may be read in part: %s",
        install_command("stream"),
    )


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
