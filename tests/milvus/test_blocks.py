"""Blocks that are at hand: what was fetched is read as it stands on the server."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.index.port import NotAtHandError
from stream_match.milvus.blocks import RECENT_S, Holdings, Stretch, TrackBlocks
from stream_match.milvus.layout import BLOCK, BlockShape
from stream_match.milvus.neighbours import Positions
from stream_match.milvus.reading import CodeShape, StepShape
from stream_match.milvus.sparse import SparseRows

WIDE = 32
"""Bytes of a code: two blocks lie in one page of memory."""


class Server:
    """Blocks of tracks, and how often it was asked."""

    def __init__(self, tracks):
        self.away = False
        self.asked = []
        self._blocks = {}
        self.at = np.full(len(tracks), -1, np.int64)
        free = 1 << 40
        for number, codes in enumerate(tracks):
            self.at[number] = free
            for block in range(-(-len(codes) // BLOCK)):
                rows = codes[block * BLOCK : (block + 1) * BLOCK]
                padded = np.zeros((BLOCK, codes.shape[1]), np.uint8)
                padded[: len(rows)] = rows
                audible = np.packbits(padded[:, 0] % 2)
                self._blocks[free // BLOCK + block] = padded.tobytes() + audible.tobytes()
            free += BLOCK * (-(-len(codes) // BLOCK) + number % 3)

    def fetch(self, keys):
        if self.away:
            raise NotAtHandError("the server is away")
        self.asked.append(keys)
        return {key: self._blocks[key] for key in keys}


def tracks_of(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (length, WIDE), dtype=np.uint8) for length in lengths]


def opened(tracks, server, *, most_bytes=1 << 20, cut=None):
    """Holdings of tracks in one or two segments, and their arrays; the clock stands where it is put."""
    clock = SimpleNamespace(now=0.0)
    bounds = [0, *([cut] if cut else []), len(tracks)]
    segments, segment, first = [], [], []
    for number, (begin, end) in enumerate(itertools.pairwise(bounds)):
        starts = np.cumsum([0, *map(len, tracks[begin:end])], dtype=np.int64)
        shape = CodeShape(BlockShape(WIDE, 0))
        segments.append(
            TrackBlocks(starts, server.at[begin:end], shape, most_bytes=most_bytes, clock=lambda: clock.now)
        )
        segment += [number] * (end - begin)
        first += starts[:-1].tolist()
    lengths = np.array([*map(len, tracks)], np.int64)
    holdings = Holdings(
        segments, np.array(segment, np.int64), np.array(first, np.int64), lengths, server.fetch
    )
    return holdings, segments, clock, np.array(segment), np.array(first)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), lengths=st.lists(st.sampled_from([0, 1, 63, 64, 65, 200, 700]), min_size=1, max_size=7)
)
def test_what_was_asked_for_is_at_hand_whatever_was_forgotten(data, lengths):
    tracks = tracks_of(lengths)
    server = Server(tracks)
    cut = data.draw(st.none() | st.integers(1, len(tracks) - 1)) if len(tracks) > 1 else None
    holdings, segments, clock, segment, first = opened(tracks, server, most_bytes=9000, cut=cut)
    for _ in range(data.draw(st.integers(1, 12))):
        clock.now += data.draw(st.sampled_from([0.0, 1.0, 3 * RECENT_S]))
        n = data.draw(st.integers(1, 4))
        track = np.array([data.draw(st.integers(0, len(tracks) - 1)) for _ in range(n)])
        lowest = np.array([data.draw(st.integers(-90, 800)) for _ in range(n)])
        highest = lowest + np.array([data.draw(st.integers(0, 150)) for _ in range(n)])
        holdings.have(Stretch(track, lowest, highest))
        for one, low, high in zip(track, lowest, highest, strict=True):
            words, audible = (rows.array for rows in segments[segment[one]].arrays)
            begin, end = max(low, 0), min(high + 1, len(tracks[one]))
            rows = slice(first[one] + begin, first[one] + max(begin, end))
            expected = tracks[one][begin : max(begin, end)]
            np.testing.assert_array_equal(words[rows].view(np.uint8), expected)
            np.testing.assert_array_equal(audible[rows, 0], expected[:, 0] % 2 if len(expected) else [])


def test_what_is_at_hand_is_not_fetched_again_and_all_segments_are_asked_at_once():
    tracks = tracks_of([300, 100, 500])
    server = Server(tracks)
    holdings, *_ = opened(tracks, server, cut=2)
    wanted = Stretch(np.array([0, 1, 2, 0]), np.array([70, 0, 490, 80]), np.array([200, 20, 900, 90]))
    holdings.have(wanted)
    assert [len(keys) for keys in server.asked] == [3 + 1 + 1]
    holdings.have(wanted)
    holdings.whole([0])
    assert [len(keys) for keys in server.asked] == [5, 5 - 3]


def test_a_server_that_is_away_is_told_only_for_what_is_missing():
    tracks = tracks_of([300, 100])
    server = Server(tracks)
    holdings, *_ = opened(tracks, server)
    holdings.whole([0])
    server.away = True
    holdings.whole([0])
    with pytest.raises(NotAtHandError, match="away"):
        holdings.whole([0, 1])
    server.away = False
    holdings.whole([0, 1])


def test_memory_is_bounded_and_what_was_asked_for_lately_stays():
    tracks = tracks_of([BLOCK * 20] * 20)
    server = Server(tracks)
    bound = 50 * BLOCK * (WIDE + 1)
    holdings, (blocks,), clock, *_ = opened(tracks, server, most_bytes=bound)
    for track in range(20):
        clock.now += 2 * RECENT_S
        holdings.whole([track])
        assert blocks.held_bytes <= bound
    asked = len(server.asked)
    holdings.whole([19])
    assert len(server.asked) == asked
    holdings.whole([0])  # forgotten long ago
    assert len(server.asked) == asked + 1
    for track in range(20):  # all at one time
        holdings.whole([track])
    assert blocks.held_bytes > bound
    server.away = True
    holdings.whole(range(20))


def test_what_is_forgotten_is_given_back_to_the_system():
    rows = SparseRows(1 << 20, WIDE, np.uint8)
    rows.array[:] = 7
    rows.forget(np.arange(3, 9))
    assert rows.array.reshape(-1, 4096)[3:9].sum() == 0
    assert (rows.array.reshape(-1, 4096)[[2, 9]] == 7).all()


def test_address_space_is_not_memory():
    rows = SparseRows(1 << 34, 4, np.uint64)
    assert rows.array.nbytes == 1 << 39
    rows.array[(1 << 34) - 1] = 5
    assert rows.array[-1].tolist() == [5] * 4


def test_a_segment_of_nothing_has_no_blocks():
    blocks = TrackBlocks(np.zeros(3, np.int64), np.zeros(2, np.int64), StepShape(), most_bytes=100)
    holdings = Holdings([blocks], np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64), {}.get)
    holdings.whole([0, 1])
    assert blocks.held_bytes == 0


def test_tracks_that_are_here_need_no_server():
    holdings = Holdings([None], np.zeros(2, np.int64), np.array([0, 50]), np.array([50, 70]), {}.get)
    holdings.whole([0, 1])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), lengths=st.lists(st.sampled_from([0, 1, 64, 100, 300]), max_size=8))
def test_positions_lead_to_rows_and_others_elsewhere(data, lengths):
    at, places, free = [], {}, 1 << 50
    row = 0
    for length in lengths:
        free += BLOCK * data.draw(st.integers(0, 3))
        gone = data.draw(st.booleans())
        at.append(-1 if gone else free)
        for position in range(length):
            if not gone:
                places[free + position] = row + position
        row += length
        free += BLOCK * -(-length // BLOCK)
    shuffled = data.draw(st.lists(st.integers((1 << 50) - 3, free + 70), max_size=50))
    positions = Positions(np.array(at, np.int64), np.array(lengths, np.int64))
    assert positions.elsewhere == row
    found = positions.rows(np.array(shuffled, np.int64))
    assert found.tolist() == [places.get(position, row) for position in shuffled]
    assert positions.rows(np.array([0, -5])).tolist() == [row, row]
