"""A recording looked at by librosa: all that the figures of its report show."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import duration_s, read_blocks
from stream_match.errors import SourceError

Float32 = npt.NDArray[np.float32]

MOST_S = 300.0
"""What is looked at, from the beginning. HPSS takes some 170 bytes a sample: 1.1 GB."""

SHORTEST_S = 0.5
"""A chroma frame at a hop of 5,000 samples has 0.2 s."""

N_FFT, HOP_SAMPLES, CHROMA_HOP_SAMPLES = 2048, 512, 5000

MOST_COLUMNS = 1200
"""Of a picture, which has about as many dots: more frames are put together."""

ROW_EDGES = np.unique(np.round(np.geomspace(1, N_FFT // 2 + 1, 400)).astype(np.int64))
"""First bins of the rows of the spectrogram, and the end of the last: as high as each other on a logarithmic
scale, from where bins are narrow enough."""

SILENCE_DB = 60.0
"""Below the loudest frame: quieter frames at either end are silence, as in `librosa.effects.trim`."""


@dataclass(frozen=True)
class Analysis:
    """What is seen of a recording.

    All but `y` is of what is left once the silence at both ends is trimmed.

    Parameters
    ----------
    path : Path
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono samples at 22,050 Hz, of `MOST_S` at most.
    claimed_s : float or None
        Length of the file by its header, if it is longer than what was read.
    begin, end : int
        Samples of `y` between which there is sound.
    harmonic, percussive : np.ndarray [shape=(end - begin,), dtype=float32]
    spectrogram_db, mel_db : np.ndarray [shape=(n_rows, n_columns), dtype=float32]
        Relative to the loudest, by `ROW_EDGES` and in 128 bands; of what shares a row or column, the loudest.
    centroid_hz, rolloff_hz : np.ndarray [shape=(n_columns,), dtype=float32]
        Means over the frames of a column.
    mfcc : np.ndarray [shape=(20, n_columns), dtype=float32]
        Each coefficient with mean 0 and deviation 1 over the frames.
    column_samples : int
        Hop of a column.
    chroma : np.ndarray [shape=(12, n_frames), dtype=float32]
        At a hop of `CHROMA_HOP_SAMPLES`.
    zero_crossings : int
    tempo : float [beats per minute]
        0 if there is no beat.
    """

    path: Path
    y: Float32
    claimed_s: float | None
    begin: int
    end: int
    harmonic: Float32
    percussive: Float32
    spectrogram_db: Float32
    mel_db: Float32
    centroid_hz: Float32
    rolloff_hz: Float32
    mfcc: Float32
    column_samples: int
    chroma: Float32
    zero_crossings: int
    tempo: float


def analyse_file(path: str | Path) -> Analysis:
    """Look at the first `MOST_S` of a recording.

    Parameters
    ----------
    path : str or Path
        A file in any format that can be read.

    Raises
    ------
    SourceError
        If it cannot be read, is shorter than `SHORTEST_S`, or holds silence only.
    """
    y = _beginning(Path(path))
    seconds = len(y) / SAMPLE_RATE_HZ
    if seconds < SHORTEST_S:
        raise SourceError(f"{str(path)!r} has {seconds:.1f} s; a report needs {SHORTEST_S:g} s at least.")
    if not np.any(y):
        raise SourceError(f"{str(path)!r} holds silence only; there is nothing to draw.")
    claimed_s = duration_s(path) if seconds >= MOST_S else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short recording, and of one that has no pitch
        return _analyse(Path(path), y, claimed_s)


def _beginning(path: Path) -> Float32:
    most = int(MOST_S * SAMPLE_RATE_HZ)
    held: list[Float32] = []
    count = 0
    for y in read_blocks(path):
        held.append(y)
        count += len(y)
        if count >= most:
            break
    return np.nan_to_num(np.concatenate(held)[:most], nan=0.0, posinf=0.0, neginf=0.0)


def _analyse(path: Path, whole: Float32, claimed_s: float | None) -> Analysis:
    import librosa
    from sklearn.preprocessing import scale

    feature: Any = librosa.feature
    y, (begin, end) = librosa.effects.trim(
        whole, top_db=SILENCE_DB, frame_length=N_FFT, hop_length=HOP_SAMPLES
    )
    harmonic, percussive = librosa.effects.hpss(y)
    magnitude = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP_SAMPLES))
    mel = feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE_HZ)
    together = -(-magnitude.shape[1] // MOST_COLUMNS)
    tempo, _ = librosa.beat.beat_track(y=y, sr=SAMPLE_RATE_HZ)
    return Analysis(
        path=path,
        y=whole,
        claimed_s=claimed_s,
        begin=int(begin),
        end=int(end),
        harmonic=harmonic,
        percussive=percussive,
        spectrogram_db=librosa.amplitude_to_db(_rows(_loudest(magnitude, together)), ref=np.max),
        mel_db=librosa.power_to_db(_loudest(mel, together), ref=np.max),
        centroid_hz=_mean(feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE_HZ)[0], together),
        rolloff_hz=_mean(feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE_HZ)[0], together),
        mfcc=_mean(scale(feature.mfcc(y=y, sr=SAMPLE_RATE_HZ), axis=1), together),
        column_samples=HOP_SAMPLES * together,
        chroma=feature.chroma_stft(y=y, sr=SAMPLE_RATE_HZ, hop_length=CHROMA_HOP_SAMPLES),
        zero_crossings=int(np.sum(librosa.zero_crossings(y, pad=False))),
        tempo=float(np.atleast_1d(tempo)[0]),
    )


def _loudest(frames: Float32, together: int) -> Float32:
    """Return the loudest of each so many frames [shape=(n_bins, n_columns)]."""
    found: Float32 = np.maximum.reduceat(frames, np.arange(0, frames.shape[-1], together), axis=-1)
    return found


def _rows(bins: Float32) -> Float32:
    """Return the loudest bin of each row of the picture."""
    found: Float32 = np.maximum.reduceat(bins, ROW_EDGES[:-1], axis=0)
    return found


def _mean(frames: Any, together: int) -> Float32:
    """Return the means of each so many frames [shape=(..., n_columns)]."""
    starts = np.arange(0, frames.shape[-1], together)
    counts = np.diff([*starts, frames.shape[-1]])
    means: Float32 = (np.add.reduceat(frames, starts, axis=-1) / counts).astype(np.float32)
    return means
