"""Signals and cuts that the tests of the features share."""

import numpy as np
from hypothesis import strategies as st
from music import noise, piece, silence


def clipped(seconds):
    return np.clip(20 * piece(3, seconds), -1, 1)


SIGNALS = {
    "music": piece(1, 2.5),
    "noise": noise(2, 2.5),
    "silence": silence(2.5),
    "clipped": clipped(2.5),
    "music, silence, quiet music": np.concatenate([piece(4, 1), silence(1), 1e-2 * piece(5, 1)]),
}

assert all(y.dtype == np.float32 for y in SIGNALS.values())


def cuts(longest):
    """Lengths of the first blocks; the last one takes what is left."""
    return st.lists(st.one_of(st.integers(0, 3), st.integers(0, longest)), max_size=25)


def portions(rows, lengths):
    start = 0
    for length in lengths:
        yield rows[start : start + length]
        start += length
    yield rows[start:]
