"""The compiled loop that picks the least of many distances: imported where it is first needed."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import FLOAT32, array_of, compiled

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@compiled(
    array_of(np.float32, 2),
    FLOAT32,
    array_of(np.float32, 2, written=True),
    array_of(np.int64, 2, written=True),
)
def pick(distances: Float32, limit: Float32, near: Float32, columns: Int64) -> Int64:
    """Write down the distances of each row that are not above its limit, in order.

    Parameters
    ----------
    distances : np.ndarray [shape=(n, m), dtype=float32]
    limit : np.ndarray [shape=(n,), dtype=float32]
    near : np.ndarray [shape=(n, width), dtype=float32]
        Filled with the first of them.
    columns : np.ndarray [shape=(n, width), dtype=int64]
        Filled with where they stand.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64]
        How many there are, which may be more than there was room for.
    """
    count = np.zeros(len(distances), np.int64)
    width = near.shape[1]
    for i in range(len(distances)):
        most, found = limit[i], 0
        for j in range(distances.shape[1]):
            if distances[i, j] <= most:
                if found < width:
                    near[i, found] = distances[i, j]
                    columns[i, found] = j
                found += 1
        count[i] = found
    return count
