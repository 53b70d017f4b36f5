"""Overlapping stretches of an array, without a copy."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


def framed(rows: Float32, length: int, hop: int, count: int) -> Float32:
    """Return a view of stretches of an array, each beginning `hop` rows after the one before.

    As ``numpy.lib.stride_tricks.sliding_window_view(rows, length, axis=0)[::hop][:count]``, which takes ten
    times as long: at the length of a block that is as much as the transform of its frames.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, ...), dtype=float32]
        C-contiguous.
    length : int, >= 1 [rows]
    hop : int, >= 1 [rows]
    count : int, >= 0
        How many stretches; ``(count - 1) * hop + length <= n``.

    Returns
    -------
    np.ndarray [shape=(count, ..., length), dtype=float32]
        Read-only. Element ``[i, ..., j]`` is ``rows[i * hop + j, ...]``.
    """
    step, *beside = rows.strides
    shape = (count, *rows.shape[1:], length)
    frames: Float32 = np.ndarray(shape, rows.dtype, rows, strides=(hop * step, *beside, step))
    frames.flags.writeable = False
    return frames
