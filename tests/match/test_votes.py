"""Votes against a dict of bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import vote_bins

from stream_match.index.tracks import GONE
from stream_match.match.recording.votes import BIN_FRAMES, VoteWindow

HALF_LIFE = 120.0


def random_votes(n, seed, n_tracks, latest, n_shifts=1):
    """Votes at any time for any place: many offsets are negative."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, latest + 1, n))
    track = rng.integers(0, n_tracks, n)
    # Few places, so that votes meet; tracks stand one after the other.
    position = 150 * track + rng.integers(0, 120, n)
    shift = rng.integers(0, n_shifts, n)
    weight = rng.uniform(0.1, 1, n).astype(np.float32)
    columns = (time, position, track, shift, weight, rng.random(n) < 0.4)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def window_of(votes, window_frames=10**12, portions=1, direction=1):
    window = VoteWindow(window_frames, HALF_LIFE, direction=direction)
    for portion in range(portions):
        mine = votes[portion::portions]
        window.add(
            *(np.array([vote[i] for vote in mine], np.int64) for i in range(4)),
            np.array([vote[4] for vote in mine], np.float32),
            np.array([vote[5] for vote in mine], np.bool_),
        )
    return window


def as_tuples(bins):
    columns = (bins.shift, bins.track, bins.head_frames, bins.weight, bins.faiss_votes, bins.lsh_votes)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 200),
    seed=st.integers(0, 10_000),
    n_tracks=st.integers(1, 5),
    latest=st.sampled_from([0, 5, 80, 2000, 40_000_000]),
    later=st.integers(0, 100),
    direction=st.sampled_from([1, -1]),
    at_most=st.lists(st.integers(1, 12), min_size=1, max_size=16),
    per_track=st.integers(1, 4),
    portions=st.integers(1, 4),
    groups=st.none() | st.lists(st.integers(0, 2), min_size=5, max_size=5),
)
def test_cells_are_those_of_a_dict(
    n, seed, n_tracks, latest, later, direction, at_most, per_track, portions, groups
):
    votes = random_votes(n, seed, n_tracks, latest, len(at_most))
    now = latest + later
    recent = [vote for vote in votes if vote[0] > now - 3000]
    window, of_groups = window_of(recent, portions=portions, direction=direction), groups and np.array(groups)
    bins = window.bins(now, at_most=at_most, per_track=per_track, groups=of_groups)
    twin = vote_bins(recent, now, direction, HALF_LIFE, BIN_FRAMES, at_most, per_track, groups)
    assert [c[:2] for c in as_tuples(bins)] == [c[:2] for c in twin]
    # float32, of sums in double precision.
    np.testing.assert_allclose(bins.weight, [c[3] for c in twin], rtol=1e-6)
    np.testing.assert_allclose(bins.head_frames, [c[2] for c in twin], atol=1e-3)
    # Whole numbers of what fades.
    np.testing.assert_allclose(bins.faiss_votes, [c[4] for c in twin], atol=0.5001)
    np.testing.assert_allclose(bins.lsh_votes, [c[5] for c in twin], atol=0.5001)
    for shift, most in enumerate(at_most):
        tracks = bins.track[bins.shift == shift]
        assert len(tracks) <= most
        assert all(np.count_nonzero(tracks == track) <= per_track for track in range(n_tracks))


def add(window, time, position, track, shift=0, weight=1.0, *, by_lsh=False):
    """Votes of one weight; numbers stand for as many equal ones as there are times."""
    time, position, track, shift = (
        column.astype(np.int64) for column in np.broadcast_arrays(time, position, track, shift)
    )
    weight, by_lsh = np.full(len(time), weight, np.float32), np.full(len(time), by_lsh)
    window.add(time, position, track, shift, weight, by_lsh)


def line_of(n, first, direction=1, at=0):
    return at + np.arange(n), first + direction * np.arange(n)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("at", [0, 10**6, 10**9])
