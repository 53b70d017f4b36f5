"""Onsets of a whole recording as librosa finds them: the mode in which the worked example can be repeated.

It looks ahead and scales by the loudest moment of the whole, which a listener cannot. Follows
``librosa.onset.onset_strength`` and ``librosa.onset.onset_detect`` of librosa 0.11 with their defaults.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from stream_match.features.spectrum import hann

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_FFT = 2048
HOP_SAMPLES = 512
N_MELS = 128
FAINTEST_POWER = 1e-10
RANGE_DB = 80.0

Read = Callable[[], Iterable[Float32]]
"""Reads a recording from its beginning, block by block; it is read twice."""

# Spans of the peak picker in seconds; librosa cuts them to whole frames.
PEAK_BEFORE_S = 0.03
MEAN_S = 0.10


def detect(read: Read, sample_rate_hz: int, *, delta: float = 0.07, wait: int = 1) -> npt.NDArray[np.int64]:
    """Return the frames in which sounds begin.

    Parameters
    ----------
    read : callable () -> iterable of np.ndarray [shape=(n,), dtype=float32]
        Reads a whole recording.
    sample_rate_hz : int
    delta : float, >= 0
        How far a peak stands out of the mean around it, as a share of the highest peak.
    wait : int, >= 0 [frames]
        Frames after an onset in which there is none.

    Returns
    -------
    np.ndarray [shape=(n_onsets,), dtype=int64]
        Frame ``i`` is at sample ``i * HOP_SAMPLES``.
    """
    strength = onset_strength(read, sample_rate_hz)
    strength = strength - strength.min()
    if not strength.any():
        return np.empty(0, np.int64)
    strength /= strength.max()
    before = int(PEAK_BEFORE_S * sample_rate_hz // HOP_SAMPLES)
    around = int(MEAN_S * sample_rate_hz // HOP_SAMPLES)
    found: list[int] = []
    for frame, value in enumerate(strength):
        past = max(0, frame - before)
        mean = strength[max(0, frame - around) : frame + around + 1].mean()
        free = not found or frame > found[-1] + wait
        # The frame itself is the last of those among which it is the highest.
        if free and value == strength[past : frame + 1].max() and value >= mean + delta and value > 0:
            found.append(frame)
    return np.array(found, np.int64)


def onset_strength(read: Read, sample_rate_hz: int) -> Float64:
    """Return the mean rise of the mel bands from frame to frame [dB].

    Parameters
    ----------
    read : callable () -> iterable of np.ndarray [shape=(n,), dtype=float32]
        Reads a whole recording of n samples.
    sample_rate_hz : int

    Returns
    -------
    np.ndarray [shape=(1 + n // HOP_SAMPLES,), dtype=float64]
    """
    mel_filter = _mel_filter(sample_rate_hz)
    loudest = max(float(decibels.max()) for decibels in _mel_decibels(read(), mel_filter))
    rises = [np.zeros(1 + N_FFT // (2 * HOP_SAMPLES))]
    last = np.empty((0, N_MELS))
    for decibels in _mel_decibels(read(), mel_filter):
        joined = np.concatenate([last, np.maximum(decibels, loudest - RANGE_DB)])
        rises.append(np.maximum(np.diff(joined, axis=0), 0).mean(axis=1))
        last = joined[-1:]
    # The first difference, and half a frame: what is at the beginning of a frame shows in its middle.
    late = len(rises[0])
    return np.concatenate(rises)[: sum(map(len, rises)) - late + 1]


def _mel_decibels(blocks: Iterable[Float32], mel_filter: scipy.sparse.csr_matrix) -> Iterator[Float64]:
    """Yield the frames of a recording, some at a time; frame i is centred on sample i * HOP_SAMPLES."""
    for y in _padded(blocks):
        frames = np.lib.stride_tricks.sliding_window_view(y, N_FFT)[::HOP_SAMPLES]
        power = np.square(np.abs(scipy.fft.rfft(frames * hann(N_FFT), axis=1)), dtype=np.float64)
        decibels: Float64 = 10 * np.log10(np.maximum((mel_filter @ power.T).T, FAINTEST_POWER))
        yield decibels


def _padded(blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Yield stretches of whole frames of a recording that is silent for half a frame before and behind."""
    waiting = np.zeros(N_FFT // 2, np.float32)
    for y in itertools.chain(blocks, [np.zeros(N_FFT // 2, np.float32)]):
        waiting = np.concatenate([waiting, y])
        hops = (len(waiting) - N_FFT) // HOP_SAMPLES + 1
        if hops > 0:
            yield waiting[: (hops - 1) * HOP_SAMPLES + N_FFT]
            waiting = waiting[hops * HOP_SAMPLES :]


def _mel_filter(sample_rate_hz: int) -> scipy.sparse.csr_matrix:
    """Return Slaney's triangles of equal area, as ``librosa.filters.mel`` does."""
    edges_hz = _mel_to_hz(np.linspace(0.0, float(_hz_to_mel(sample_rate_hz / 2)), N_MELS + 2))
    bins_hz = np.arange(N_FFT // 2 + 1) * sample_rate_hz / N_FFT
    rows = []
    for low, centre, high in zip(edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
        rows.append(np.maximum(np.minimum(rising, falling), 0) * 2 / (high - low))
    return scipy.sparse.csr_matrix(np.array(rows))


_LINEAR_HZ = 200 / 3  # a mel below 1 kHz, which is mel 15; above, 27 mels are a factor of 6.4
_LOG_FROM_MEL = 1000 / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(frequency_hz: float) -> float:
    if frequency_hz < 1000:
        return frequency_hz / _LINEAR_HZ
    return float(_LOG_FROM_MEL + np.log(frequency_hz / 1000) / _LOG_STEP)


def _mel_to_hz(mels: Float64) -> Float64:
    hz: Float64 = np.where(
        mels < _LOG_FROM_MEL, mels * _LINEAR_HZ, 1000 * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL))
    )
    return hz
