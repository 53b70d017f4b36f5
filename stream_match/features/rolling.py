"""The features of a stream, hop by hop: rolling chroma, and the shape of the spectrum."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA, chroma_filter, chroma_stft, unit_rows
from stream_match.features.contrast import contrast_bands, fold, log_frequency_filter
from stream_match.features.shape import shape_bands, shape_basis
from stream_match.features.spectrum import FrameBuffer, hann, magnitudes

Float32 = npt.NDArray[np.float32]

CHROMA = slice(0, N_CHROMA)
"""Columns of a feature frame that hold its chroma: unit L2 norm, or all zero in silence."""

SHAPE = slice(N_CHROMA, None)
"""Columns that hold the coefficients of its spectral shape, one set after the other if there are several."""


class RollingFeatures:
    """The features of a stream of samples; live, replayed and indexed audio all come through here.

    Parameters
    ----------
    settings : FeatureSettings
    shifts_semitones : sequence of float
        How much higher than it was made the sound may be: there is a set of shape coefficients for each.
    """

    def __init__(self, settings: FeatureSettings, shifts_semitones: Sequence[float] = (0.0,)) -> None:
        self._frames = FrameBuffer(settings.n_fft_samples, settings.hop_samples)
        self._window = hann(settings.n_fft_samples)
        bands_filter = log_frequency_filter(settings.sample_rate_hz, settings.n_fft_samples)
        self._n_bins = int(bands_filter.indices.max()) + 1 if settings.chroma == "contrast" else None
        self._bands_filter = bands_filter[:, : self._n_bins]
        bases = [shape_basis(settings.shape_coefficients, shift) for shift in shifts_semitones]
        self._basis = np.concatenate(bases, axis=1)
        self._chroma = _chroma_of(settings)
        self._silent_power = 10 ** (settings.silence_dbfs / 10)

    def feed(self, y: Float32) -> Float32:
        """Take samples and return the feature frames that they complete.

        The result does not depend, to the last bit, on how the signal is cut into blocks.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames, 12 + n_shifts * shape_coefficients), dtype=float32]
            Columns `CHROMA` and `SHAPE`; rows are all zero where the frame is silent.
        """
        frames = self._frames.feed(y)
        magnitude = magnitudes(frames, self._window, self._n_bins)
        contrast = contrast_bands(magnitude, self._bands_filter)
        shapes = np.einsum("ij,jk->ik", shape_bands(contrast), self._basis)
        features = np.concatenate([self._chroma(magnitude, contrast), shapes], axis=1)
        power = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
        features[power < self._silent_power] = 0
        return features


class RollingChroma:
    """The chroma of a stream of samples: `RollingFeatures` without the rest.

    Parameters
    ----------
    settings : FeatureSettings
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._features = RollingFeatures(settings)

    def feed(self, y: Float32) -> Float32:
        """Take samples and return the chroma frames that they complete.

        Parameters
        ----------
        y : np.ndarray [shape=(n,), dtype=float32]
            Finite mono samples that follow those of the last call.

        Returns
        -------
        np.ndarray [shape=(n_frames, 12), dtype=float32]
            Rows of unit L2 norm, or all zero where the frame is silent.
        """
        return self._features.feed(y)[:, CHROMA]


def _chroma_of(settings: FeatureSettings) -> Callable[[Float32, Float32], Float32]:
    """Return the function from magnitudes and contrast to chroma that the settings ask for."""
    if settings.chroma == "contrast":
        return lambda _, contrast: unit_rows(fold(unit_rows(np.maximum(contrast, 0))))
    weights = chroma_filter(settings.sample_rate_hz, settings.n_fft_samples)
    power = 2.0 if settings.chroma == "power" else 1.0
    return lambda magnitude, _: chroma_stft(magnitude, weights, power=power)
