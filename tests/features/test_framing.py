"""Overlapping stretches without a copy, against numpy's own."""

import numpy as np
import pytest

from stream_match.features.framing import framed


@pytest.mark.parametrize("shape", [(100,), (100, 3)])
@pytest.mark.parametrize(("length", "hop"), [(1, 1), (10, 3), (10, 10), (7, 12), (100, 1)])
def test_stretches_are_those_of_numpy(shape, length, hop):
    rows = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    expected = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)[::hop]
    for count in range(len(expected) + 1):
        np.testing.assert_array_equal(framed(rows, length, hop, count), expected[:count])


def test_no_stretch_is_read_beyond_the_end():
    with pytest.raises((TypeError, ValueError)):
        framed(np.zeros(10, np.float32), 5, 3, 3)


def test_nobody_writes_through_the_view():
    with pytest.raises(ValueError, match="read-only"):
        framed(np.zeros(10, np.float32), 5, 1, 2)[0, 0] = 1


def test_of_nothing_there_are_no_stretches():
    assert framed(np.empty((0, 4), np.float32), 5, 1, 0).shape == (0, 4, 5)
