"""One audio file read: its feature frames into a file of its own, in constant memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.file import read_blocks
from stream_match.capture.tags import tags
from stream_match.catalog.entries import entry_of
from stream_match.catalog.url_path import AudioPath, local_copy
from stream_match.config import FeatureSettings
from stream_match.errors import SourceError
from stream_match.features.chroma import N_CHROMA
from stream_match.features.rolling import CHROMA, RollingFeatures
from stream_match.index.coding import HASHED_STRIDE, embeddings_of

Float32 = npt.NDArray[np.float32]

_STRETCH_HASHED = 1024
"""Hashed codes in a stretch that is embedded at once: with the default settings 6 min, 31 MB."""


_PORTION_FRAMES = 1 << 14
"""Frames of chroma taken at once: 12 min."""


@dataclass(frozen=True)
class ReadTrack:
    """An audio file that has been heard through.

    Parameters
    ----------
    n_frames : int
        Number of its feature frames.
    seconds : float
        Length of what could be decoded.
    sha256 : str
        Of the file's bytes.
    tags : mapping of str to str
        Those of title, artist and album that the file has.
    """

    n_frames: int
    seconds: float
    sha256: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Unread:
    """An audio file that cannot become a track, and why."""

    reason: str


def frames_in(path: Path, settings: FeatureSettings) -> int:
    """Return the number of feature frames in a file that `read_track` wrote."""
    return path.stat().st_size // (4 * (N_CHROMA + settings.shape_coefficients))


def stretches(n_frames: int, settings: FeatureSettings) -> list[tuple[int, int]]:
    """Return the first frame of each stretch of a track, and the one beyond its last.

    Parameters
    ----------
    n_frames : int
        Of the track.
    settings : FeatureSettings
    """
    past = settings.past_frames
    step = _STRETCH_HASHED * HASHED_STRIDE * settings.code_stride_frames
    return [(first, min(n_frames, first + step + past)) for first in range(0, n_frames - past, step)]


def frames_of(path: Path, settings: FeatureSettings) -> Iterator[Float32]:
    """Yield the feature frames of a track in stretches that fit into memory, mapped one at a time.

    Stretches overlap, so that their embeddings, one after the other, are those of the whole; each begins at a
    position that is hashed.

    Parameters
    ----------
    path : Path
        As written by `read_track`.
    settings : FeatureSettings

    Yields
    ------
    np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
        Of each stretch; there is no stretch if the track is too short for one embedding.
    """
    width = N_CHROMA + settings.shape_coefficients
    for first, beyond in stretches(frames_in(path, settings), settings):
        yield np.memmap(path, np.float32, "r", offset=first * 4 * width, shape=(beyond - first, width))


def chroma_portions(path: Path, settings: FeatureSettings) -> Iterator[Float32]:
    """Yield the chroma of a whole track in portions that fit into memory.

    Parameters
    ----------
    path : Path
        As written by `read_track`.
    settings : FeatureSettings

    Yields
    ------
    np.ndarray [shape=(n_frames, 12), dtype=float32]
    """
    width = N_CHROMA + settings.shape_coefficients
    frames = np.memmap(path, np.float32, "r").reshape(-1, width)
    for first in range(0, len(frames), _PORTION_FRAMES):
        yield np.array(frames[first : first + _PORTION_FRAMES, CHROMA])


def read_track(path: AudioPath, frames: Path, settings: FeatureSettings) -> ReadTrack | Unread:
    """Decode a file through the very feature code that listens.

    Parameters
    ----------
    path : Path or UrlPath
        The audio file.
    frames : Path
        Where the feature frames go, bare float32 values that `frames_of` reads; while they are being made,
        it has the suffix ``.part``.
    settings : FeatureSettings

    Returns
    -------
    ReadTrack or Unread
        Unread if it cannot be decoded, is too short for a code, or has no audible one.

    Raises
    ------
    OSError
        If the frames cannot be written.
    """
    part = partial_file(frames)
    part.touch()
    try:
        with local_copy(path, frames) as here:
            samples = _write_frames(here, part, settings)
            sha256 = sha256_of(here)
            with its_own_fault(here):
                named = tags(here)
    except SourceError as error:
        part.unlink(missing_ok=True)
        return Unread(str(error))
    seconds = samples / settings.sample_rate_hz
    reason = _unfit(part, settings)
    if reason is not None:
        part.unlink()
        return Unread(f"{str(path)!r}, {seconds:.1f} s long, {reason}")
    part.rename(frames)
    return ReadTrack(frames_in(frames, settings), seconds, sha256, named)


def partial_file(frames: Path) -> Path:
    """Return where the frames of a track stand while they are being made."""
    return frames.with_suffix(".part")


def _write_frames(path: Path, part: Path, settings: FeatureSettings) -> int:
    """Write the feature frames of a file and return its number of samples."""
    samples = 0
    with part.open("wb") as handle:
        for heard, frames in _heard(path, settings):
            samples += heard
            handle.write(frames.tobytes())
            part.stat()  # raises once it is deleted: then nobody waits for it any more
    return samples


def _heard(path: Path, settings: FeatureSettings) -> Iterator[tuple[int, Float32]]:
    """Yield numbers of samples of a file, and the frames that they complete."""
    rolling = RollingFeatures(settings)
    with its_own_fault(path):
        for y in read_blocks(path):
            yield len(y), rolling.feed(y)


@contextmanager
def its_own_fault(path: Path) -> Iterator[None]:
    """Make a `SourceError` of whatever reading a file raises: one odd file must not end a build.

    Parameters
    ----------
    path : Path
        Of that file.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{str(path)!r} cannot be read ({type(error).__name__})") from error


def _unfit(path: Path, settings: FeatureSettings) -> str | None:
    if not stretches(frames_in(path, settings), settings):
        return f"is too short: a track needs at least {settings.span_s:.1f} s"
    every = settings.code_stride_frames * HASHED_STRIDE
    if not any(
        embeddings_of(frames, settings)[::every].audible().any() for frames in frames_of(path, settings)
    ):
        return "is silent throughout"
    return None


def sha256_of(path: Path) -> str:
    """Return the hash of a file, in hexadecimal.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        return entry_of(path).sha256
    except OSError as error:
        raise SourceError(f"{str(path)!r} cannot be read: {error.strerror}") from error
