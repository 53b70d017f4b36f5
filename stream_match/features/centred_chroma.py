"""Chroma of whole recordings, a frame every 0.18 s, framed as librosa does: centred, zeros at both ends."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import chroma_filter, chroma_stft
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes

Float32 = npt.NDArray[np.float32]

N_FFT_SAMPLES = 4096
HOP_SAMPLES = 4000
"""Frames hardly overlap: each sound is counted once."""

SILENCE_DBFS = -80.0
"""A frame whose RMS level is below this is silent, as in the features of listening. Higher: faint music is
passed over, too."""


def centred_chroma(blocks: Iterable[Float32], sample_rate_hz: float) -> Iterator[Float32]:
    """Yield the chroma of a recording.

    Follows ``librosa.feature.chroma_stft(y=y, sr=sample_rate_hz, n_fft=4096, hop_length=4000, norm=2,
    tuning=0).T``, but for silent frames, which are all zero. The tuning is not estimated: a frame depends on
    nothing but its own samples, so that an excerpt has the chroma of its recording.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        Finite mono samples, one block after the other.
    sample_rate_hz : float, > 0

    Yields
    ------
    np.ndarray [shape=(n_frames, 12), dtype=float32]
        Rows of unit L2 norm, or all zero where the frame is silent; ``1 + n_samples // 4000`` rows in all.
    """
    frames, window = FrameBuffer(N_FFT_SAMPLES, HOP_SAMPLES), hann(N_FFT_SAMPLES)
    weights = chroma_filter(sample_rate_hz, N_FFT_SAMPLES)
    silent_power = 10 ** (SILENCE_DBFS / 10)
    padding = np.zeros(N_FFT_SAMPLES // 2, np.float32)
    for y in chain([padding], blocks, [padding]):
        whole = frames.feed(y)
        chroma = chroma_stft(magnitudes(whole, window), weights, power=2.0)
        chroma[np.einsum("ij,ij->i", whole, whole) / N_FFT_SAMPLES < silent_power] = 0
        yield chroma
