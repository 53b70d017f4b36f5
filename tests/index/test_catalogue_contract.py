"""The port of a catalogue: every implementation answers alike, however its tracks are cut into segments."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from codes import coded, flipped, no_planes, random_codes, segment_of, settings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from music import PIECES, SETTINGS, catalogue, cut, frames_of, hear, noise, piece, reads, silence
from naive import agreement_along, nearest_places
from numpy_index import NumpyIndex, lists_in

from stream_match.events import Track
from stream_match.index.catalogue import NEIGHBOURS, Part, catalogue_of, grouped
from stream_match.index.coding import HASHED_STRIDE, code_track
from stream_match.index.faiss_index import PROBED, build_faiss
from stream_match.index.lines import Lines, as_words
from stream_match.index.segment import build_segment
from stream_match.index.tracks import GONE

_ASKED = 75
"""What is strictly nearer than the last of these is proposed, 50 of it at most."""


def by_faiss(segment):
    return segment


def by_numpy(segment):
    return replace(segment, neighbours=NumpyIndex(segment.codes))


def by_faiss_lists(segment):
    """Lists, however few codes there are; of sixteen, each would have its own."""
    return replace(segment, neighbours=build_faiss(segment.codes, flat_up_to=16))


def by_numpy_lists(segment):
    """Probes the lists that FAISS made."""
    lists = by_faiss_lists(segment).neighbours
    if lists.exhaustive:
        return by_numpy(segment)
    return replace(
        segment, neighbours=NumpyIndex(segment.codes, lists_in(lists), probed=PROBED, probed_near=4)
    )


EXHAUSTIVE = {"faiss": by_faiss, "numpy": by_numpy}
IN_LISTS = {"faiss lists": by_faiss_lists, "numpy lists": by_numpy_lists}
EVERY = EXHAUSTIVE | IN_LISTS


@pytest.fixture(params=EVERY)
def implementation(request):
    return EVERY[request.param]


def catalogue_in(tracks_codes, implementation, *, cuts=(), removed=(), n_named=None):
    """A catalogue of codes, cut into segments before some tracks; without some tracks."""
    n_named = len(tracks_codes) if n_named is None else n_named
    bounds = sorted({0, *cuts, n_named, len(tracks_codes)})
    parts = []
    for first, last in pairwise(bounds):
        segment = implementation(segment_of(tracks_codes[first:last]))
        named = tuple(Track(id=f"track{number}") for number in range(first, min(last, n_named)))
        gone = frozenset(number - first for number in removed if first <= number < last)
        parts.append(Part(segment, named, gone))
    return catalogue_of(parts, no_planes(), settings_of())


def neighbours_of(hits, n):
    """For each code asked about: track, position and agreement of what is proposed, in order."""
    columns = zip(hits.track.tolist(), hits.position.tolist(), hits.agreement.tolist(), strict=True)
    found = [[] for _ in range(n)]
    for row, one in zip(hits.row.tolist(), columns, strict=True):
        found[row].append(one)
    return found


def ask(known, codes):
    near, hashed = known.propose(codes, codes)
    return neighbours_of(near, len(codes)), sorted(
        zip(hashed.row.tolist(), hashed.track.tolist(), hashed.position.tolist(), strict=True)
    )


def music_like(lengths, seed, *, loop=0):
    """Codes of tracks that flow; some repeat a loop exactly, so that many neighbours are equally near."""
    rng = np.random.default_rng(seed)
    tracks = []
    for number, length in enumerate(lengths):
        codes = np.repeat(random_codes(-(-length // 4), seed + number), 4, axis=0)[:length]
        codes = flipped(codes, 0.04, seed + number) if length else codes
        if loop and number % 2:
            codes = np.tile(random_codes(loop, seed), (-(-length // loop), 1))[:length]
        tracks.append(codes)
    if tracks and sum(lengths):
        queries = np.concatenate(tracks)[rng.integers(0, sum(lengths), 6)]
    else:
        queries = random_codes(6, seed)
    return tracks, np.concatenate([flipped(queries, 0.1, seed), queries])


lengths_of_tracks = st.lists(st.sampled_from([0, 1, 3, 40, 90, 200]), min_size=0, max_size=6)


@settings(max_examples=40, deadline=None)
@given(
    lengths=lengths_of_tracks, seed=st.integers(0, 999), loop=st.sampled_from([0, 0, 1, 7]), data=st.data()
)
def test_where_all_is_compared_any_cut_and_any_index_proposes_what_a_loop_does(lengths, seed, loop, data):
    tracks, queries = music_like(lengths, seed, loop=loop)
    everywhere = range(len(tracks))
    removed = data.draw(st.sets(st.sampled_from(everywhere)) if tracks else st.just(set()))
    cuts = data.draw(st.sets(st.sampled_from(everywhere)) if tracks else st.just(set()))
    kept = [number for number in everywhere if number not in removed]
    in_one = catalogue_in([tracks[number] for number in kept], by_faiss)
    expected = nearest_places([tracks[number] for number in kept], queries, _ASKED, NEIGHBOURS)
    answers = [ask(in_one, queries)]
    assert [[place[:2] for place in of] for of in answers[0][0]] == [
        [place[1:] for place in of] for of in expected
    ]
    for implementation in EXHAUSTIVE.values():
        known = catalogue_in([tracks[number] for number in kept], implementation)
        answers.append(ask(known, queries))
        cut_up = [sum(one < cut_at for one in kept) for cut_at in cuts]
        answers.append(ask(catalogue_in([tracks[n] for n in kept], implementation, cuts=cut_up), queries))
        with_removed = ask(catalogue_in(tracks, implementation, cuts=cuts, removed=removed), queries)[0]
        assert with_removed == answers[0][0]
    assert all(near == answers[0][0] for near, _ in answers)
    # The buckets of a segment are its own: what is in one with a code is the same for any index.
    assert all(hashed == answers[0][1] for _, hashed in answers[1::2])


@settings(max_examples=25, deadline=None)
@given(lengths=lengths_of_tracks, seed=st.integers(0, 999), loop=st.sampled_from([0, 1, 7]), data=st.data())
def test_tracks_that_were_removed_are_never_proposed_nor_numbered(lengths, seed, loop, data):
    tracks, queries = music_like(lengths, seed, loop=loop)
    everywhere = range(len(tracks))
    removed = data.draw(st.sets(st.sampled_from(everywhere)) if tracks else st.just(set()))
    cuts = data.draw(st.sets(st.sampled_from(everywhere)) if tracks else st.just(set()))
    kept = [number for number in everywhere if number not in removed]
    for implementation in EVERY.values():
        known = catalogue_in(tracks, implementation, cuts=cuts, removed=removed)
        assert [track.id for track in known.tracks.named] == [f"track{number}" for number in kept]
        assert known.tracks.length.tolist() == [lengths[number] for number in kept]
        near, hashed = known.propose(queries, queries)
        for hits in (near, hashed):
            assert ((hits.track >= 0) & (hits.track < len(kept))).all()
            assert ((hits.position >= 0) & (hits.position < known.tracks.length[hits.track])).all()
            assert (hits.row.dtype, hits.track.dtype, hits.position.dtype) == (np.int64,) * 3
            assert hits.agreement.dtype == np.float32
        # What is said of a place is true of it.
        for row, track, position, agreement in zip(
            near.row, near.track, near.position, near.agreement, strict=True
        ):
            differing = np.bitwise_count(tracks[kept[track]][position] ^ queries[row]).sum()
            assert agreement == np.float32(max(0, 1 - 2 * differing / 128))
        assert (hashed.position % HASHED_STRIDE == 0).all()
        for number, track in enumerate(kept):
            np.testing.assert_array_equal(known.codes(number), tracks[track])
            assert known.audible(number).tolist() == [True] * lengths[track]


def test_removed_copies_leave_room_for_what_they_resembled(implementation):
    jingle = random_codes(60, 1)
    copies = [flipped(jingle, 0.01, number) for number in range(6)]
    tracks = [*copies, flipped(jingle, 0.2, 7), random_codes(300, 8)]
    known = catalogue_in(tracks, implementation, removed=range(6))
    near, _ = known.propose(jingle[:10], jingle[:10])
    for position, found in enumerate(neighbours_of(near, 10)):
        assert found[0][:2] == (0, position)
        assert len(found) == NEIGHBOURS


@settings(max_examples=25, deadline=None)
@given(lengths=lengths_of_tracks, seed=st.integers(0, 999), loop=st.sampled_from([0, 7]))
def test_of_neighbours_no_more_than_fifty_come_nearest_first(lengths, seed, loop):
    tracks, queries = music_like(lengths, seed, loop=loop)
    for implementation in EVERY.values():
        known = catalogue_in(tracks, implementation, cuts=(1, 3) if len(tracks) > 3 else ())
        for query, found in zip(queries, ask(known, queries)[0], strict=True):
            assert len(found) <= NEIGHBOURS
            order = [
                (int(np.bitwise_count(tracks[track][position] ^ query).sum()), track, position)
                for track, position, _ in found
            ]
            assert order == sorted(set(order))


@pytest.mark.parametrize("seed", range(4))
def test_numpy_and_faiss_propose_the_same_from_the_same_lists(seed):
    tracks, queries = music_like([900, 0, 1300, 700], seed)
    for cuts in ((), (2,)):
        ours, theirs = (catalogue_in(tracks, one, cuts=cuts) for one in (by_faiss_lists, by_numpy_lists))
        assert not any(segment.neighbours.exhaustive for segment in ours.segments)
        answers = [ask(known, queries) for known in (ours, theirs)]
        assert answers[0] == answers[1]
        assert any(answers[0][0])


def test_of_very_many_equal_codes_none_is_proposed_by_any(implementation):
    """Which of a thousand equal codes are the first is left to an index; of a hundred, all are asked for."""
    loop = np.repeat(random_codes(1, 5), 1000, axis=0)
    known = catalogue_in([loop, random_codes(60, 6)], implementation)
    near, _ = known.propose(loop[:1], loop[:1])
    assert len(near) == 0
    some = catalogue_in([loop[:100], random_codes(60, 6)], implementation)
    near, _ = some.propose(loop[:1], loop[:1])
    assert near.position.tolist() == list(range(50))
    few = catalogue_in([loop[:20], random_codes(200, 6)], by_numpy)
    near, _ = few.propose(loop[:1], loop[:1])
    assert neighbours_of(near, 1)[0][:20] == [(0, position, 1.0) for position in range(20)]
    assert all(one[0] == 1 for one in neighbours_of(near, 1)[0][20:])


@pytest.mark.parametrize("cuts", [(), (1,), (2, 3)])
def test_tracks_of_a_background_are_proposed_under_numbers_beyond_the_named(implementation, cuts):
    tracks = [random_codes(60, number) for number in range(4)]
    known = catalogue_in(tracks, implementation, cuts=cuts, n_named=2)
    assert (len(known.tracks), len(known.tracks.named)) == (4, 2)
    for number in range(4):
        near, _ = known.propose(tracks[number][7:8], tracks[number][7:8])
        assert neighbours_of(near, 1)[0][0] == (number, 7, 1.0)
    assert known.tracks.renumbered(known.tracks).tolist() == [0, 1, 2, 3]
    other = catalogue_in([*tracks[:2], random_codes(61, 8)], implementation, n_named=2)
    assert known.tracks.renumbered(other.tracks).tolist() == [0, 1, GONE, GONE]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), data=st.data())
def test_lines_read_the_same_from_any_segments(seed, data):
    lengths = data.draw(st.lists(st.sampled_from([0, 1, 30, 50]), min_size=1, max_size=5))
    tracks = [random_codes(n, seed + i) for i, n in enumerate(lengths)]
    cuts = data.draw(st.sets(st.sampled_from(range(len(tracks)))))
    removed = data.draw(st.sets(st.sampled_from(range(len(tracks))), max_size=len(tracks) - 1))
    kept = [number for number in range(len(tracks)) if number not in removed]
    known = catalogue_in(tracks, by_faiss, cuts=cuts, removed=removed)
    rng = np.random.default_rng(seed)
    stride = known.settings.listening().code_stride_frames
    query, audible = random_codes(10 * stride, seed + 50), rng.random(10 * stride) < 0.9
    n = 9
    lines = Lines(
        rng.integers(0, len(kept), n),
        rng.uniform(-10, 60, n).round(2),
        rng.choice([1.0, 0.96, -1.0, -1.04], n).astype(np.float32),
        np.zeros(n, np.int64),
    )
    known.lines.prefetch(lines)
    similarity = known.lines.similarity(as_words(query)[np.newaxis], audible, lines)
    for row, track, head, speed in zip(similarity, lines.track, lines.head, lines.speed, strict=True):
        codes = tracks[kept[track]]
        twin = agreement_along(codes, 0, len(codes) - 1, query, audible, stride, float(head), float(speed))
        np.testing.assert_allclose(row, twin, atol=1e-6)
    in_one = catalogue_in([tracks[number] for number in kept], by_faiss)
    for name in ("similarity", "mean", "peak"):
        ours, theirs = (
            getattr(one.lines, name)(as_words(query)[np.newaxis], audible, lines) for one in (known, in_one)
        )
        np.testing.assert_array_equal(ours, theirs)
    words, inside = known.lines.stretch(lines, 40)
    others, its = in_one.lines.stretch(lines, 40)
    np.testing.assert_array_equal(inside, its)
    np.testing.assert_array_equal(words[inside], others[inside])
    np.testing.assert_array_equal(
        known.lines.likeness(lines[np.zeros(1, np.int64)], lines),
        in_one.lines.likeness(lines[np.zeros(1, np.int64)], lines),
    )


def test_an_empty_catalogue_answers_nothing(implementation):
    for parts in ([], [Part(implementation(segment_of([])), ())]):
        known = catalogue_of(parts, no_planes(), settings_of())
        near, hashed = known.propose(random_codes(3, 1), random_codes(3, 2))
        assert len(near) == len(hashed) == len(known.tracks) == 0


def test_a_catalogue_of_which_all_was_removed_answers_nothing(implementation):
    tracks = [random_codes(90, 1), random_codes(90, 2)]
    known = catalogue_in(tracks, implementation, removed=(0, 1))
    near, hashed = known.propose(tracks[0], tracks[1])
    assert len(near) == len(hashed) == len(known.tracks) == 0


def test_no_codes_get_no_answer(implementation):
    near, hashed = catalogue_in([random_codes(90, 1)], implementation).propose(
        random_codes(0, 1), random_codes(0, 1)
    )
    assert len(near) == len(hashed) == 0


def test_of_a_recording_with_copies_no_more_than_a_dozen_are_proposed(implementation):
    """And as many others find room as there would without the copies."""
    jingle = flipped(np.repeat(random_codes(1, 1), 30, axis=0), 0.02, 2)
    others = [flipped(np.repeat(random_codes(1, 1), 40, axis=0), 0.2, 3)]
    known = catalogue_in([jingle, jingle, *others], implementation)
    known = grouped(known, np.array([0, 0, 2]))
    near, _ = known.propose(jingle[:4], jingle[:4])
    for found in neighbours_of(near, 4):
        assert sum(one[0] < 2 for one in found) <= 12
        assert sum(one[0] == 2 for one in found) > 0


def test_tracks_are_found_by_their_ids_in_another_snapshot():
    tracks = [random_codes(20, number) for number in range(4)]
    before = catalogue_in(tracks, by_faiss, n_named=3)
    after = catalogue_in([*tracks, *tracks], by_faiss, removed=(1,), cuts=(3,), n_named=6)
    assert before.tracks.renumbered(after.tracks).tolist() == [0, GONE, 1, GONE]
    assert [after.tracks[number].id for number in (0, 1, 2)] == ["track0", "track2", "track3"]
    assert after.tracks.numbers == {track.id: number for number, track in enumerate(after.tracks.named)}
    back = after.tracks.renumbered(before.tracks)
    assert back[:2].tolist() == [0, 2]
    assert (back[2:] == GONE).all()


def test_chroma_codes_of_a_track_stand_at_its_hashed_positions():
    audible = np.array([True, False, True, True, False, True, True])
    tracks = coded([random_codes(7, 1), random_codes(7, 2)], audible)
    parts = [
        Part(build_segment([one], settings_of()), (Track(id=name),))
        for one, name in zip(tracks, "ab", strict=True)
    ]
    known = catalogue_of(parts, no_planes(), settings_of())
    for number, track in enumerate(tracks):
        positions, codes = known.chroma_codes(number)
        assert positions.tolist() == [at for at in range(0, 7, HASHED_STRIDE) if audible[at]]
        np.testing.assert_array_equal(codes, track.codes[positions])


BROADCAST = [
    cut(PIECES["p0"], 3, 9), silence(2), piece(131, 5), cut(PIECES["p2"], 10, 8) + noise(3, 8, 0.02),
    sum(cut(PIECES[name], 5, 6) for name in ("p4", "p5")), np.tile(cut(PIECES["p6"], 10, 2), 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def coded_pieces():
    planes = catalogue(PIECES).planes
    return planes, {name: code_track(frames_of(y), planes, SETTINGS) for name, y in PIECES.items()}


@pytest.mark.parametrize(("ours", "theirs"), [("faiss", "numpy"), ("faiss lists", "numpy lists")])
@pytest.mark.parametrize("cuts", [(), (3, 7)])
def test_an_engine_says_the_same_of_either(coded_pieces, ours, theirs, cuts):
    planes, codes = coded_pieces
    bounds = [0, *cuts, len(codes)]
    told = []
    for name in (ours, theirs):
        parts = []
        for first, last in pairwise(bounds):
            names = [*codes][first:last]
            segment = EVERY[name](build_segment([codes[one] for one in names], SETTINGS))
            parts.append(Part(segment, tuple(Track(id=one) for one in names)))
        told.append(reads(hear(catalogue_of(parts, planes, SETTINGS), *BROADCAST)))
    assert told[0] == told[1]
    assert any('"started"' in line for line in told[0])
