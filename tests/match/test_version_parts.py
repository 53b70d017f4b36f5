"""The parts of the version lane against slow, obvious twins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import coarse_steps, shingle_similarity, warped
from stream_match.match.versions.proposals import Lines, Proposals
from version_samples import PIECES, REFERENCE, SETTINGS, catalogue, performance

from stream_match.features.coarse_chroma import CoarseChroma, coarse_chroma, decoded
from stream_match.index.shingles import LONGEST_QUERY, STEPS, STRIDE, TEMPI, Shingles
from stream_match.match.versions.alignment import BAND, Aligner, _warp, slope

ONE_TEMPO = int(np.argmin(np.abs(TEMPI - 1)))


def newest_first(chroma, n=108):
    steps = CoarseChroma(SETTINGS).feed(chroma)[::-1][:n]
    return np.concatenate([steps, np.zeros((n - len(steps), 12), np.float32)])


def test_coarse_chroma_is_a_smoothed_and_thinned_one():
    chroma = performance(1, 7)
    expected = coarse_steps(chroma, SETTINGS.version_hop_frames)
    np.testing.assert_allclose(CoarseChroma(SETTINGS).feed(chroma), expected, atol=1e-6)
    np.testing.assert_allclose(decoded(coarse_chroma([chroma], SETTINGS)), expected, atol=0.51 / 255)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 150), max_size=8))
def test_cuts_do_not_matter_to_coarse_chroma(cuts):
    chroma = performance(2, 7)
    whole = CoarseChroma(SETTINGS).feed(chroma)
    coarse = CoarseChroma(SETTINGS)
    parts = [coarse.feed(part) for part in np.split(chroma, sorted(cuts))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("n_frames", [0, 1, 15, 16, 24])
def test_short_tracks_have_few_steps_or_none(n_frames):
    assert len(coarse_chroma([performance(0, 3)[:n_frames]], SETTINGS)) == max(0, n_frames // 8 - 1)


@pytest.mark.parametrize("semitones", [0, 1, 5, 11])
def test_a_transposed_shingle_is_found_in_its_key(semitones):
    shingles = Shingles(REFERENCE)
    wanted = 3
    at = REFERENCE.starts[shingles.track[wanted]] + shingles.first[wanted]
    steps = np.roll(decoded(REFERENCE.chroma[at : at + STEPS]), semitones, axis=1)
    query = np.zeros((LONGEST_QUERY, 12), np.float32)
    query[:STEPS] = steps[::-1]
    hypotheses = shingles.of_query(query)
    alike = shingles.search(hypotheses)
    assert alike[0].argmax() == wanted
    assert alike[0, wanted] == pytest.approx(1, abs=1e-3)
    best = shingles.best_hypotheses(hypotheses, np.array([wanted]), backwards=False)
    assert best[0] == ONE_TEMPO * 12 + semitones


def test_similarities_are_those_of_the_definition_in_both_directions():
    shingles = Shingles(REFERENCE)
    query = newest_first(performance(4, 20, start_s=10, player=1))[:LONGEST_QUERY]
    alike = shingles.search(shingles.of_query(query))
    for number in (0, 5, len(shingles) - 1):
        at = REFERENCE.starts[shingles.track[number]] + shingles.first[number]
        steps = decoded(REFERENCE.chroma[at : at + STEPS])
        assert alike[0, number] == pytest.approx(shingle_similarity(query, steps, TEMPI), abs=1e-4)
        assert alike[1, number] == pytest.approx(shingle_similarity(query, steps[::-1], TEMPI), abs=1e-4)


def test_shingles_cover_every_track_that_is_long_enough():
    pieces = {"short": performance(1, 5), "none": performance(1, 0), "long": performance(2, 30)}
    shingles = Shingles(catalogue(pieces))
    assert set(shingles.track) == {2}
    assert list(np.diff(shingles.first)) == [STRIDE] * (len(shingles) - 1)


def test_a_proposal_lies_on_the_true_line():
    query = newest_first(performance(7, 30, start_s=20, speed=1.16, semitones=3, player=1))
    lines = Proposals(REFERENCE).propose(query)
    assert (lines.track[0], lines.key[0]) == (7, 3)
    assert lines.tempo[0] == pytest.approx(1.16, rel=0.08)  # a step of the grid
    true_head = (20 + 30 * 1.16) * FRAMES_PER_STEP
    assert abs(lines.head[0] - true_head) < 5
    assert (lines.tempo < 0).any()


FRAMES_PER_STEP = 1 / (SETTINGS.frame_s * SETTINGS.version_hop_frames)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n_query=st.integers(1, 7))
def test_warping_finds_the_best_of_all_paths(seed, n_query):
    alike = np.random.default_rng(seed).uniform(-1, 1, (3, n_query, 4)).astype(np.float32)
    total, column = _warp(alike)
    for line in range(3):
        expected, path = warped(alike[line].tolist())
        assert total[line] == pytest.approx(expected, abs=1e-5)
        assert column[line].tolist() == path


def test_alignment_follows_a_performer_who_hurries():
    steady = performance(3, 20, start_s=5, player=1)
    hurried = performance(3, 20, start_s=25, speed=1.1, player=1)
    query = newest_first(np.concatenate([steady, hurried]))
    head = 47 * FRAMES_PER_STEP - 1.5
    line = Lines(np.array([3]), np.array([head]), np.array([1.0]), np.array([0]))
    paths = Aligner(REFERENCE).align(query, line)
    begin = 5 * FRAMES_PER_STEP
    heard = int(query.any(axis=1).sum())
    assert abs(paths.steps[0, 0] - head) < 2
    assert abs(paths.steps[0, heard - 1] - begin) < 3
    assert paths.agreement[0] > 0.8


def test_a_path_stays_in_its_band_and_silence_counts_nothing():
    query = newest_first(performance(5, 15))
    line = Lines(np.array([8, 8]), np.array([300.0, 20.0]), np.array([0.9, -1.1]), np.array([4, 0]))
    paths = Aligner(REFERENCE).align(query, line)
    ago = np.arange(len(query))
    straight = line.head[:, None] - line.tempo[:, None] * ago
    assert np.abs(paths.steps - straight).max() <= BAND + 3
    assert not paths.alike[:, ~query.any(axis=1)].any()
    beyond = paths.steps < -1
    assert not paths.alike[beyond].any()


def test_slow_harmony_is_worth_less_than_it_agrees():
    drift = np.repeat(np.eye(12, dtype=np.float32)[[0, 7]], 400, axis=0) * 0.8 + 0.1
    drift = (drift / np.linalg.norm(drift, axis=1, keepdims=True)).astype(np.float32)
    reference = catalogue({"drift": drift, **PIECES})
    n_steps = reference.starts[1]
    line = Lines(np.array([0]), np.array([n_steps - 1.0]), np.array([1.0]), np.array([0]))
    slow = Aligner(reference).align(newest_first(drift), line)
    assert slow.agreement[0] > 0.9
    assert slow.evidence[0] < 0.6 * slow.agreement[0]


def test_the_slope_of_a_straight_path():
    steps = 100 - 1.2 * np.arange(30)
    weights = np.ones(30, np.float32)
    weights[10:] = 0.5
    assert slope(steps, weights) == pytest.approx(1.2)
