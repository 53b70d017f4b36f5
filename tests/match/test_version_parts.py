"""The parts of the version lane against slow, obvious twins."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import coarse_steps, shingle_similarity
from version_samples import PIECES, REFERENCE, SETTINGS, catalogue, performance

from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import CoarseChroma, coarse_chroma, decoded
from stream_match.index import harmony_kernels as kernels
from stream_match.index.faiss_index import build_shingle_lists, load_shingles, shingle_centres
from stream_match.index.harmony import Harmony, HarmonyLines, HarmonySegment
from stream_match.index.shingle_search import ListedShingles
from stream_match.index.shingles import (
    CELL,
    LONGEST_QUERY,
    STEPS,
    STRIDE,
    TEMPI,
    as_whole,
    best_hypotheses,
    of_query,
    sampled,
)
from stream_match.match import tuning
from stream_match.match.version.dtw import align, slope, steps_in

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


def shingles_of(reference):
    (segment,) = reference.segments
    return segment.shingles


def steps_of(reference, shingle):
    places, chroma = shingles_of(reference).places, reference.segments[0].chroma
    at = places.rows(np.array([shingle]))[0]
    return decoded(chroma[at : at + STEPS])


@pytest.mark.parametrize("semitones", [0, 1, 5, 11])
def test_a_transposed_shingle_is_found_in_its_key(semitones):
    shingles, wanted = shingles_of(REFERENCE), 3
    query = np.zeros((LONGEST_QUERY, 12), np.float32)
    query[:STEPS] = np.roll(steps_of(REFERENCE, wanted), semitones, axis=1)[::-1]
    hypotheses = of_query(query)
    alike = shingles.search(hypotheses)
    assert alike[0].argmax() == wanted
    assert alike[0, wanted] == pytest.approx(1, abs=1e-3)
    again, best = best_hypotheses(hypotheses, shingles.coefficients[[wanted]], backwards=False)
    assert best[0] == ONE_TEMPO * 12 + semitones
    assert again[0] == pytest.approx(alike[0, wanted], abs=1e-6)


def test_similarities_are_those_of_the_definition_in_both_directions():
    shingles = shingles_of(REFERENCE)
    query = newest_first(performance(4, 20, start_s=10, player=1))[:LONGEST_QUERY]
    alike = shingles.search(of_query(query))
    for number in (0, 5, len(shingles) - 1):
        steps = steps_of(REFERENCE, number)
        assert alike[0, number] == pytest.approx(shingle_similarity(query, steps, TEMPI), abs=5e-4)
        assert alike[1, number] == pytest.approx(shingle_similarity(query, steps[::-1], TEMPI), abs=5e-4)


def test_shingles_cover_every_track_that_is_long_enough():
    lengths = {"short": 5, "none": 0, "long": 30, "just": 10, "longer": 80}
    reference = catalogue({name: performance(1, seconds) for name, seconds in lengths.items()})
    places, steps = shingles_of(reference).places, [len(chroma) for chroma in reference.chromas]
    expected = [(track, at) for track in range(5) for at in range(0, steps[track] - STEPS + 1, STRIDE)]
    numbers = np.arange(len(places))
    assert [*zip(places.track(numbers), places.first(numbers), strict=True)] == expected
    assert places.rows(numbers).tolist() == [sum(steps[:track]) + at for track, at in expected]
    cells = [(track, at // (STRIDE * CELL)) for track, at in expected]
    firsts = [cells.index(cell) for cell in dict.fromkeys(cells)]
    assert places.cells().tolist() == firsts
    assert places.cell(numbers).tolist() == [[*dict.fromkeys(cells)].index(cell) for cell in cells]


class PlainShingles(ListedShingles):
    """The plain twin, which compares every hypothesis with everything in the same lists."""

    def search(self, hypotheses):
        stored = self.lists.stored
        everything = np.arange(int(stored.sizes.sum()))
        rows = stored.rows(np.arange(len(stored.sizes)), everything)
        of_list = np.repeat(np.arange(len(stored.sizes)), stored.sizes)
        whole = np.concatenate([*as_whole(self.places._steps, self._chroma)])[rows]
        found = [products(hypotheses, stored.centres), products(hypotheses, whole)]
        searched = {int(one) for own in found[0] for one in np.argsort(-own, kind="stable")[: self._searched]}
        among = np.isin(of_list, [*searched])
        return [own[among] for own in found[1]], [rows[among]] * 2


def products(hypotheses, shingles):
    even, odd = shingles[:, :22] @ hypotheses[0], shingles[:, 22:] @ hypotheses[1]
    return [(even + odd).max(axis=1), (even - odd).max(axis=1)]


def in_lists(reference, searched, kind=ListedShingles, n_lists=24):
    (segment,) = reference.segments
    centres = shingle_centres(sampled(segment.starts, segment.chroma)[0], n_lists)
    shingles = np.concatenate([*as_whole(segment.starts, segment.chroma)])
    lists = build_shingle_lists(centres, [shingles[:100], shingles[100:]])
    own = HarmonySegment(
        segment.starts, segment.chroma, kind(segment.starts, segment.chroma, lists, searched)
    )
    return Harmony(SETTINGS, [own], [np.arange(len(reference.tracks))], len(reference.tracks))


def columns(lines):
    return [getattr(lines, name).tolist() for name in ("track", "head", "tempo", "key")]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 60), searched=st.sampled_from([1, 2, 5, 24]))
def test_lists_propose_what_a_plain_search_of_the_same_lists_proposes(seed, searched):
    query = newest_first(performance(seed, 20, start_s=10, speed=1.1, semitones=4, player=1))
    found = in_lists(REFERENCE, searched).propose(query)
    assert columns(found) == columns(in_lists(REFERENCE, searched, PlainShingles).propose(query))
    assert len(found)


def test_every_shingle_stands_in_the_list_whose_centre_it_is_most_alike_to():
    (segment,) = in_lists(REFERENCE, 24)._segments
    stored = segment[0].shingles.lists.stored
    n = int(stored.sizes.sum())
    rows = [stored.rows(np.array([one]), np.arange(size)) for one, size in enumerate(stored.sizes)]
    assert sorted(np.concatenate(rows)) == [*range(n)]
    whole = np.concatenate([*as_whole(segment[0].starts, segment[0].chroma)])
    for number, own in enumerate(rows):
        by_centre = whole[own] @ stored.centres.T.astype(np.float32)
        assert (by_centre[:, number] == by_centre.max(axis=1)).all()


def test_silence_after_music_proposes_few_lines_of_lists():
    query = newest_first(performance(7, 30, player=1))
    query[:LONGEST_QUERY] = 0
    assert len(in_lists(REFERENCE, 2).propose(query)) <= 48


@pytest.mark.parametrize("seed", [3, 12, 200])
def test_all_lists_propose_nearly_what_all_shingles_propose(seed):
    query = newest_first(performance(seed, 20, start_s=10, speed=1.1, semitones=4, player=1))
    found, expected = in_lists(REFERENCE, 24).propose(query), REFERENCE.harmony.propose(query)
    pairs = [set(zip(*columns(lines), strict=True)) for lines in (found, expected)]
    assert len(pairs[0] & pairs[1]) >= 0.7 * len(pairs[1])
    assert columns(found)[0][0] == columns(expected)[0][0]


def test_lists_are_read_back_as_they_were_saved(tmp_path):
    (segment,) = REFERENCE.segments
    centres = shingle_centres(*sampled(segment.starts, segment.chroma))
    lists = build_shingle_lists(centres, as_whole(segment.starts, segment.chroma))
    path = str(tmp_path / "lists")
    lists.save(path)
    again, everything = load_shingles(path, n_shingles=len(lists)).stored, np.arange(len(lists.stored.sizes))
    for name in ("centres", "sizes"):
        assert getattr(again, name).tobytes() == getattr(lists.stored, name).tobytes()
    query, among = np.linspace(-1, 1, 88, dtype=np.float32).reshape(2, 44), np.arange(len(lists))
    for stored in (again, lists.stored):
        rows = stored.rows(everything, among)
        found = kernels.likeness_in_lists(query, stored.data, stored.codes_at, stored.sizes)
        whole = np.concatenate([*as_whole(segment.starts, segment.chroma)])[rows].astype(np.float16)
        assert found.tobytes() == kernels.likeness(query, whole).tobytes()
    with pytest.raises(CatalogError, match="other lists"):
        load_shingles(path, n_shingles=len(lists) + 1)
    whole, cut = (tmp_path / "lists").read_bytes(), str(tmp_path / "cut")
    for length in (0, 300, len(whole) // 2, len(whole) - 1):
        Path(cut).write_bytes(whole[:length])
        with pytest.raises(CatalogError, match="FAISS can read"):
            load_shingles(cut, n_shingles=len(lists))


@pytest.mark.parametrize("lists_from", [1, 1 << 40])
def test_a_track_that_was_removed_is_not_proposed(lists_from):
    query = newest_first(performance(7, 30, start_s=20, player=1))
    reference = catalogue(PIECES, per_segment=10, lists_from=lists_from)
    assert reference.harmony.propose(query).track[0] == 7
    numbers = [np.array([*range(7), -1, 7, 8]), np.arange(9, 19), np.arange(19, 29)]
    lines = Harmony(SETTINGS, reference.segments, numbers, 29).propose(query)
    assert len(lines) > 24
    assert lines.track.min() >= 0
    assert lines.track.max() < 29


def test_segments_propose_what_one_segment_does():
    query = newest_first(performance(7, 30, start_s=20, player=1))
    parts = catalogue(PIECES, per_segment=7).harmony.propose(query)
    assert columns(parts) == columns(REFERENCE.harmony.propose(query))


def test_a_proposal_lies_on_the_true_line():
    query = newest_first(performance(7, 30, start_s=20, speed=1.16, semitones=3, player=1))
    lines = REFERENCE.harmony.propose(query)
    assert (lines.track[0], lines.key[0]) == (7, 3)
    assert lines.tempo[0] == pytest.approx(1.16, rel=0.08)  # a step of the grid
    true_head = (20 + 30 * 1.16) * FRAMES_PER_STEP
    assert abs(lines.head[0] - true_head) < 5
    assert (lines.tempo < 0).any()


FRAMES_PER_STEP = 1 / (SETTINGS.frame_s * SETTINGS.version_hop_frames)


def test_alignment_follows_a_performer_who_hurries():
    steady = performance(3, 20, start_s=5, player=1)
    hurried = performance(3, 20, start_s=25, speed=1.1, player=1)
    query = newest_first(np.concatenate([steady, hurried]))
    head = 47 * FRAMES_PER_STEP - 1.5
    line = HarmonyLines(np.array([3]), np.array([head]), np.array([1.0]), np.array([0]))
    paths = align(REFERENCE.harmony, query, line)
    begin = 5 * FRAMES_PER_STEP
    heard = int(query.any(axis=1).sum())
    assert abs(paths.steps[0, 0] - head) < 2
    assert abs(paths.steps[0, heard - 1] - begin) < 3
    assert paths.correlation[0] > 0.8


def test_a_path_stays_in_its_band_and_silence_counts_nothing():
    query = newest_first(performance(5, 15))
    line = HarmonyLines(np.array([8, 8]), np.array([300.0, 20.0]), np.array([0.9, -1.1]), np.array([4, 0]))
    paths = align(REFERENCE.harmony, query, line)
    ago = np.arange(len(query))
    straight = line.head[:, None] - line.tempo[:, None] * ago
    assert np.abs(paths.steps - straight).max() <= steps_in(tuning.BAND_S) + 3
    assert not paths.alike[:, ~query.any(axis=1)].any()
    beyond = paths.steps < -1
    assert not paths.alike[beyond].any()


def test_slow_harmony_is_worth_less_than_it_agrees():
    drift = np.repeat(np.eye(12, dtype=np.float32)[[0, 7]], 400, axis=0) * 0.8 + 0.1
    drift = (drift / np.linalg.norm(drift, axis=1, keepdims=True)).astype(np.float32)
    reference = catalogue({"drift": drift, **PIECES})
    n_steps = reference.segments[0].starts[1]
    line = HarmonyLines(np.array([0]), np.array([n_steps - 1.0]), np.array([1.0]), np.array([0]))
    slow = align(reference.harmony, newest_first(drift), line)
    assert slow.correlation[0] > 0.9
    assert slow.evidence[0] < 0.6 * slow.correlation[0]


def test_the_slope_of_a_straight_path():
    steps = 100 - 1.2 * np.arange(30)
    weights = np.ones(30, np.float32)
    weights[10:] = 0.5
    assert slope(steps, weights) == pytest.approx(1.2)
