"""How far the tracks of a catalogue resemble each other, on codes of pure chance and of a common stock."""

from dataclasses import replace

import numpy as np
import pytest
from codes import flipped, random_codes, reference_of

from stream_match.catalog import self_similarity
from stream_match.catalog.self_similarity import bias_of, self_scores
from stream_match.index.lines import as_words
from stream_match.match.recording.query import Query
from stream_match.match.recording.scoring import Scorer
from stream_match.match.recording.votes import OffsetBins

STRANGERS = [random_codes(300, number) for number in range(16)]


def medleys(n_tracks, n_phrases=24, phrase_positions=8):
    """Tracks that say the same few phrases in any order, none of them quite like another."""
    phrases = [random_codes(phrase_positions, 500 + number) for number in range(n_phrases)]
    tracks = []
    for number in range(n_tracks):
        order = np.random.default_rng(number).integers(n_phrases, size=300 // phrase_positions)
        tracks.append(flipped(np.concatenate([phrases[phrase] for phrase in order]), 0.1, number))
    return tracks


def score_bias(catalogue):
    return bias_of(self_scores(catalogue))


def test_tracks_that_have_nothing_in_common_are_an_ordinary_catalogue():
    assert score_bias(reference_of(STRANGERS)) == 0


def test_tracks_that_resemble_each_other_make_scores_too_high():
    assert 0.5 < score_bias(reference_of(medleys(16))) <= 1.5


def test_of_little_nothing_is_made():
    assert score_bias(reference_of(medleys(12))) == 0


@pytest.fixture
def counted(monkeypatch):
    """What is asked, a track and a position for each stretch; the answers are made up."""
    stretches = []

    def highest_score(self, track, first):
        stretches.append((track, first))
        return 3 + 2 * np.random.default_rng([track, first]).random()

    monkeypatch.setattr(self_similarity._SelfScorer, "highest_score", highest_score)
    return stretches


def test_a_track_is_asked_the_same_in_every_catalogue(counted):
    self_scores(reference_of(medleys(16)))
    few = set(counted)
    counted.clear()
    self_scores(reference_of(medleys(18)))
    assert {at for at in counted if at[0] < 16} == few


def test_what_is_known_is_not_asked_again(counted):
    catalogue = reference_of(medleys(16))
    scores = self_scores(catalogue)
    assert len(counted) == sum(map(len, scores.values()))
    counted.clear()
    assert self_scores(catalogue, scores) == scores
    assert counted == []


def test_only_what_is_new_is_asked(counted):
    scores = self_scores(reference_of(medleys(16)))
    counted.clear()
    grown = self_scores(reference_of(medleys(18)), scores)
    assert {track for track, _ in counted} == {16, 17}
    assert {name: grown[name] for name in scores} == scores


def test_what_has_changed_is_left_out_by_who_knows_it(counted):
    catalogue = reference_of(medleys(16))
    scores = self_scores(catalogue)
    counted.clear()
    without = {name: found for name, found in scores.items() if name != "track3"}
    assert self_scores(catalogue, without) == scores
    assert {track for track, _ in counted} == {3}


def test_of_a_track_that_has_more_to_say_only_that_is_asked(counted):
    catalogue = reference_of(medleys(16))
    scores = self_scores(catalogue)
    assert all(len(found) == 3 for found in scores.values())
    counted.clear()
    assert self_scores(catalogue, {name: found[:1] for name, found in scores.items()}) == scores
    assert len(counted) == 2 * 16


def test_what_was_removed_has_no_say(counted):
    few = reference_of(medleys(16))
    assert self_scores(few, {**self_scores(few), "gone": (9.0, 9.0, 9.0)}) == self_scores(few)


def test_a_large_catalogue_is_asked_about_the_same_number_of_tracks(counted):
    catalogue = reference_of([random_codes(90, number) for number in range(200)])
    scores = self_scores(catalogue)
    assert len(scores) == len(counted) == 128
    counted.clear()
    more = reference_of([random_codes(90, number) for number in range(210)])
    self_scores(more, scores)
    assert 0 < len(counted) <= 10


def test_the_upper_quartile_above_what_is_ordinary_is_the_bias():
    assert bias_of({"a": (4.4, 5.4), "b": (4.9,)}) == pytest.approx(0.45)
    assert bias_of({"a": (3.0,), "b": (1.0,)}) == 0
    assert bias_of({"a": (7.0,)}) == 1.5
    assert bias_of({}) == 0


def test_other_performances_are_related_not_alike():
    played_twice = [copy for codes in STRANGERS for copy in (codes, flipped(codes, 0.3, 7))]
    assert score_bias(reference_of(played_twice)) == 0


def test_equal_catalogues_give_equal_numbers():
    reference = reference_of(medleys(16))
    assert (
        score_bias(reference)
        == score_bias(reference_of(medleys(16)))
        == score_bias(replace(reference, score_bias=3.0))
    )


def test_copies_of_a_recording_are_no_strangers_that_resemble_it():
    twice = [copy for codes in STRANGERS for copy in (codes, flipped(codes, 0.05, 7))]
    assert score_bias(reference_of(twice)) == 0


@pytest.mark.parametrize(
    "tracks", [[], [random_codes(0, 1)], [random_codes(9, 1)] * 3, [random_codes(90, 1)]]
)
def test_a_catalogue_of_any_size_is_legal(tracks):
    assert score_bias(reference_of(tracks)) == 0


def test_silent_tracks_are_legal():
    silent = reference_of([random_codes(120, 1), random_codes(120, 2)], audible=np.zeros(120, bool))
    assert score_bias(silent) == 0


def test_scores_are_less_by_the_bias():
    catalogue = reference_of(STRANGERS)
    stride = catalogue.settings.listening().code_stride_frames
    read = np.rint(200 - np.arange(60 * stride) / stride).astype(np.int64)
    words = as_words(flipped(STRANGERS[3][read], 0.2, 0))[np.newaxis]
    query = Query(words, np.ones(len(read), bool), 1000.0, stride)
    heads, ones = np.linspace(50, 250, 16), np.ones(16, np.int64)
    heads[3] = 200
    bins = OffsetBins(np.arange(16), 0 * ones, heads * stride, ones.astype(np.float32), ones, ones)
    none = bins[np.empty(0, np.int64)]
    plain, strict = (
        Scorer(replace(catalogue, score_bias=by)).rank(query, bins, none, set()) for by in (0.0, 1.25)
    )
    assert (strict[0].track, strict[0].position) == (plain[0].track, plain[0].position)
    assert plain[0].track == 3
    assert strict[0].score == pytest.approx(plain[0].score - 1.25, abs=1e-4)
