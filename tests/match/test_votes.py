"""Votes against a dict of cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import vote_cells

from stream_match.match.votes import CELL_FRAMES, VoteWindow

HALF_LIFE = 120.0


def random_votes(n, seed, n_tracks, latest):
    """Votes at any time for any place: many offsets are negative."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, latest + 1, n))
    track = rng.integers(0, n_tracks, n)
    # Few places, so that votes meet; tracks stand one after the other.
    position = 150 * track + rng.integers(0, 60, n)
    weight = rng.uniform(0.1, 1, n).astype(np.float32)
    return list(zip(*(a.tolist() for a in (time, position, track, weight, rng.random(n) < 0.4)), strict=True))


def window_of(votes, window_frames=10**12):
    window = VoteWindow(window_frames, HALF_LIFE)
    for by_lsh in (False, True):
        mine = [vote for vote in votes if vote[4] == by_lsh]
        window.add(
            *(np.array([vote[i] for vote in mine], np.int64) for i in range(3)),
            np.array([vote[3] for vote in mine], np.float32),
            by_lsh=by_lsh,
        )
    return window


def as_tuples(cells):
    columns = (cells.track, cells.head_frames, cells.weight, cells.faiss_votes, cells.lsh_votes)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(0, 200),
    seed=st.integers(0, 10_000),
    n_tracks=st.integers(1, 5),
    latest=st.sampled_from([0, 5, 80, 2000, 40_000_000]),
    later=st.integers(0, 100),
    direction=st.sampled_from([1, -1]),
    at_most=st.integers(1, 12),
    per_track=st.integers(1, 4),
)
def test_cells_are_those_of_a_dict(n, seed, n_tracks, latest, later, direction, at_most, per_track):
    votes = random_votes(n, seed, n_tracks, latest)
    now = latest + later
    recent = [vote for vote in votes if vote[0] > now - 3000]
    cells = window_of(recent).cells(now, direction, at_most=at_most, per_track=per_track)
    twin = vote_cells(recent, now, direction, HALF_LIFE, CELL_FRAMES, at_most, per_track)
    assert [(c[0], *c[3:]) for c in as_tuples(cells)] == [(c[0], *c[3:]) for c in twin]
    # float32, of sums in double precision.
    np.testing.assert_allclose(cells.weight, [c[2] for c in twin], rtol=1e-6)
    np.testing.assert_allclose(cells.head_frames, [c[1] for c in twin], atol=1e-3)
    assert len(cells) <= at_most
    assert all(np.count_nonzero(cells.track == track) <= per_track for track in range(n_tracks))


def line_of(n, first, track, direction=1, at=0):
    time = at + np.arange(n)
    return time, first + direction * np.arange(n), np.full(n, track)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("at", [0, 10**6, 10**9])
def test_a_line_is_one_cell_whose_head_sounds_now(direction, at):
    window = VoteWindow(10**12, HALF_LIFE)
    time, position, track = line_of(40, 500, 3, direction, at)
    window.add(time, position, track, np.ones(40, np.float32), by_lsh=False)
    cells = window.cells(at + 39, direction, at_most=9, per_track=9)
    assert (cells.track, cells.faiss_votes, cells.lsh_votes) == ([3], [40], [0])
    assert cells.head_frames == pytest.approx([500 + direction * 39], abs=1e-3)
    # The other way round the same votes lie in a cell each.
    other = window.cells(at + 39, -direction, at_most=99, per_track=99)
    assert other.weight.max() < cells.weight[0] / 3


def test_a_vote_fades_to_half():
    window = VoteWindow(10**12, HALF_LIFE)
    one = np.ones(1, np.int64)
    window.add(0 * one, 8 * one, 0 * one, np.ones(1, np.float32), by_lsh=True)
    for halves in range(4):
        cells = window.cells(round(halves * HALF_LIFE), 1, at_most=1, per_track=1)
        assert cells.weight[0] == pytest.approx(0.5**halves)
        assert (cells.faiss_votes[0], cells.lsh_votes[0]) == (0, 1)


def test_of_equal_neighbours_one_speaks():
    window = VoteWindow(10**12, HALF_LIFE)
    now = np.zeros(2, np.int64)
    window.add(now, np.array([3, 4]), now, np.ones(2, np.float32), by_lsh=False)
    cells = window.cells(0, 1, at_most=9, per_track=9)
    assert as_tuples(cells) == [(0, 3.5, 2.0, 2, 0)]


def test_neighbours_are_not_sought_across_tracks():
    window = VoteWindow(10**12, HALF_LIFE)
    window.add(np.zeros(2, np.int64), np.array([3, 4]), np.array([0, 1]), np.ones(2, np.float32), by_lsh=True)
    cells = window.cells(0, 1, at_most=9, per_track=9)
    assert sorted(as_tuples(cells)) == [(0, 3.0, 1.0, 0, 1), (1, 4.0, 1.0, 0, 1)]


def test_the_head_of_a_large_catalogue_is_right_to_a_frame():
    """1,300 hours of references have 100 million frames."""
    window = VoteWindow(10**12, HALF_LIFE)
    time, position, track = line_of(20, 100_000_001, 7)
    window.add(time, position, track, np.ones(20, np.float32), by_lsh=False)
    head = window.cells(19, 1, at_most=1, per_track=1).head_frames[0]
    assert abs(int(head) - position[-1]) <= 1


def test_nothing_has_no_cells():
    cells = VoteWindow(10, HALF_LIFE).cells(5, 1, at_most=9, per_track=9)
    assert len(cells) == 0
    assert [a.dtype for a in (cells.track, cells.faiss_votes, cells.lsh_votes)] == [np.int64] * 3
    assert (cells.head_frames.dtype, cells.weight.dtype) == (np.float64, np.float32)


def test_what_is_too_old_is_forgotten_and_the_memory_bounded():
    window, most = VoteWindow(50, HALF_LIFE), 0
    for now in range(0, 2000, 8):
        time = np.repeat(np.arange(now - 7, now + 1), 10)
        window.add(time, time, 0 * time, np.ones(len(time), np.float32), by_lsh=now % 16 == 0)
        window.forget(now)
        assert (window._time > now - 50).all()
        columns = (window._time, window._position, window._track, window._weight, window._by_lsh)
        assert len({len(column) for column in columns}) == 1
        most = max(most, len(window._time))
    assert most == 500
    window.reset()
    assert len(window.cells(2000, 1, at_most=9, per_track=9)) == 0
