"""The compiled loops of the search for near tracks: imported where a search is first made."""

import math

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import FLOAT32, FLOAT64, INT, INT64, array_of, compiled, inlined

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

BLOCK = 256
"""Columns that are summed in float32; sums of blocks are added in float64. After each block a track may be
given up. A larger block loses more digits, a smaller one takes longer to sum."""


@compiled(array_of(np.float32, 2), FLOAT32, INT, array_of(np.float32, written=True))
def add_apart(head: Float32, query: Float32, squared: int, sums: Float32) -> None:
    """Add the differences of all tracks from a query, column by column.

    Parameters
    ----------
    head : np.ndarray [shape=(m, n), dtype=float32]
        A column per track.
    query : np.ndarray [shape=(m,), dtype=float32]
    squared : int
        1 for squares of differences, 0 for their absolute values.
    sums : np.ndarray [shape=(n,), dtype=float32]
        What they are added to.
    """
    for j in range(len(head)):
        value = query[j]
        row = head[j]
        if squared:
            for i in range(len(sums)):
                apart = row[i] - value
                sums[i] += apart * apart
        else:
            for i in range(len(sums)):
                sums[i] += abs(row[i] - value)


@inlined
def _part(values: Float32, query: Float32, first: int, last: int, squared: int) -> np.float32:
    """Return the sum over some columns."""
    part = np.float32(0)
    if squared:
        for j in range(first, last):
            apart = values[j] - query[j]
            part += apart * apart
    else:
        for j in range(first, last):
            part += abs(values[j] - query[j])
    return part


@inlined
def _insert(best: Float64, number: float) -> None:
    """Put a number among ascending ones, and drop the greatest."""
    at = len(best) - 1
    while at > 0 and best[at - 1] > number:
        best[at] = best[at - 1]
        at -= 1
    best[at] = number


@compiled(
    array_of(np.float32, 2), FLOAT32, INT, INT64, FLOAT64, FLOAT64,
    array_of(np.float64, written=True), array_of(np.float64, written=True), any_order=True,
)  # fmt: skip
def refine(
    rows: Float32,
    query: Float32,
    squared: int,
    order: Int64,
    lower: Float64,
    slack: Float64,
    best: Float64,
    refined: Float64,
) -> int:
    """Compare tracks with a query until no further one can be among the nearest.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d), dtype=float32]
    query : np.ndarray [shape=(d,), dtype=float32]
    squared : int
        1 for the Euclidean distance, 0 for the sum of absolute differences.
    order : np.ndarray [shape=(n_order,), dtype=int64]
        The tracks to compare; their lower bounds ascend.
    lower : np.ndarray [shape=(n,), dtype=float64]
        Lower bounds of the distances.
    slack : np.ndarray [shape=(n,), dtype=float64]
        How far off a distance may be that is computed here.
    best : np.ndarray [shape=(k,), dtype=float64]
        The least upper bounds so far, ascending; inf where there is none. They are kept up.
    refined : np.ndarray [shape=(n,), dtype=float64]
        Takes better lower bounds; left alone for tracks that are given up.

    Returns
    -------
    int
        How many were looked at: fewer than all if the others cannot be among the nearest.
    """
    width = rows.shape[1]
    for place in range(len(order)):
        row = order[place]
        limit = best[len(best) - 1]
        if lower[row] > limit:
            return place
        reach = limit + slack[row]
        if squared:
            reach *= reach
        values = rows[row]
        total = 0.0
        for first in range(0, width, BLOCK):
            total += float(_part(values, query, first, min(first + BLOCK, width), squared))
            if total > reach:
                break
        if total > reach:
            continue
        distance = math.sqrt(total) if squared else total
        refined[row] = distance - slack[row]
        upper = distance + slack[row]
        if upper < limit:
            _insert(best, upper)
    return len(order)
