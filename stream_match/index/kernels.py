"""Compiled loops over codes along lines."""

import numpy as np
import numpy.typing as npt

from stream_match.index.compiled import FLOAT32, FLOAT64, INT, INT64, array_of, bits_set, compiled

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

_HALF_OF_A_WORD = 32


def line_counts(
    words: Words,
    first: Int64,
    length: Int64,
    query: Words,
    heard: Bools,
    head: Float64,
    speed: Float32,
    shift: Int64,
    stride: int,
    windows: Int64,
) -> Int64:
    """Return how many bits differ along lines, over the newest positions, for several lengths.

    Each position is read at the frame nearest to when it sounded: at another speed, frames at a fixed
    distance would drift between two positions.

    Parameters
    ----------
    words : np.ndarray [shape=(n_rows, n_words), dtype=uint64]
        Codes of a segment, C-contiguous; read where the tracks are, never copied.
    first, length : np.ndarray [shape=(n_lines,), dtype=int64]
        Row of position 0 of each line's track, and how many positions that has.
    query : np.ndarray [shape=(n_shifts, n_frames, n_words), dtype=uint64]
        Query codes at each shift, one frame apart, newest first.
    heard : np.ndarray [shape=(n_frames,) or (n_shifts, n_frames), dtype=bool]
        Which frames are not silent.
    head : np.ndarray [shape=(n_lines,), dtype=float64]
        Position in the track at the newest frame.
    speed : np.ndarray [shape=(n_lines,), dtype=float32]
        Positions per query position, not 0; negative for lines that run backwards.
    shift : np.ndarray [shape=(n_lines,), dtype=int64]
        Number of the shift at which the query is taken.
    stride : int
        Frames per position.
    windows : np.ndarray [shape=(n_windows,), dtype=int64]
        Ascending lengths in positions, in [1, n_frames // stride].

    Returns
    -------
    np.ndarray [shape=(n_lines, n_windows), dtype=int64]
        Half of the bits are counted where nothing can be compared: outside the track, before the query, and
        where it is silent.
    """
    # Copies of the query are small; a code is found sooner where no line lies between.
    return _differing_along(
        words,
        first,
        length,
        np.ascontiguousarray(query),
        np.atleast_2d(np.ascontiguousarray(heard)),
        head,
        speed,
        shift,
        stride,
        windows,
    )


def line_agreement(
    words: Words,
    first: Int64,
    length: Int64,
    query: Words,
    heard: Bools,
    head: Float64,
    speed: Float32,
    shift: Int64,
    stride: int,
) -> Float32:
    """Return how well query and reference agree at each position back along lines.

    Parameters
    ----------
    words, first, length, query, heard, head, speed, shift, stride
        As in `line_counts`.

    Returns
    -------
    np.ndarray [shape=(n_lines, n_frames // stride), dtype=float32]
        The newest position that the line has met first: 1 where all bits agree, -1 where none does; exactly 0
        where nothing can be compared.
    """
    n_positions, n_words = query.shape[1] // stride, query.shape[2]
    each = np.arange(1, n_positions + 1)
    until = line_counts(words, first, length, query, heard, head, speed, shift, stride, each)
    differing = np.diff(until, axis=1, prepend=0).astype(np.float32)
    # For any number of words, half of the bits give exactly 0.
    agreement: Float32 = np.float32(1) - differing * np.float32(1 / (_HALF_OF_A_WORD * n_words))
    return agreement


@compiled(
    array_of(np.uint64, 2),
    INT64,
    INT64,
    array_of(np.uint64, 3),
    array_of(np.bool_, 2),
    FLOAT64,
    FLOAT32,
    INT64,
    INT,
    INT64,
)
def _differing_along(
    words: Words,
    first: Int64,
    length: Int64,
    query: Words,
    heard: Bools,
    head: Float64,
    speed: Float32,
    shift: Int64,
    stride: int,
    windows: Int64,
) -> Int64:
    """Count as `line_counts` says: in one piece, for arrays handed to a helper cost ten times as much."""
    n_frames, n_words = query.shape[1], query.shape[2]
    n_positions = n_frames // stride
    counts = np.empty((len(head), len(windows)), np.int64)
    for line in range(len(head)):
        track, n_codes, asked = first[line], length[line], shift[line]
        heard_at = asked if len(heard) > 1 else 0
        # Half a frame ahead of the head counts as met. Places are counted from the lowest, which is the
        # oldest of a line that runs forward.
        if speed[line] > 0:
            newest = np.floor(head[line] + 0.5 / stride)
            lowest, number, step = newest - (n_positions - 1), n_positions - 1, -1
        else:
            newest = -np.floor(-head[line] + 0.5 / stride)
            lowest, number, step = newest, 0, 1
        frames_each = -stride / np.float64(speed[line])
        position, back, total = int(newest), 0, 0
        for column in range(len(windows)):
            while back < windows[column]:
                differing = _HALF_OF_A_WORD * n_words
                if 0 <= position < n_codes:
                    frame = int(np.rint(max((lowest - head[line] + number) * frames_each, 0.0)))
                    if 0 <= frame < n_frames and heard[heard_at, frame]:
                        differing = 0
                        for word in range(n_words):
                            differing += bits_set(words[track + position, word] ^ query[asked, frame, word])
                total += differing
                back, position, number = back + 1, position + step, number + step
            counts[line, column] = total
    return counts
