"""What is done with a file once it has been read: a sample of it for the hyperplanes, its codes."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from stream_match.catalog.read import ReadTrack, Unread, chroma_portions, frames_of, read_track
from stream_match.catalog.url_path import AudioPath
from stream_match.config import FeatureSettings
from stream_match.features.coarse_chroma import Bytes, coarse_chroma
from stream_match.index.coding import Embeddings, Hyperplanes, TrackCodes, code_track, sampled


@dataclass(frozen=True)
class Sampling:
    """How a file is sampled: one embedding for so many hops."""

    settings: FeatureSettings
    stride: int


@dataclass(frozen=True)
class Coding:
    """How a file is coded."""

    settings: FeatureSettings
    planes: Hyperplanes


@dataclass(frozen=True)
class CodedFile:
    """The codes of a file.

    Parameters
    ----------
    codes : TrackCodes
    coarse : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        Coarse chroma.
    read : ReadTrack, optional
        If it was read for this; else its frames were there.
    """

    codes: TrackCodes
    coarse: Bytes
    read: ReadTrack | None

    @property
    def seconds(self) -> float:
        """Length of what was decoded for this."""
        return self.read.seconds if self.read else 0.0


def sample_file(path: AudioPath, frames: Path, how: Sampling) -> Embeddings | Unread:
    """Sample a file, whose frames are kept.

    Parameters
    ----------
    path : Path or UrlPath
        Read again if its frames are not there.
    frames : Path
        As written by `read_track`.
    how : Sampling
    """
    read = _read_if_gone(path, frames, how.settings)
    if isinstance(read, Unread):
        return read
    parts = [sampled(part, how.stride, how.settings) for part in frames_of(frames, how.settings)]
    return reduce(Embeddings.followed_by, parts)


def code_file(path: AudioPath, frames: Path, how: Coding) -> CodedFile | Unread:
    """Code a file, whose frames are kept until then.

    Parameters
    ----------
    path : Path or UrlPath
        Read again if its frames are not there.
    frames : Path
        As written by `read_track`.
    how : Coding
    """
    read = _read_if_gone(path, frames, how.settings)
    return read if isinstance(read, Unread) else _coded(frames, how, read)


def read_and_code_file(path: AudioPath, frames: Path, how: Coding) -> CodedFile | Unread:
    """Read and code a file; what an earlier try may have left of it counts for nothing.

    Parameters
    ----------
    path : Path or UrlPath
    frames : Path
        Where its frames are in the meantime.
    how : Coding
    """
    read = read_track(path, frames, how.settings)
    return read if isinstance(read, Unread) else _coded(frames, how, read)


def _coded(frames: Path, how: Coding, read: ReadTrack | None) -> CodedFile:
    settings = how.settings
    parts = [code_track(part, how.planes, settings) for part in frames_of(frames, settings)]
    codes = TrackCodes(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.chroma_codes for part in parts]),
        np.concatenate([part.audible for part in parts]),
    )
    coarse = coarse_chroma(chroma_portions(frames, settings), settings)
    frames.unlink()
    return CodedFile(codes, coarse, read)


def _read_if_gone(path: AudioPath, frames: Path, settings: FeatureSettings) -> ReadTrack | Unread | None:
    return None if frames.exists() else read_track(path, frames, settings)
