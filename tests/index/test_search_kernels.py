"""Compiled loops over what a search has found, against slow ones."""

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.index import search_kernels

DISTANCE_SHIFT, TRACK_SHIFT, TRACK_BITS = 30, 20, 10


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(0, 4),
    n_keys=st.integers(0, 30),
    n_tracks=st.integers(1, 9),
    n_recordings=st.integers(1, 9),
    per_recording=st.integers(1, 4),
    at_most=st.integers(1, 20),
    seed=st.integers(0, 10_000),
)
def test_of_a_recording_with_copies_some_neighbours_count_and_of_others_all(
    n, n_keys, n_tracks, n_recordings, per_recording, at_most, seed
):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_recordings, n_tracks)
    recordings = np.array([np.flatnonzero(labels == label)[0] for label in labels])
    copies = np.bincount(recordings, minlength=n_tracks)
    places = np.stack(
        [
            rng.integers(0, 12, (n, n_keys)),
            rng.integers(0, n_tracks, (n, n_keys)),
            rng.permuted(np.tile(np.arange(n_keys), (n, 1)), axis=1),
        ]
    )
    keys = np.sort((places[0] << DISTANCE_SHIFT) | (places[1] << TRACK_SHIFT) | places[2], axis=1)
    limit, crowded = rng.integers(0, 14, n), rng.random(n) < 0.3
    rows, chosen, short = search_kernels.nearest(
        keys,
        limit,
        DISTANCE_SHIFT,
        TRACK_SHIFT,
        TRACK_BITS,
        recordings,
        copies,
        crowded,
        per_recording,
        at_most,
    )
    for row in range(n):
        neighbours = sorted(zip(*places[:, row].tolist(), strict=True))
        counted, few = naive.nearest(
            neighbours, limit[row], recordings.tolist(), crowded[row], per_recording, at_most
        )
        assert chosen[rows == row].tolist() == [
            (distance << DISTANCE_SHIFT) | (track << TRACK_SHIFT) | position
            for distance, track, position in counted
        ]
        assert (row in short) == few
    assert (np.diff(rows) >= 0).all()


def test_buckets_that_a_damaged_table_names_are_passed_over():
    codes = np.array([[0b0000_0000], [0b1000_0000], [0b0100_0000], [0b1100_0000]], np.uint8)
    entries = np.arange(6, dtype=np.uint32)[np.newaxis]
    starts = np.array([[0, 2, 1, 4, 9]], np.uint32)
    rows, positions = search_kernels.in_buckets(starts, entries, codes, np.zeros(1, np.int64), 2, 100)
    assert rows.tolist() == [0, 0, 2, 2, 2]
    assert positions.tolist() == [0, 1, 1, 2, 3]
