"""Rolling chroma: the chroma of a stream, hop by hop."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import chroma_filter, chroma_stft
from stream_match.features.contrast import contrast_chroma, log_frequency_filter
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes

Float32 = npt.NDArray[np.float32]


class RollingChroma:
    """The chroma of a stream of samples; live, replayed and indexed audio all come through here.

    Parameters
    ----------
    settings : FeatureSettings
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._frames = FrameBuffer(settings.n_fft_samples, settings.hop_samples)
        self._window = hann(settings.n_fft_samples)
        self._chroma = _chroma_of(settings)
        self._silent_power = 10 ** (settings.silence_dbfs / 10)

    def feed(self, y: Float32) -> Float32:
        """Take samples and return the chroma frames that they complete.

        The result does not depend, to the last bit, on how the signal is cut into blocks.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames, 12), dtype=float32]
            Rows of unit L2 norm, or all zero where the frame is silent.
        """
        frames = self._frames.feed(y)
        chroma = self._chroma(magnitudes(frames, self._window))
        power = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
        chroma[power < self._silent_power] = 0
        return chroma


def _chroma_of(settings: FeatureSettings) -> Callable[[Float32], Float32]:
    """Return the function from magnitudes to chroma that the settings ask for."""
    if settings.chroma == "contrast":
        bands_filter = log_frequency_filter(settings.sample_rate_hz, settings.n_fft_samples)
        return lambda magnitude: contrast_chroma(magnitude, bands_filter)
    weights = chroma_filter(settings.sample_rate_hz, settings.n_fft_samples)
    power = 2.0 if settings.chroma == "power" else 1.0
    return lambda magnitude: chroma_stft(magnitude, weights, power=power)
