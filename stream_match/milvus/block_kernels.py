"""The compiled loop that looks which blocks of lines are at hand: thousands of lines a decision."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import INT, INT64, array_of, compiled
from stream_match.milvus.layout import BLOCK

Int64 = npt.NDArray[np.int64]


@compiled(
    array_of(np.uint32, written=True),
    INT,
    INT,
    INT64,
    INT64,
    INT64,
    INT64,
    INT64,
    INT64,
)
def missing_blocks(
    asked: npt.NDArray[np.uint32],
    now: int,
    number: int,
    segment: Int64,
    first_block: Int64,
    length: Int64,
    track: Int64,
    lowest: Int64,
    highest: Int64,
) -> Int64:
    """Take note that blocks of a segment are about to be read; return those that are not at hand.

    Parameters
    ----------
    asked : np.ndarray [shape=(n_blocks,), dtype=uint32]
        When each block was asked for last, 0 if it is not at hand; `now` is written to the others.
    now : int
    number : int
        Of the segment.
    segment, first_block, length : np.ndarray [shape=(n_tracks,), dtype=int64]
        For each track its segment, the first of its blocks there, and how many rows it has.
    track, lowest, highest : np.ndarray [shape=(n,), dtype=int64]
        Stretches of tracks, with first and last row; what lies outside the track is left out.

    Returns
    -------
    np.ndarray [shape=(n_missing,), dtype=int64]
        In the order of the stretches; as often as they are wanted.
    """
    found = np.empty(len(track), np.int64)
    count = 0
    for line in range(len(track)):
        of = track[line]
        last = min(highest[line], length[of] - 1)
        if segment[of] != number or last < 0 or lowest[line] > last:
            continue
        for block in range(max(lowest[line], 0) // BLOCK, last // BLOCK + 1):
            at = first_block[of] + block
            if asked[at]:
                asked[at] = now
                continue
            if count == len(found):
                found = np.concatenate((found, np.empty(count, np.int64)))
            found[count] = at
            count += 1
    return found[:count].copy()
