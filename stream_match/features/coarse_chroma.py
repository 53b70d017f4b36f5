"""Coarse chroma: the harmony of a stream about three times a second, and as bytes in an index."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA
from stream_match.features.framing import framed

Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_LEVELS = 255
"""Frames are of unit norm, so no mean of them exceeds 1: bytes span the whole range."""


class CoarseChroma:
    """The chroma of a stream, smoothed and thinned: a step for every so many frames.

    Müller's CENS (2005) smooth quantised energies; here the frames have unit norm, so that loud ones
    count no more than soft ones, and silence counts as nothing.

    Parameters
    ----------
    settings : FeatureSettings
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._hop = settings.version_hop_frames
        window = np.hanning(2 * self._hop + 2)[1:-1]
        self._window = (window / window.sum()).astype(np.float32)
        self._rest = np.empty((0, N_CHROMA), np.float32)

    def feed(self, chroma: Float32) -> Float32:
        """Take frames and return the steps that they complete.

        However the frames are cut, the steps are the same to the last bit.

        Parameters
        ----------
        chroma : np.ndarray [shape=(n_frames, 12), dtype=float32]
            Rows of unit L2 norm, or all zero in silence.

        Returns
        -------
        np.ndarray [shape=(n_steps, 12), dtype=float32]
            Values in [0, 1]. Step ``i`` weighs frames ``i * hop`` to ``(i + 2) * hop - 1``.
        """
        joined = np.concatenate([self._rest, chroma])
        count = max(0, len(joined) // self._hop - 1)
        self._rest = joined[count * self._hop :].copy()
        if count == 0:
            return np.empty((0, N_CHROMA), np.float32)
        frames = framed(joined, len(self._window), self._hop, count)
        steps: Float32 = np.einsum("ijk,k->ij", frames, self._window)
        return steps


def coarse_chroma(portions: Iterable[Float32], settings: FeatureSettings) -> Bytes:
    """Return the coarse chroma of a whole track, as it stands in an index.

    Parameters
    ----------
    portions : iterable of np.ndarray [shape=(n_frames, 12), dtype=float32]
        The track's chroma, in any portions.

    Returns
    -------
    np.ndarray [shape=(n_steps, 12), dtype=uint8]
        Of 255.
    """
    coarse = CoarseChroma(settings)
    steps = [np.empty((0, N_CHROMA), np.float32), *(coarse.feed(portion) for portion in portions)]
    coded: Bytes = np.rint(np.concatenate(steps) * _LEVELS).astype(np.uint8)
    return coded


def decoded(steps: Bytes) -> Float32:
    """Return coarse chroma as numbers again.

    Parameters
    ----------
    steps : np.ndarray [shape=(n_steps, 12), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(n_steps, 12), dtype=float32]
        Values in [0, 1].
    """
    return steps.astype(np.float32) / np.float32(_LEVELS)


@dataclass(frozen=True)
class StepClock:
    """Turns steps into seconds; step 0 began at the stream time `begin_s`."""

    settings: FeatureSettings
    begin_s: float

    @property
    def step_s(self) -> float:
        """Seconds from one step to the next."""
        return self.settings.version_hop_frames * self.settings.frame_s

    def centre_s(self, step: float) -> float:
        """Return the middle of what a step has heard, in seconds since step 0 began."""
        frames = (step + 1) * self.settings.version_hop_frames - 1 / 2
        return frames * self.settings.frame_s + self.settings.n_fft_samples / self.settings.sample_rate_hz / 2

    def heard_s(self, n_frames: int) -> float:
        """Return the stream time up to which so many frames have heard."""
        samples = max(0, n_frames - 1) * self.settings.hop_samples + self.settings.n_fft_samples
        return self.begin_s + samples / self.settings.sample_rate_hz

    def heard_at(self, step: int) -> float:
        """Return the stream time up to which a step has heard."""
        return self.heard_s((step + 2) * self.settings.version_hop_frames)
