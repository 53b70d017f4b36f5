"""From the feature frames of a stream to embeddings, those among them that lack what was not heard yet."""

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.backcast import backcast, hold
from stream_match.features.chroma import N_CHROMA
from stream_match.features.embedding import MemoryStack
from stream_match.features.learnt import music_moments
from stream_match.features.rolling import SHAPE
from stream_match.features.smoothing import RunningMean
from stream_match.index.coding import Embeddings, stacked_chroma

Float32 = npt.NDArray[np.float32]


class LiveEmbeddings:
    """Embeds frames as they come: what was not heard at the beginning is guessed from what was.

    Parameters
    ----------
    listening : FeatureSettings
        As a stream is listened to.
    n_shifts : int
        Shifts at which each frame has its shape.
    """

    def __init__(self, listening: FeatureSettings, n_shifts: int) -> None:
        music_moments()  # a file that is missing is told now, not once something is heard
        self._settings, self._n_shifts = listening, n_shifts
        stacked = min(listening.first_past_frames, (listening.n_steps - 1) * listening.delay_frames)
        self._means = RunningMean(listening.smooth_frames, 1 + listening.first_past_frames - stacked)
        self._shapes = MemoryStack(listening.n_steps, listening.delay_frames, stacked)
        self._chromas = MemoryStack(listening.n_steps, listening.delay_frames, stacked)
        self._fewest_steps = 1 + stacked // listening.delay_frames
        self._sounded = False

    @property
    def none(self) -> Embeddings:
        """No embeddings."""
        n_steps, each = self._settings.n_steps, self._settings.shape_coefficients
        shape = np.empty((0, self._n_shifts, each * n_steps), np.float32)
        return Embeddings(shape, np.empty((0, N_CHROMA * n_steps), np.float32))

    def reset(self) -> None:
        """Forget what was heard, as at a gap."""
        for history in (self._means, self._shapes, self._chromas):
            history.reset()
        self._sounded = False

    def feed(self, frames: Float32) -> Embeddings:
        """Return the embeddings of the next frames; what was not heard before the first sound is guessed.

        Parameters
        ----------
        frames : np.ndarray [shape=(n_frames, 12 + n_shifts * shape_coefficients), dtype=float32]
            Those of `RollingFeatures` that follow those of the last call.
        """
        means = self._means.feed(frames)
        shapes, chroma = means[:, SHAPE], stacked_chroma(means)
        if not self._sounded:
            audible = chroma.any(axis=1)
            self._sounded = bool(audible.any())
            silent = int(audible.argmax()) if self._sounded else len(means)
            shapes[:silent] = chroma[:silent] = np.nan
        held = hold(self._chromas.feed(chroma), self._settings.n_steps, self._fewest_steps)
        return Embeddings(self._by_shift(self._shapes.feed(shapes)), held)

    def _by_shift(self, stacked: Float32) -> Float32:
        """Return the embeddings of stacked shapes, newest step first, for each shift.

        From [shape=(n, n_steps * n_shifts * shape_coefficients)] to
        [shape=(n, n_shifts, shape_coefficients * n_steps)].
        """
        settings = self._settings
        steps = stacked.reshape(-1, settings.n_steps, self._n_shifts, settings.shape_coefficients)
        each = settings.n_steps * settings.shape_coefficients
        rows = steps.swapaxes(1, 2).reshape(-1, each)
        step_s = settings.delay_frames * settings.frame_s
        return backcast(rows, settings.n_steps, step_s).reshape(-1, self._n_shifts, each)
