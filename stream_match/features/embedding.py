"""Time-delay embedding: a frame stacked on its past, so that one vector holds a stretch of music."""

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError
from stream_match.features.history import History

Float32 = npt.NDArray[np.float32]


def embed(frames: Float32, *, n_steps: int, delay: int) -> Float32:
    """Stack each frame on its delayed predecessors.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, d), dtype=float32]
        One row per hop, oldest first.
    n_steps : int, >= 1
        Number of frames stacked into one vector.
    delay : int, >= 1 [frames]
        Distance between stacked frames; the span is ``(n_steps - 1) * delay + 1`` frames.

    Returns
    -------
    np.ndarray [shape=(n_frames - (n_steps - 1) * delay, d * n_steps), dtype=float32]
        Present frame first, then ever older ones: the block order of ``librosa.feature.stack_memory``.
        Only complete histories are returned, nothing is zero-padded: row ``i`` is librosa's
        column ``i + (n_steps - 1) * delay``. Empty if there are fewer frames than the span.

    Raises
    ------
    ParameterError
        If `frames` is not two-dimensional, or `n_steps` or `delay` is below 1.
    """
    if frames.ndim != 2:
        raise ParameterError(f"frames have {frames.ndim} dimensions, expected 2 (n_frames, d)")
    if n_steps < 1 or delay < 1:
        raise ParameterError(f"n_steps is {n_steps} and delay is {delay}, expected both to be at least 1")
    past = (n_steps - 1) * delay
    count = max(0, len(frames) - past)
    return np.concatenate([frames[past - k * delay :][:count] for k in range(n_steps)], axis=1)


class MemoryStack:
    """The embedding of a stream: `embed` over frames that come in any portions.

    Parameters
    ----------
    n_steps : int, >= 1
    delay : int, >= 1 [frames]
    first_past : int, in [0, (n_steps - 1) * delay] [frames]
        Frames before the newest one that the first embedding has; its steps before the first frame are NaN.
    """

    def __init__(self, n_steps: int, delay: int, first_past: int) -> None:
        self.n_steps = n_steps
        self.delay = delay
        self._history = History((n_steps - 1) * delay)
        self._unheard = self._history.n_frames - first_past

    def feed(self, frames: Float32) -> Float32:
        """Take the frames that follow and return the embeddings that have heard enough.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, d), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(m, d * n_steps), dtype=float32]
            ``m`` is `n` once there is enough history, fewer before.
        """
        if len(self._history) == 0 and len(frames):
            unheard = np.full((self._unheard, frames.shape[1]), np.nan, np.float32)
            frames = np.concatenate([unheard, frames])
        return embed(self._history.followed_by(frames), n_steps=self.n_steps, delay=self.delay)

    def reset(self) -> None:
        """Forget the history, as at a gap."""
        self._history.reset()
