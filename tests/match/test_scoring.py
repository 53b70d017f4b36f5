"""Verification and scores, on codes of pure chance in which something was planted."""

from dataclasses import replace

import numpy as np
import pytest
from codes import bins_at, counted, flipped, no_bins, query_along, random_codes, reference_of, starts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.index.spans import Spans
from stream_match.match import tuning
from stream_match.match.recording.claim_check import reads_both_ways
from stream_match.match.recording.query import Query, shifts_semitones
from stream_match.match.recording.scoring import Scorer, shift_loss

LENGTH = 300


@pytest.fixture(scope="module")
def reference():
    return reference_of([random_codes(LENGTH, number) for number in range(8)])


def ranked(reference, query, heads, settled=frozenset()):
    """Candidates, with bins at some heads among random ones, and random decoys."""
    forward, backward = bins_at(reference, heads), bins_at(reference, [], seed=1)
    return Scorer(reference).rank(query, forward, backward, set(settled))


@settings(max_examples=25, deadline=None)
@given(
    track=st.integers(0, 7),
    place=st.integers(90, LENGTH - 1),
    speed=st.sampled_from([1.0, 0.974, 1.026, 0.96, 1.04]),
    positions=st.sampled_from([20, 40, 80]),
    seed=st.integers(0, 100),
)
def test_what_was_planted_is_found(reference, track, place, speed, positions, seed):
    head = track * LENGTH + place
    query = query_along(reference, head, positions=positions, speed=speed, seed=seed)
    best = ranked(reference, query, [head])[0]
    assert best.track == track
    assert counted(reference, best.track, best.position) == pytest.approx(head, abs=1)
    # Two speeds are told apart by where they lead: within a position, and an offset or two between the heads
    # that are tried, over the length that counts.
    assert abs(best.speed - speed) * best.window_positions <= 1.25
    assert 0.4 < best.correlation <= 1
    assert not reads_both_ways(reference.lines, query, best)


def test_what_was_planted_stands_out_and_chance_does_not(reference):
    planted = ranked(reference, query_along(reference, 1000.0), [1000.0])
    assert planted[0].score > 3 * max(candidate.score for candidate in planted[1:])
    stranger = reference_of([random_codes(LENGTH, 99)])
    chance = ranked(reference, query_along(stranger, 200.0), [1000.0])
    assert max(candidate.score for candidate in chance) < planted[0].score / 3


def test_candidates_come_best_first_and_background_scores_have_a_row_per_window(reference):
    query = query_along(reference, 700.0, positions=100)
    candidates = ranked(reference, query, [700.0])
    assert sorted((c.score for c in candidates), reverse=True) == [c.score for c in candidates]
    background = candidates[0].background
    assert background.windows.tolist() == query.windows().tolist()
    assert background.mean.shape == background.deviation.shape == background.windows.shape
    assert background.mean.dtype == background.deviation.dtype == np.float32
    assert (background.deviation > 0).all()


@pytest.mark.parametrize("shift", [0, 1, 4, 8])
def test_what_was_planted_at_a_shift_is_found_at_it_and_at_no_other(reference, shift):
    query = query_along(reference, 1000.0, shift=shift, n_shifts=len(shifts_semitones()))
    backward = bins_at(reference, [], seed=1)
    for proposed in range(len(shifts_semitones())):
        candidates = Scorer(reference).rank(
            query, bins_at(reference, [1000.0], shift=proposed), backward, set()
        )
        best = candidates[0]
        assert {candidate.shift for candidate in candidates} == {proposed}
        assert (best.track == 3 and best.correlation > 0.4) == (proposed == shift)
        assert (best.line.shift.tolist(), best.line.track.tolist()) == ([proposed], [best.track])


def test_a_line_loses_more_the_farther_its_shift_is():
    lost = dict(zip(shifts_semitones(), shift_loss().tolist(), strict=True))
    assert (lost[0.0], lost[0.5], lost[1.0], lost[2.0]) == (0.0, 1.5, 1.5, 3.0)
    assert all(lost[semitones] == lost[-semitones] for semitones in lost)


def test_what_is_settled_gives_no_background_scores(reference):
    query = query_along(reference, 1000.0)
    free, settled = (ranked(reference, query, [1000.0], settled=known) for known in ((), {3}))
    assert settled[0].track == 3
    backgrounds = {(one.track, one.position): one.background.mean for one in free if one.track != 3}
    others = [one for one in settled if (one.track, one.position) in backgrounds]
    assert len(others) > 2
    for one in others:
        assert (one.background.mean < backgrounds[one.track, one.position]).all()


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_a_recording_under_two_names_does_not_suppress_itself(wrong):
    tracks = [random_codes(LENGTH, number) for number in range(8)]
    alone = reference_of(tracks)
    twins = reference_of([*tracks, flipped(tracks[3], wrong, 1)])
    query = query_along(alone, 1000.0)
    one = ranked(alone, query, [1000.0])[0]
    both = ranked(twins, query, [1000.0, 8 * LENGTH + 100.0])
    assert {candidate.track for candidate in both[:2]} == {3, 8}
    for candidate in both[:2]:
        other = {3: 8, 8: 3}[candidate.track]
        assert [track for track, _ in candidate.same] == [other]
        assert candidate.same[0][1] == pytest.approx(100, abs=1)
        assert candidate.score > 0.8 * one.score


