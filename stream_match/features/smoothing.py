"""Means over neighbouring frames, so that the frames of an embedding leave out nothing between them.

Music lasts, noise changes: means tell them apart better than the frames that they are taken of.
"""

import numpy as np
import numpy.typing as npt

from stream_match.errors import ParameterError
from stream_match.features.history import History

Float32 = npt.NDArray[np.float32]


def smooth(frames: Float32, n_frames: int) -> Float32:
    """Return the mean of each frame and of those before it.

    Parameters
    ----------
    frames : np.ndarray [shape=(n, d), dtype=float32]
        One row per hop, oldest first.
    n_frames : int, >= 1
        Length of the mean.

    Returns
    -------
    np.ndarray [shape=(max(0, n - n_frames + 1), d), dtype=float32]
        Complete means only. A row does not depend, to the last bit, on how many stand before it.

    Raises
    ------
    ParameterError
        If `n_frames` is below 1.
    """
    if n_frames < 1:
        raise ParameterError(f"n_frames is {n_frames}, expected at least 1")
    count = max(0, len(frames) - n_frames + 1)
    total = frames[:count].copy()
    for later in range(1, n_frames):
        total += frames[later : later + count]
    return total / np.float32(n_frames)


class RunningMean:
    """The means of a stream: `smooth` over frames that come in any portions, from the first frame on.

    Parameters
    ----------
    n_frames : int, >= 1
    fewest : int, in [1, n_frames]
        Frames of the first mean; one more of the next, until there are `n_frames`.
    """

    def __init__(self, n_frames: int, fewest: int = 1) -> None:
        self.n_frames = n_frames
        self.fewest = fewest
        self._history = History(n_frames - 1)

    def feed(self, frames: Float32) -> Float32:
        """Take the frames that follow and return a mean for each, once there are enough.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, d), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(m, d), dtype=float32]
            ``m`` is `n`, less what is missing of `fewest`.
        """
        before = len(self._history)
        joined = self._history.followed_by(frames)
        first = joined[: self.n_frames - 1]
        counts = np.arange(1, len(first) + 1, dtype=np.float32)[:, np.newaxis]
        beginning = np.cumsum(first, axis=0, dtype=np.float32) / counts
        return np.concatenate([beginning[max(before, self.fewest - 1) :], smooth(joined, self.n_frames)])

    def reset(self) -> None:
        """Forget the frames, as at a gap."""
        self._history.reset()
