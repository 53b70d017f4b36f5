"""Whether a sound begins in a frame, and when: a small perceptron that looks at the changes around it.

`scripts/learn_onsets.py` makes it, of sounds whose beginnings are known to the sample.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError, words_of
from stream_match.onsets.flux import FEATURES
from stream_match.shipped import shipped

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

FOLDER = "onsets"

CONTEXT_FRAMES = (-6, -4, -3, -2, -1, 0, 1, 2, 3)
"""The frames that are looked at, counted from the one that is judged: 60 ms before it to 30 ms after it."""

AHEAD_FRAMES = CONTEXT_FRAMES[-1]
BEHIND_FRAMES = -CONTEXT_FRAMES[0]

MOST_DEVIATIONS = 6.0
"""What changes more, in standard deviations of what it was learnt from, counts as if it changed so much."""


class Perceptron(NamedTuple):
    """Two layers: tanh of the standardised changes, and two sums.

    Parameters
    ----------
    mean, deviation : np.ndarray [shape=(len(CONTEXT_FRAMES) * len(FEATURES),), dtype=float32]
        Of the changes, in the order frame, feature.
    hidden : np.ndarray [shape=(len(CONTEXT_FRAMES) * len(FEATURES), n_hidden), dtype=float32]
    hidden_bias : np.ndarray [shape=(n_hidden,), dtype=float32]
    output : np.ndarray [shape=(n_hidden, 2), dtype=float32]
        Of the log odds that a sound begins, and of how many frames after this one's time.
    output_bias : np.ndarray [shape=(2,), dtype=float32]
    """

    mean: Float32
    deviation: Float32
    hidden: Float32
    hidden_bias: Float32
    output: Float32
    output_bias: Float32


@cache
def shipped_perceptron() -> Perceptron:
    """Return the perceptron of ``models/onsets``: an array a file, named like the field, without pickle.

    Raises
    ------
    CatalogError
        If it did not come with the program, or is of other changes than are measured here.
    """
    folder = shipped(FOLDER)
    try:
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in Perceptron._fields}
        perceptron = Perceptron(**{name: array.astype(np.float32) for name, array in arrays.items()})
    except (OSError, ValueError) as error:
        raise CatalogError(f"{str(folder)!r} holds no perceptron of onsets ({words_of(error)})") from error
    n_inputs, n_hidden = len(CONTEXT_FRAMES) * len(FEATURES), perceptron.hidden_bias.size
    shapes = ((n_inputs,), (n_inputs,), (n_inputs, n_hidden), (n_hidden,), (n_hidden, 2), (2,))
    if tuple(array.shape for array in perceptron) != shapes:
        raise CatalogError(
            f"{str(folder)!r} was learnt from other changes of the spectrum than are measured here"
        )
    return perceptron


def in_context(changes: Float32) -> Float32:
    """Return the changes around each frame that has all of `CONTEXT_FRAMES`.

    Parameters
    ----------
    changes : np.ndarray [shape=(n_frames, n_features), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n, len(CONTEXT_FRAMES) * n_features), dtype=float32]
        ``n = n_frames - BEHIND_FRAMES - AHEAD_FRAMES``; row ``i`` is of frame ``i + BEHIND_FRAMES``.
    """
    n_frames = max(0, len(changes) - BEHIND_FRAMES - AHEAD_FRAMES)
    columns = [changes[BEHIND_FRAMES + at :][:n_frames] for at in CONTEXT_FRAMES]
    return np.concatenate(columns, axis=1)


class Activation:
    """Whether and when a sound begins, for each frame of a stream, `AHEAD_FRAMES` after it.

    Before the first frame nothing has changed.

    Parameters
    ----------
    perceptron : Perceptron
    """

    def __init__(self, perceptron: Perceptron) -> None:
        self._perceptron = perceptron
        self._past: Float32 | None = None

    def feed(self, changes: Float32) -> Float64:
        """Take the changes of further frames and return the activation of those that can be judged by now.

        The result does not depend, to the last bit, on how the frames are cut into blocks.

        Parameters
        ----------
        changes : np.ndarray [shape=(n_frames, len(FEATURES)), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(n_judged, 2), dtype=float64]
            Log odds that a sound begins, and how many frames later than expected of this one if so. In order,
            from frame 0 on, without a gap over all calls.
        """
        if not len(changes):
            return np.empty((0, 2))
        if self._past is None:
            self._past = np.repeat(changes[:1], BEHIND_FRAMES, axis=0)
        known = np.concatenate([self._past, changes])
        rows = in_context(known)
        self._past = known[len(rows) :].copy()
        if not len(rows):
            return np.empty((0, 2))
        net = self._perceptron
        seen = np.clip((rows - net.mean) / net.deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        # A product of all rows at once would round differently with their number.
        units = np.tanh([row @ net.hidden for row in seen] + net.hidden_bias)
        return np.array([row @ net.output for row in units], float).reshape(-1, 2) + net.output_bias
