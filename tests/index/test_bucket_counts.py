"""Music search by counting against dicts of labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import music_search

from stream_match.index.bucket_counts import count_buckets, random_planes, results_by_track
from stream_match.index.projection import Projection


def some_chroma(rng, n, silent=0.2):
    """Small whole numbers: sides of hyperplanes are exact, and many frames lie on one."""
    chroma = rng.integers(0, 4, (n, 12)).astype(np.float32)
    chroma[rng.random(n) < silent] = 0
    return chroma


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 25), min_size=1, max_size=5),
    n_query=st.integers(0, 25),
    shape=st.sampled_from([(4, 8), (1, 8), (2, 4), (8, 1), (3, 8), (2, 12)]),
    seed=st.integers(0, 999),
)
def test_counting_equals_dicts_of_labels(lengths, n_query, shape, seed):
    rng, (n_tables, key_bits) = np.random.default_rng(seed), shape
    normals = rng.integers(-2, 3, (12, n_tables * key_bits)).astype(np.float32)
    planes = Projection(np.zeros(12, np.float32), normals)
    tracks = {label: some_chroma(rng, n) for label, n in enumerate(lengths)}
    query = some_chroma(rng, n_query)
    held = np.stack([count_buckets(chroma, planes, n_tables) for chroma in tracks.values()], axis=-1)
    assert held.shape == (n_tables, 2**key_bits, len(tracks))
    results = results_by_track(count_buckets(query, planes, n_tables), held.astype(np.uint32))
    counts, scores = music_search(tracks, query, normals, n_tables)
    assert results.tolist() == list(counts.values())
    frames = held[0].sum(axis=0)
    assert {n: results[n] / frames[n] for n in tracks if frames[n]} == pytest.approx(scores)


def test_every_frame_with_sound_is_in_one_bucket_of_each_table():
    chroma = some_chroma(np.random.default_rng(1), 500)
    counts = count_buckets(chroma, random_planes(5, 32), 4)
    assert counts.shape == (4, 256)
    assert counts.sum(axis=1).tolist() == [int(chroma.any(axis=1).sum())] * 4


def test_silence_is_in_no_bucket():
    planes = random_planes(5, 32)
    assert not count_buckets(np.zeros((9, 12), np.float32), planes, 4).any()
    # Unlike a frame for which all planes face the other way: that one is in bucket 0.
    facing = Projection(planes.centre, -np.abs(planes.planes))
    assert count_buckets(np.ones((9, 12), np.float32), facing, 4)[:, 0].tolist() == [9] * 4


def test_loudness_and_scale_of_the_chroma_say_nothing():
    rng, planes = np.random.default_rng(2), random_planes(5, 32)
    chroma = rng.random((200, 12)).astype(np.float32)
    scaled = (chroma / chroma.max(axis=1, keepdims=True)).astype(np.float32)
    # A frame on the very edge of a plane may fall to either side of it.
    moved = np.abs(count_buckets(chroma, planes, 4) - count_buckets(scaled, planes, 4)).sum()
    assert moved <= 2


def test_planes_follow_from_their_seed():
    one, same, other = random_planes(1, 32), random_planes(1, 32), random_planes(2, 32)
    np.testing.assert_array_equal(one.planes, same.planes)
    assert (one.planes.shape, one.planes.dtype, one.n_bits) == ((12, 32), np.float32, 32)
    assert not one.centre.any()
    assert not np.isclose(one.planes, other.planes).any()


def test_no_count_runs_over():
    """Nine million pairs of a bucket, in a track of days."""
    heard, held = np.zeros((1, 2), np.int64), np.zeros((1, 2, 1), np.uint32)
    heard[0, 1], held[0, 1, 0] = 1 << 20, (1 << 32) - 1
    assert results_by_track(heard, held).tolist() == [(1 << 20) * ((1 << 32) - 1)]
