"""A candidate among the repeats of its place."""

import numpy as np
import pytest

from stream_match.match.recording.background_scores import BackgroundScores
from stream_match.match.recording.recording_match import Candidate


def candidate(position, same):
    none = np.empty(0, np.float32)
    return Candidate(
        track=3,
        position=position,
        speed=1.0,
        shift=0,
        window_positions=12,
        correlation=0.9,
        score=20.0,
        faiss_votes=5,
        lsh_votes=2,
        same=same,
        background=BackgroundScores(np.empty(0, np.int64), none, none),
    )


def test_moved_to_a_repeat_it_has_the_place_it_came_from_as_one():
    moved = candidate(10.0, ((3, 50.5), (3, 90.0), (7, 50.5))).moved_to(50.0)
    assert moved.position == 50.0
    assert moved.same == ((3, 10.0), (3, 90.0), (7, 50.5))


def test_moved_back_it_has_what_it_had():
    first = candidate(10.0, ((3, 50.0), (7, 50.0)))
    assert first.moved_to(50.0).moved_to(10.0) == first


@pytest.mark.parametrize("position", [11.5, 52.0, 200.0])
def test_moved_to_no_repeat_it_has_the_same_ones(position):
    """Where it stood before did not hold the same sound: else it would be among them."""
    same = ((3, 50.0), (7, 50.0))
    assert candidate(10.0, same).moved_to(position).same == same
