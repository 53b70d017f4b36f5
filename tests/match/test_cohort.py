"""How far the tracks of a catalogue resemble each other, on codes of pure chance and of a common stock."""

from dataclasses import replace

import numpy as np
import pytest
from codes import cells_at, flipped, no_cells, query_along, random_codes, reference_of

from stream_match.match.cohort import _stretches, excess
from stream_match.match.scoring import Scorer

STRANGERS = [random_codes(300, number) for number in range(16)]


def medleys(n_tracks, n_phrases=24, phrase_positions=8):
    """Tracks that say the same few phrases in any order, none of them quite like another."""
    phrases = [random_codes(phrase_positions, 500 + number) for number in range(n_phrases)]
    tracks = []
    for number in range(n_tracks):
        order = np.random.default_rng(number).integers(n_phrases, size=300 // phrase_positions)
        tracks.append(flipped(np.concatenate([phrases[phrase] for phrase in order]), 0.1, number))
    return tracks


def test_tracks_that_have_nothing_in_common_are_an_ordinary_catalogue():
    assert excess(reference_of(STRANGERS)) == 0


def test_tracks_that_resemble_each_other_make_scores_too_high():
    assert 0.5 < excess(reference_of(medleys(16))) <= 1.5


def test_of_little_nothing_is_made():
    assert excess(reference_of(medleys(12))) == 0


def test_a_track_is_asked_the_same_in_every_catalogue():
    few, more = reference_of(medleys(16)), reference_of(medleys(18))
    of_few, of_more = ({at for at in _stretches(reference) if at[0] < 16} for reference in (few, more))
    assert of_few == of_more


def test_other_performances_are_related_not_alike():
    played_twice = [copy for codes in STRANGERS for copy in (codes, flipped(codes, 0.3, 7))]
    assert excess(reference_of(played_twice)) == 0


def test_equal_catalogues_give_equal_numbers():
    reference = reference_of(medleys(16))
    assert excess(reference) == excess(reference_of(medleys(16))) == excess(replace(reference, excess=3.0))


def test_copies_of_a_recording_are_no_strangers_that_resemble_it():
    twice = [copy for codes in STRANGERS for copy in (codes, flipped(codes, 0.05, 7))]
    assert excess(reference_of(twice)) == 0


@pytest.mark.parametrize(
    "tracks", [[], [random_codes(0, 1)], [random_codes(9, 1)] * 3, [random_codes(90, 1)]]
)
def test_a_catalogue_of_any_size_is_legal(tracks):
    assert excess(reference_of(tracks)) == 0


def test_silent_tracks_are_legal():
    silent = reference_of([random_codes(120, 1), random_codes(120, 2)], audible=np.zeros(120, bool))
    assert excess(silent) == 0


def test_scores_are_less_by_the_excess():
    reference = reference_of(STRANGERS)
    query = query_along(reference, 1000.0)
    plain, strict = (
        Scorer(replace(reference, excess=by)).rank(query, cells_at(reference, [1000.0]), no_cells(), set())[0]
        for by in (0.0, 1.25)
    )
    assert strict[0].head == plain[0].head
    assert strict[0].score == pytest.approx(plain[0].score - 1.25, abs=1e-4)