def test_an_exact_repeat_in_a_track_is_listed():
    verse = random_codes(100, 1)
    song = np.concatenate([verse, random_codes(50, 2), verse, random_codes(50, 3)])
    reference = reference_of([random_codes(LENGTH, 4), song, random_codes(LENGTH, 5)])
    heads = [LENGTH + 90.0, LENGTH + 240.0]
    candidates = ranked(reference, query_along(reference, heads[0]), heads)
    for candidate in candidates[:2]:
        assert candidate.track == 1
        assert [track for track, _ in candidate.same] == [1]
        assert sorted([candidate.position, candidate.same[0][1]]) == pytest.approx([90, 240], abs=1)


@pytest.mark.parametrize("apart", [1.25, 1.5, 2.0])
def test_a_place_is_not_its_own_repeat(reference, apart):
    """Two bins may lead to one line."""
    candidates = ranked(reference, query_along(reference, 1000.0), [1000.0, 1000.0 + apart])
    assert counted(reference, candidates[0].track, candidates[0].position) == pytest.approx(1000, abs=1)
    assert candidates[0].same == ()


def test_a_steady_sound_reads_both_ways():
    tracks = [random_codes(LENGTH, number) for number in range(5)]
    steady = reference_of([*tracks, np.repeat(random_codes(1, 9), LENGTH, axis=0)])
    head = 5 * LENGTH + 200.0
    query = query_along(steady, head)
    best = ranked(steady, query, [head])[0]
    assert best.track == 5
    assert best.correlation > 0.4
    assert reads_both_ways(steady.lines, query, best)


@pytest.mark.parametrize("positions", [1, 2, 30, 200])
def test_no_cells_give_no_candidates(reference, positions):
    query = query_along(reference, 1000.0, positions=positions)
    assert Scorer(reference).rank(query, no_bins(), no_bins(), set()) == []


@pytest.mark.parametrize("frames", [8, 9, 15])
def test_a_query_of_one_position_is_legal(reference, frames):
    whole = query_along(reference, 1000.0)
    query = Query(whole.words[:, :frames], whole.audible[:frames], whole.now, whole.stride)
    candidates = ranked(reference, query, [1000.0])
    assert all(np.isfinite(candidate.score) for candidate in candidates)
    assert all(np.isfinite(candidate.background.mean).all() for candidate in candidates)


def test_a_silent_query_agrees_with_nothing(reference):
    query = query_along(reference, 1000.0)
    silent = Query(query.words, np.zeros_like(query.audible), query.now, query.stride)
    candidates = ranked(reference, silent, [1000.0])
    assert all(candidate.correlation == 0 for candidate in candidates)


@given(st.integers(8, 120), st.integers(0, 120), st.integers(0, 120))
def test_a_query_that_falls_silent_is_silent_or_has_a_window(reference, frames, begin, end):
    whole = query_along(reference, 1000.0)
    audible = np.zeros(frames, bool)
    audible[begin:end] = True
    query = Query(whole.words[:, :frames], audible, whole.now, whole.stride)
    assert len(query.windows()) > 0
    candidates = ranked(reference, query, [1000.0])
    assert query.silent or len(candidates) > 0
    assert all(np.isfinite(candidate.background.mean).all() for candidate in candidates)


@pytest.mark.parametrize(
    "tracks", [[], [random_codes(LENGTH, 1)], [random_codes(3, 1)], [random_codes(0, 1)] * 2]
)
def test_a_catalogue_of_any_size_is_legal(tracks):
    catalogue, query = reference_of(tracks), query_along(reference_of([random_codes(LENGTH, 2)]), 100.0)
    bins = bins_at(catalogue, [1.0]) if starts_of(catalogue)[-1] else no_bins()
    candidates = Scorer(catalogue).rank(query, bins, no_bins(), set())
    assert all(np.isfinite(candidate.score) for candidate in candidates)
    assert all((candidate.background.deviation > 0).all() for candidate in candidates)


