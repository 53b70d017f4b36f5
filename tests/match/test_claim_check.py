"""What speaks against a claim, on codes of chance in which a loop was planted."""

import numpy as np
import pytest
from codes import bins_at, flipped, query_along, random_codes, reference_of

from stream_match.match.recording.claim_check import ClaimCheck, reads_both_ways
from stream_match.match.recording.scoring import Scorer
from stream_match.match.tracking.arbiter import Arbiter

LOOP, TIMES = 40, 6
HEAD = LOOP * (TIMES // 2) + 20.0


@pytest.fixture(scope="module")
def loop():
    return random_codes(LOOP, 77)


@pytest.fixture(scope="module")
def reference(loop):
    """A track that repeats a loop under something that does not, among others."""
    looped = [flipped(loop, 0.3, number) for number in range(TIMES)]
    return reference_of([np.concatenate(looped), *(random_codes(300, number) for number in range(9))])


def fits_elsewhere(reference, query, head=HEAD):
    best = Scorer(reference).rank(query, bins_at(reference, [head]), bins_at(reference, [], seed=1), set())
    candidate = best[0]
    assert candidate.track == 0
    assert abs((candidate.position - head + LOOP / 2) % LOOP - LOOP / 2) <= 1
    return ClaimCheck(reference, 8.0, Arbiter()).fits_elsewhere(query, candidate)


def test_a_loop_under_something_else_fits_elsewhere(reference, loop):
    alone = reference_of([np.tile(loop, (TIMES, 1))])
    assert fits_elsewhere(reference, query_along(alone, HEAD, positions=30, wrong=0.1))


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
def test_the_track_itself_does_not(reference, wrong):
    assert not fits_elsewhere(reference, query_along(reference, HEAD, positions=30, wrong=wrong))


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_nor_does_a_track_that_repeats_exactly(loop, wrong):
    exact = reference_of([np.tile(loop, (TIMES, 1)), *(random_codes(300, number) for number in range(9))])
    assert not fits_elsewhere(exact, query_along(exact, HEAD, positions=30, wrong=wrong))


def test_a_track_with_no_other_place_does_not():
    short = reference_of([random_codes(9, 5), *(random_codes(300, number) for number in range(9))])
    assert not fits_elsewhere(short, query_along(short, 8.0, positions=9), head=8.0)


@pytest.mark.parametrize(("positions", "both_ways"), [(8, True), (40, False)])
def test_what_changes_slowly_must_be_heard_for_longer(positions, both_ways):
    slow = [random_codes(1, 5)]
    for number in range(299):
        slow.append(flipped(slow[-1], 0.04, number))
    tracks = reference_of([np.concatenate(slow), *(random_codes(300, number) for number in range(30))])
    query = query_along(tracks, 200.0, positions=positions, wrong=0.1)
    best = Scorer(tracks).rank(query, bins_at(tracks, [200.0]), bins_at(tracks, [], seed=1), set())
    candidate = best[0]
    assert (candidate.track, candidate.score > 9) == (0, True)
    assert reads_both_ways(tracks.lines, query, candidate) == both_ways