@pytest.mark.parametrize("shift", [0, 8, 15])
def test_a_line_is_one_cell_whose_head_sounds_now(direction, at, shift):
    same, other = (VoteWindow(10**12, HALF_LIFE, direction=way) for way in (direction, -direction))
    for window in (same, other):
        add(window, *line_of(80, 500, direction, at), 3, shift)
    bins = same.bins(at + 79, at_most=[9] * 16, per_track=9)
    votes = round(sum(0.5 ** (age / HALF_LIFE) for age in range(80)))
    assert (bins.shift, bins.track, bins.faiss_votes, bins.lsh_votes) == ([shift], [3], [votes], [0])
    assert bins.head_frames == pytest.approx([500 + direction * 79], abs=1e-3)
    # The other way round the same votes lie in many bins.
    scattered = other.bins(at + 79, at_most=[99] * 16, per_track=99)
    assert scattered.weight.max() < bins.weight[0] / 3


def test_a_vote_fades_to_half():
    window = VoteWindow(10**12, HALF_LIFE)
    add(window, [0] * 8, [8] * 8, 0, by_lsh=True)
    for halves in range(4):
        bins = window.bins(round(halves * HALF_LIFE), at_most=[1], per_track=1)
        assert bins.weight[0] == pytest.approx(8 * 0.5**halves)
        assert (bins.faiss_votes[0], bins.lsh_votes[0]) == (0, 8 // 2**halves)


def test_of_equal_neighbours_one_speaks():
    window = VoteWindow(10**12, HALF_LIFE)
    add(window, [0, 0], [BIN_FRAMES - 1, BIN_FRAMES], 0)
    bins = window.bins(0, at_most=[9], per_track=9)
    assert as_tuples(bins) == [(0, 0, BIN_FRAMES - 0.5, 2.0, 2, 0)]


def test_neighbours_are_not_sought_across_tracks_nor_shifts():
    window = VoteWindow(10**12, HALF_LIFE)
    add(
        window,
        [0] * 3,
        BIN_FRAMES - np.array([1, 0, 0]),
        np.array([0, 1, 0]),
        np.array([0, 0, 1]),
        by_lsh=True,
    )
    bins = window.bins(0, at_most=[9, 9], per_track=9)
    last = float(BIN_FRAMES - 1)
    assert as_tuples(bins) == [
        (0, 0, last, 1.0, 0, 1),
        (0, 1, last + 1, 1.0, 0, 1),
        (1, 0, last + 1, 1.0, 0, 1),
    ]


def test_every_shift_has_its_own_places_however_light():
    """Votes for one shift may be a hundred times as dense as those for another."""
    window = VoteWindow(10**12, HALF_LIFE)
    for track in range(20):
        add(window, [0] * 50, 1000 * track, track)
    for shift in (1, 2):
        for track in range(20):
            add(window, [0], 1000 * track, track, shift, 0.01 * (1 + track))
    bins = window.bins(0, at_most=[4, 3, 0, 2], per_track=1)
    assert bins.shift.tolist() == [0] * 4 + [1] * 3
    assert bins.track[4:].tolist() == [19, 18, 17]
    # What no place was asked for is not told.
    assert set(window.bins(0, at_most=[40], per_track=9).shift.tolist()) == {0}


def test_a_track_has_its_quota_at_each_shift():
    window = VoteWindow(10**12, HALF_LIFE)
    for shift in (0, 1):
        for place in range(5):
            add(window, [0] * (9 - place), 100 * place, 0, shift)
        add(window, [0], 7000, 1, shift)
    bins = window.bins(0, at_most=[9, 9], per_track=2)
    assert list(zip(bins.shift, bins.track, bins.faiss_votes, strict=True)) == [
        (0, 0, 9), (0, 0, 8), (0, 1, 1), (1, 0, 9), (1, 0, 8), (1, 1, 1)
    ]  # fmt: skip


def test_of_very_many_places_the_heaviest_are_found():
    rng = np.random.default_rng(1)
    window = VoteWindow(10**12, HALF_LIFE)
    place, track = 100 * rng.permutation(5000), rng.integers(0, 50, 5000)
    weight = rng.permutation(np.arange(1, 5001)).astype(np.float32)
    zero = np.zeros(5000, np.int64)
    window.add(zero, place, track, zero, weight, np.zeros(5000, np.bool_))
    bins = window.bins(0, at_most=[10], per_track=10)
    assert bins.weight.tolist() == [5000.0 - number for number in range(10)]


def test_the_head_of_a_large_catalogue_is_right_to_a_frame():
    """1,300 hours of references have 100 million frames."""
    window = VoteWindow(10**12, HALF_LIFE)
    time, position = line_of(20, 100_000_001)
    add(window, time, position, 7)
    head = window.bins(19, at_most=[1], per_track=1).head_frames[0]
    assert abs(int(head) - position[-1]) <= 1


def test_nothing_has_no_cells():
    bins = VoteWindow(10, HALF_LIFE).bins(5, at_most=[9, 3], per_track=9)
    assert len(bins) == 0
    assert [a.dtype for a in (bins.track, bins.shift, bins.faiss_votes, bins.lsh_votes)] == [np.int64] * 4
    assert (bins.head_frames.dtype, bins.weight.dtype) == (np.float64, np.float32)


@pytest.mark.parametrize("direction", [1, -1])
def test_cells_that_got_no_vote_for_long_are_forgotten_and_the_memory_is_bounded(direction):
    window, most = VoteWindow(50, HALF_LIFE, direction=direction), 0
    for now in range(0, 2000, 8):
        time = np.repeat(np.arange(now - 7, now + 1), 10)
        add(window, time, 3 * time, 0, by_lsh=now % 16 == 0)
        window.forget(now)
        gathered = window._gathered
        assert (gathered.latest > now - 50).all()
        assert (np.diff(gathered.key) > 0).all()
        assert gathered.sums.shape == (len(gathered.key), 4)
        assert len(gathered.latest) == len(gathered.key)
        most = max(most, len(gathered.key))
    assert 0 < most <= 50
    window.reset()
    assert len(window.bins(2000, at_most=[9], per_track=9)) == 0
    assert len(window._gathered.key) == 0


def test_cells_that_have_faded_are_forgotten():
    window = VoteWindow(10**12, HALF_LIFE, least_weight=0.3)
    add(window, [0], [800], 0, weight=0.5)
    add(window, [0], [0], 0, weight=0.9)
    heads = []
    for now in (0, 80, 100, 180, 200):
        window.forget(now)
        heads.append(sorted(window.bins(now, at_most=[9], per_track=9).head_frames - now))
    assert heads == [[0, 800], [0, 800], [0], [0], []]


def test_nothing_adds_nothing():
    window = VoteWindow(50, HALF_LIFE)
    add(window, [], [], 0)
    assert len(window.bins(0, at_most=[9], per_track=9)) == 0


def test_votes_go_on_under_other_numbers_of_tracks():
    window = VoteWindow(10**12, HALF_LIFE)
    for track in range(3):
        for shift in (0, 1):
            add(window, [0] * (9 - track), 100 * track - 500, track, shift)
    window.renumber(np.array([2, GONE, 0]))
    bins = window.bins(0, at_most=[9, 9], per_track=9)
    assert list(zip(bins.shift, bins.track, bins.head_frames, bins.faiss_votes, strict=True)) == [
        (0, 2, -500, 9), (0, 0, -300, 7), (1, 2, -500, 9), (1, 0, -300, 7)
    ]  # fmt: skip
    # And they go on being gathered.
    add(window, [0] * 5, -300, 0)
    assert window.bins(0, at_most=[1], per_track=9).faiss_votes.tolist() == [12]
