"""Features of whole recordings, embedded in time: what is compared of them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.errors import ParameterError, SourceError

Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

HOP_SAMPLES = 1024
HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
N_STEPS, DELAY_FRAMES = 10, 3
"""Of the embedding: a frame holds the last 1.3 s."""

SHORTEST_S = 2.0
"""Of a shorter recording, hardly any frame is embedded whole."""


def _chroma_cqt(y: Float32) -> Float32:
    import librosa

    chroma: Float32 = librosa.feature.chroma_cqt(y=y, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES)
    return chroma


def _chroma(y: Float32) -> Float32:
    import librosa

    chroma: Float32 = librosa.feature.chroma_stft(y=y, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES)
    return chroma


def _mfcc(y: Float32) -> Float32:
    """Return the coefficients but the first, which is the level."""
    import librosa

    mfcc: Float32 = librosa.feature.mfcc(y=y, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES, n_mfcc=20)
    return mfcc[1:]


FEATURES: dict[str, Callable[[Float32], Float32]] = {
    "chroma-cqt": _chroma_cqt,
    "chroma": _chroma,
    "mfcc": _mfcc,
}


@dataclass(frozen=True)
class Embedded:
    """A recording, embedded frame by frame.

    Parameters
    ----------
    path : Path
    seconds : float
        Its length.
    frames : np.ndarray [shape=(d, n), dtype=float32]
        A column per hop of `HOP_S`.
    audible : np.ndarray [shape=(n,), dtype=bool]
        False where a frame holds digital silence only.
    """

    path: Path
    seconds: float
    frames: Float32
    audible: Bools


def embed_file(path: str | Path, features: str = "chroma-cqt") -> Embedded:
    """Read a recording and embed its features in time, as `librosa.feature.stack_memory` does.

    Parameters
    ----------
    path : str or Path
        A file in any format that can be read.
    features : str
        A key of `FEATURES`.

    Raises
    ------
    ParameterError
        If there are no such features.
    SourceError
        If the file cannot be read, is shorter than `SHORTEST_S`, or holds silence only.
    """
    if features not in FEATURES:
        raise ParameterError(f"features are {features!r}; give one of {', '.join(FEATURES)}.")
    y = np.concatenate(list(read_blocks(path)))
    seconds = y.size / SAMPLE_RATE_HZ
    if seconds < SHORTEST_S:
        raise SourceError(f"{str(path)!r} has {seconds:.1f} s; comparing needs {SHORTEST_S:g} s at least.")
    if not np.any(y):
        raise SourceError(f"{str(path)!r} holds silence only; there is nothing to compare.")
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short recording, and of one that has no pitch
        frames: Any = FEATURES[features](y)
    embedded = librosa.feature.stack_memory(frames, n_steps=N_STEPS, delay=DELAY_FRAMES)
    return Embedded(Path(path), seconds, embedded.astype(np.float32), _audible(y, embedded.shape[1]))


def _audible(y: Float32, n_frames: int) -> Bools:
    """Return in which embedded frames there is any sound."""
    hops = np.zeros(n_frames + 1, bool)
    starts = np.arange(0, y.size, HOP_SAMPLES)
    heard = np.maximum.reduceat(np.abs(y), starts) > 0
    hops[: len(heard)] = heard[: n_frames + 1]
    sounding = np.cumsum(hops)
    span = (N_STEPS - 1) * DELAY_FRAMES + 1
    before = np.concatenate([np.zeros(span, sounding.dtype), sounding])[:n_frames]
    audible: Bools = sounding[:n_frames] > before
    return audible