def test_windows_and_stretches_of_a_query():
    query = query_along(reference_of([random_codes(400, 1)]), 390.0, positions=30)
    assert query.positions == 30
    windows = query.windows()
    assert windows.dtype == np.int64
    assert windows.tolist() == sorted(set(windows.tolist()))
    assert windows[-1] == 30
    short = query.newest(7)
    assert short.positions == 7
    assert short.words.shape[:2] == (1, 7 * query.stride)
    assert (short.words == query.words[:, : 7 * query.stride]).all()
    assert query.newest(999).positions == 30
    whole = query_along(
        reference_of([random_codes(400, 1)]), 390.0, positions=Spans().positions(tuning.LONGEST_WINDOW_S)
    )
    assert whole.windows().tolist() == [6, 12, 24, 48, 80]


def test_copies_are_one_group():
    """Forty places that agree alike, for they hold one recording, make nothing else surer."""
    jingle, other = random_codes(60, 1), random_codes(60, 2)
    reference = reference_of([*[jingle] * 40, other])
    grouped = reference_of([*[jingle] * 40, other], groups=np.array([0] * 40 + [40]))
    query = query_along(reference, 40 * 60 + 50.0, positions=40, wrong=0.42)
    heads = [number * 60 + 45.0 for number in range(40)] + [40 * 60 + 50.0]

    def score(known):
        bins = bins_at(reference, heads, n_random=0), bins_at(reference, heads[:-1], seed=1, n_random=0)
        candidates = Scorer(known).rank(query, *bins, set())
        return next(one.score for one in candidates if one.track == 40)

    assert score(grouped) < 0.6 * score(reference)


def test_the_other_copies_give_no_background_scores():
    song = random_codes(200, 1)
    tracks = [song, song, *(random_codes(200, seed) for seed in range(2, 26))]
    reference, grouped = reference_of(tracks), reference_of(tracks, groups=np.array([0, 0, *range(2, 26)]))
    query = query_along(reference, 150.0, positions=40, wrong=0.3)
    bins = (
        bins_at(reference, [150.0, 350.0, 40.0, 240.0, *(1000.0 + 200 * n for n in range(8))]),
        no_bins(),
    )
    candidates = Scorer(grouped).rank(query, *bins, set())
    best = candidates[0]
    assert best.track in (0, 1)
    assert len(best.same) == 1


@pytest.mark.parametrize(("wrong", "doubted"), [(0.1, False), (0.3, True)])
def test_where_tracks_are_alike_poor_agreement_is_doubted(reference, wrong, doubted):
    """Over 4.5 s; with 0.1 of the bits wrong, 0.8 agree more than chance gives, with 0.3 0.4."""
    alike = replace(reference, score_bias=1e-6)
    query = query_along(reference, 1000.0, positions=24, wrong=wrong)
    ordinary, best = (ranked(catalogue, query, [1000.0])[0] for catalogue in (reference, alike))
    assert ordinary.correlation == best.correlation
    assert best.score == pytest.approx((0.75 if doubted else 1.0) * ordinary.score, abs=1e-4)


def test_over_nine_seconds_nothing_is_doubted(reference):
    alike = replace(reference, score_bias=1e-6)
    query = query_along(reference, 1000.0, positions=60, wrong=0.3)
    ordinary, best = (ranked(catalogue, query, [1000.0])[0] for catalogue in (reference, alike))
    assert best.window_positions >= 48
    assert best.score == pytest.approx(ordinary.score, abs=1e-4)


@pytest.mark.parametrize(("bias", "doubted"), [(0.7, False), (0.9, True)])
def test_what_the_size_of_a_catalogue_explains_is_no_reason_to_doubt(monkeypatch, reference, bias, doubted):
    hours = float(reference.tracks.length.sum()) * reference.settings.code_s / 3600
    monkeypatch.setattr(tuning, "ORDINARY_H", hours / 10)
    query = query_along(reference, 1000.0, positions=24, wrong=0.3)
    one, other = (
        ranked(catalogue, query, [1000.0])[0].score
        for catalogue in (reference, replace(reference, score_bias=bias))
    )
    assert other == pytest.approx((0.75 if doubted else 1.0) * (one - bias), abs=1e-4)


def test_doubt_raises_no_score(reference):
    alike = replace(reference, score_bias=1e-6)
    stranger = reference_of([random_codes(LENGTH, 99)])
    query = query_along(stranger, 200.0, positions=24)
    scores, doubted = (
        [candidate.score for candidate in ranked(catalogue, query, [1000.0])]
        for catalogue in (reference, alike)
    )
    assert max(doubted) <= max(scores)


def test_a_catalogue_is_asked_about_itself_without_doubt(reference):
    alike = replace(reference, score_bias=1e-6)
    query = query_along(reference, 1000.0, positions=24, wrong=0.3)
    bins = bins_at(reference, [1000.0]), bins_at(reference, [], seed=1)
    one, other = (
        scorer.rank(query, *bins, set())[0] for scorer in (Scorer(reference), Scorer(alike, doubting=False))
    )
    assert other.score == pytest.approx(one.score, abs=1e-4)
