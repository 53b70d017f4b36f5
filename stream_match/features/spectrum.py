"""From samples to magnitude spectra, hop by hop, however the signal is cut into blocks."""

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.errors import ParameterError
from stream_match.features.framing import framed

Float32 = npt.NDArray[np.float32]

_FRAMES_AT_ONCE = 32
"""Frames that are transformed at a time: what they take fits into a cache."""


class FrameBuffer:
    """Cut a stream of samples into overlapping frames.

    Frame ``t`` covers samples ``[t * hop_length, t * hop_length + n_fft)``: librosa's framing
    with ``center=False``. Samples are copied in; nothing given is kept.

    Parameters
    ----------
    n_fft : int, >= 1 [samples]
        Length of a frame.
    hop_length : int, >= 1, <= n_fft [samples]
        Distance between the starts of two frames.

    Raises
    ------
    ParameterError
        If `hop_length` is below 1 or above `n_fft`.
    """

    def __init__(self, n_fft: int, hop_length: int) -> None:
        if not 1 <= hop_length <= n_fft:
            raise ParameterError(f"hop_length is {hop_length}, expected 1 to n_fft = {n_fft} samples")
        self.n_fft = n_fft
        self.hop_length = hop_length
        self._rest = np.empty(0, np.float32)

    def feed(self, y: Float32) -> Float32:
        """Take samples and return the frames that they complete.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames, n_fft), dtype=float32]
            A read-only view, oldest first; ``n_frames`` may be 0.
        """
        joined = np.concatenate([self._rest, y])
        count = max(0, 1 + (len(joined) - self.n_fft) // self.hop_length)
        self._rest = joined[count * self.hop_length :].copy()
        return framed(joined, self.n_fft, self.hop_length, count)


def hann(n_fft: int) -> Float32:
    """Return the periodic Hann window that ``librosa.stft`` uses by default.

    Returns
    -------
    np.ndarray [shape=(n_fft,), dtype=float32]
        Values in [0, 1].
    """
    # scipy.signal has it too, and doubles the time of a start.
    window: Float32 = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    return window


def magnitudes(frames: Float32, window: Float32, n_bins: int | None = None) -> Float32:
    """Return the magnitude spectrum of each frame.

    Follows ``abs(librosa.stft(y, center=False))``, transposed. scipy transforms each row by
    itself, so that a row does not depend on how many stand beside it, to the last bit.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, n_fft), dtype=float32]
    window : np.ndarray [shape=(n_fft,), dtype=float32]
    n_bins : int or None
        How many of the lowest bins are wanted; all by default.

    Returns
    -------
    np.ndarray [shape=(n_frames, n_bins or n_fft // 2 + 1), dtype=float32]
        Magnitudes, >= 0.
    """
    n_bins = n_bins or frames.shape[1] // 2 + 1
    spectra = np.empty((len(frames), n_bins), np.float32)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        rows = slice(first, first + _FRAMES_AT_ONCE)
        np.abs(scipy.fft.rfft(frames[rows] * window, axis=1)[:, :n_bins], out=spectra[rows])
    return spectra
