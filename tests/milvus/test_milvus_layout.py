"""How an index lies in collections: positions, blocks, names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_match.index.coding import HASHED_STRIDE, TrackCodes
from stream_match.milvus.layout import (
    BLOCK,
    KINDS,
    BlockShape,
    Collections,
    chunk_key,
    first_position,
    new_token,
    pack_steps,
    positions_of,
    pushed_at_ms,
    token_of,
    unpack_steps,
)


def track_of(n, seed, shape):
    rng = np.random.default_rng(seed)
    audible = rng.random(n) < 0.8
    chroma = rng.integers(0, 256, (-(-n // HASHED_STRIDE), shape.chroma_bytes), np.uint8)
    chroma[~audible[::HASHED_STRIDE]] = 0
    return TrackCodes(rng.integers(0, 256, (n, shape.code_bytes), np.uint8), chroma, audible)


@given(
    n=st.integers(0, 5 * BLOCK + 1),
    seed=st.integers(0, 9),
    shape=st.builds(BlockShape, st.sampled_from([8, 16, 32]), st.sampled_from([8, 16])),
)
def test_a_track_comes_out_of_its_blocks_as_it_went_in(n, seed, shape):
    track = track_of(n, seed, shape)
    rows = shape.pack(track)
    assert rows.shape == (-(-n // BLOCK), shape.size)
    back = shape.unpack(rows, n)
    assert np.array_equal(back.codes, track.codes)
    assert np.array_equal(back.audible, track.audible)
    assert np.array_equal(back.chroma_codes, track.chroma_codes)


def test_a_position_lies_where_the_layout_says():
    shape = BlockShape(32, 8)
    track = track_of(200, 1, shape)
    rows = shape.pack(track)
    for position in (0, 63, 64, 130, 199):
        block, at = divmod(position, BLOCK)
        row = rows[block]
        assert np.array_equal(row[32 * at : 32 * (at + 1)], track.codes[position])
        bit = row[shape.audible_at + at // 8] >> (7 - at % 8) & 1
        assert bit == track.audible[position]
        if position % HASHED_STRIDE == 0:
            first = shape.chroma_at + at // HASHED_STRIDE * 8
            assert np.array_equal(row[first : first + 8], track.chroma_codes[position // HASHED_STRIDE])
    assert not rows[-1][32 * (200 % BLOCK) : shape.audible_at].any()


@given(n=st.integers(0, 3 * BLOCK + 1))
def test_steps_come_out_as_they_went_in(n):
    chroma = np.random.default_rng(n).integers(0, 256, (n, 12), np.uint8)
    rows = pack_steps(chroma)
    assert rows.shape == (-(-n // BLOCK), 12 * BLOCK)
    assert np.array_equal(unpack_steps(rows, n), chroma)


@given(lengths=st.lists(st.integers(0, 1000)), first=st.integers(0, 1 << 40).map(lambda n: n * BLOCK))
def test_no_two_tracks_share_a_block(lengths, first):
    at, beyond = positions_of(np.array(lengths, np.int64), first)
    end = first
    for begin, length in zip(at.tolist(), lengths, strict=True):
        assert begin % BLOCK == 0
        assert begin == end
        end = -(-(begin + length) // BLOCK) * BLOCK
    assert beyond == end


def test_positions_follow_from_the_clock_and_are_never_given_twice():
    now_ms = 1_800_000_000_000
    first = first_position(now_ms)
    assert first % BLOCK == 0
    assert first_position(now_ms + 1) > first + 2_000_000
    assert first_position(0, first + 1) == first + BLOCK  # the clock was turned back
    assert first_position(1 << 41) < 1 << 63  # in the year 2039


def test_tokens_tell_when_they_were_given_and_differ():
    now_ms = 1_800_000_000_000
    one, other, later = new_token(now_ms), new_token(now_ms), new_token(now_ms + 1)
    assert one != other
    assert later > max(one, other)
    assert pushed_at_ms(one) == now_ms


@pytest.mark.parametrize("kind", [*KINDS, "g12"])
def test_a_collection_tells_its_token(kind):
    token = new_token(1_800_000_000_000)
    collections = Collections("music", token)
    name = collections.generation(12) if kind == "g12" else collections.of(kind)
    assert token_of(name, "music") == token
    assert token_of(name, "musi") is None
    assert token_of(f"my_{name}", "music") is None
    assert token_of(f"{name}_x", "music") is None


def test_names_of_other_indexes_are_never_taken_for_ones_own():
    token = new_token(1_800_000_000_000)
    longer = Collections("music_live", token).of("codes")
    assert token_of(longer, "music") is None
    assert token_of(longer, "music_live") == token
    assert token_of("music_codes", "music") is None
    assert token_of("music", "music") is None


def test_chunks_are_in_order():
    keys = [chunk_key("ab" * 32, number) for number in (0, 9, 10, 100_000)]
    assert keys == sorted(keys)
    assert max(map(len, keys)) <= 96
