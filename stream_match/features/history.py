"""The newest frames of a stream, for what is made of a frame and of those before it."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


class History:
    """Keeps the frames that what follows needs.

    Parameters
    ----------
    n_frames : int, >= 0
        How many are kept.
    """

    def __init__(self, n_frames: int) -> None:
        self.n_frames = n_frames
        self._kept: Float32 | None = None

    def __len__(self) -> int:
        """Return how many frames are kept now."""
        return 0 if self._kept is None else len(self._kept)

    def followed_by(self, frames: Float32) -> Float32:
        """Return the frames kept and then others; keep the newest of them.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, d), dtype=float32]
            Copied, where kept.

        Returns
        -------
        np.ndarray [shape=(n_kept + n, d), dtype=float32]
        """
        joined = frames if self._kept is None else np.concatenate([self._kept, frames])
        self._kept = joined[max(0, len(joined) - self.n_frames) :].copy()
        return joined

    def reset(self) -> None:
        """Forget all frames, as at a gap."""
        self._kept = None
