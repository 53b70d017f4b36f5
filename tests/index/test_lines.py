"""Agreement along lines, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest
from codes import flipped, random_codes, reference_of, settings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import agreement_along, bits_differing

from stream_match.index.lines import LineReader, Lines, as_words
from stream_match.index.tracks import Tracks

LENGTHS = (30, 1, 0, 50)


N_SHIFTS = 3


def random_lines(reference, n, rng):
    """Through all tracks and shifts, some of them beginning or ending outside."""
    track = rng.integers(0, len(LENGTHS), n)
    head = rng.choice([0.5, 1.0, 0.25], n) * rng.integers(-20, 2 * max(LENGTHS) + 20, n)
    speed = rng.choice([1.0, 0.96, 1.0267, -1.0, -1.04, 0.5], n)
    shift = rng.integers(0, N_SHIFTS, n)
    return Lines(track, head.astype(np.float64), speed.astype(np.float32), shift)


def heard(*sets):
    """Query codes, a set per shift, as words."""
    return np.stack([as_words(codes) for codes in sets])


def stride_of(reference):
    return reference.settings.listening().code_stride_frames


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    stride=st.sampled_from([1, 2, 3]),
    n_bits=st.sampled_from([64, 128, 192]),
    n_frames=st.integers(0, 80),
)
def test_similarity_is_that_of_a_loop(seed, stride, n_bits, n_frames):
    rng = np.random.default_rng(seed)
    tracks = [random_codes(n, seed + i, n_bits) for i, n in enumerate(LENGTHS)]
    reference = reference_of(tracks, stride=stride, n_bits=n_bits)
    query = [random_codes(n_frames, seed + 9 + shift, n_bits) for shift in range(N_SHIFTS)]
    audible = rng.random(n_frames) < 0.8
    lines = random_lines(reference, 12, rng)
    similarity = reference.lines.similarity(heard(*query), audible, lines)
    assert similarity.shape == (12, n_frames // stride_of(reference))
    assert similarity.dtype == np.float32
    each = stride_of(reference)
    columns = (similarity, lines.track, lines.head, lines.speed, lines.shift)
    for row, track, head, speed, shift in zip(*columns, strict=True):
        twin = agreement_along(
            tracks[track],
            0,
            len(tracks[track]) - 1,
            query[shift],
            audible,
            each,
            float(head),
            float(speed),
        )
        np.testing.assert_allclose(row, twin, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("speed", [1.0, -1.0])
def test_what_was_played_agrees_in_every_bit(stride, speed):
    codes = random_codes(100, 1)
    reference = reference_of([codes], stride=stride)
    reader = reference.lines
    query = np.repeat(codes[50 - int(speed) * np.arange(20)], stride_of(reference), axis=0)
    for shift, words in enumerate([heard(query, ~query), heard(~query, query)]):
        line, other = (Lines.single(0, 50, speed, number) for number in (shift, 1 - shift))
        similarity = reader.similarity(words, np.ones(len(query), bool), line)
        assert similarity.shape == (1, 20)
        assert (similarity == 1).all()
        assert (reader.similarity(words, np.ones(len(query), bool), other) == -1).all()
        assert (reader.similarity(words, np.zeros(len(query), bool), line) == 0).all()


@pytest.mark.parametrize("speed", [0.95, 1.0267, 1.06])
def test_at_another_speed_every_position_is_read_when_it_sounds(speed):
    codes = random_codes(100, 6)
    reference = reference_of([codes], stride=2)
    steps = np.arange(40)
    played = np.rint(steps / speed * stride_of(reference)).astype(int)
    query = random_codes(played[-1] + 1, 7)
    query[played] = codes[90 - steps]
    line = Lines.single(0, 90, speed, 0)
    similarity = reference.lines.similarity(heard(query), np.ones(len(query), bool), line)[0]
    assert (similarity[:38] == 1).all()


def test_a_line_ends_with_its_track():
    codes = np.zeros((30, 16), np.uint8)
    reader = reference_of([codes, codes], stride=1).lines
    query = heard(np.zeros((40, 16), np.uint8))  # two frames to a position
    similarity = reader.similarity(query, np.ones(40, bool), Lines.single(1, 5, 1, 0))[0]
    assert similarity.tolist() == [1] * 6 + [0] * 14
    similarity = reader.similarity(query, np.ones(40, bool), Lines.single(0, 35, 1, 0))[0]
    assert similarity.tolist() == [0] * 6 + [1] * 14


def test_a_large_catalogue_is_read_at_the_right_place():
    """2,600 hours of references have 50 million positions; float32 counts to 17 million."""
    offsets = np.array([-0.5, 0, 0.5], np.float32)
    fan = Lines.single(0, 50_000_001.0, 1.0, 0).fan(offsets, np.ones(1, np.float32))
    assert fan.head.tolist() == [50_000_000.5, 50_000_001.0, 50_000_001.5]


def test_no_lines_and_no_query_are_legal():
    reader = reference_of([random_codes(9, 2)]).lines
    numbers = np.empty(0, np.int64)
    none = Lines(numbers, np.empty(0), np.empty(0, np.float32), numbers)
    assert reader.similarity(heard(random_codes(32, 3)), np.ones(32, bool), none).shape == (0, 4)
    empty = heard(random_codes(0, 3), random_codes(0, 4))
    assert reader.similarity(empty, np.ones(0, bool), Lines.single(0, 5, 1, 1)).shape == (1, 0)


def test_likeness_is_of_what_is_ahead_and_behind():
    codes = random_codes(400, 8)
    reference = reference_of([codes, np.concatenate([random_codes(30, 9), codes]), codes[180:260]])
    reader = reference.lines
    here = Lines.single(0, 200, 1.0, 0)
    heads = np.array([230.0, 233, 235, 20])
    others = Lines(np.array([1, 1, 1, 2]), heads, np.ones(4, np.float32), np.zeros(4, np.int64))
    likeness = reader.likeness(here, others)
    assert likeness.dtype == np.float32
    assert likeness[0] == 1
    assert np.abs(likeness[1:3]).max() < 0.1
    assert likeness[3] == 0  # too little of it is there
    assert reader.likeness(here, others[np.empty(0, np.int64)]).shape == (0,)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_stretch_is_a_query_that_agrees_with_its_line(stride):
    reference = reference_of([random_codes(40, 4), random_codes(40, 5)], stride=stride)
    reader, stride = reference.lines, stride_of(reference)
    lines = Lines.single(1, 10.0, 1.0, 3).followed_by(Lines.single(0, 35.0, 1.0, 2))
    words, inside = reader.stretch(lines, 30 * stride)
    assert (words.shape, words.dtype) == ((2, 30 * stride, 2), np.uint64)
    assert (inside.shape, inside.dtype) == ((2, 30 * stride), np.bool_)
    # Eleven positions back the first leaves its track; np.rint may give half a position to either side.
    assert abs(int(inside[0].sum()) - 10.5 * stride) <= 1
    assert inside[1].all()
    similarity = reader.similarity(words, inside, replace(lines, shift=np.arange(2)))
    assert similarity.tolist() == [[1] * 11 + [0] * 19, [1] * 30]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 5), n_offsets=st.integers(1, 4), n_speeds=st.integers(1, 3))
def test_a_fan_nests_speeds_in_offsets_in_lines(n, n_offsets, n_speeds):
    rng = np.random.default_rng(n)
    head, speed = rng.random(n), rng.choice([-1, 1], n).astype(np.float32)
    shift = rng.integers(0, 5, n)
    offsets, speeds = rng.random(n_offsets).astype(np.float32), rng.random(n_speeds).astype(np.float32)
    fan = Lines(np.arange(n), head, speed, shift).fan(offsets, speeds)
    twin = [
        (i, head[i] + offset, speed[i] * factor, shift[i])
        for i in range(n)
        for offset in offsets
        for factor in speeds
    ]
    assert len(fan) == len(twin) == n * n_offsets * n_speeds
    assert fan.track.tolist() == [line[0] for line in twin]
    np.testing.assert_array_equal(fan.head, [line[1] for line in twin])
    np.testing.assert_array_equal(fan.speed, [line[2] for line in twin])
    assert fan.shift.tolist() == [line[3] for line in twin]


def test_lines_are_taken_and_joined_whole():
    rng = np.random.default_rng(1)
    lines = random_lines(reference_of([random_codes(n, n) for n in LENGTHS]), 9, rng)
    first, last = lines[np.arange(4)], lines[np.arange(4, 9)]
    joined = first.followed_by(last)
    for name in ("track", "head", "speed", "shift"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(lines, name))
        assert len(getattr(first, name)) == len(first) == 4
    plain = lines.unshifted()
    assert not plain.shift.any()
    np.testing.assert_array_equal(plain.head, lines.head)


@pytest.mark.parametrize("n_bytes", [1, 2, 8, 9, 16])
def test_words_keep_all_bits(n_bytes):
    codes = random_codes(20, 6, 8 * n_bytes)
    words = as_words(codes)
    assert (words.shape, words.dtype) == ((20, -(-n_bytes // 8)), np.uint64)
    bits = np.unpackbits(codes, axis=1).astype(int)
    for one in range(5):
        apart = np.bitwise_count(words[one] ^ words).sum(axis=1)
        assert apart.tolist() == np.abs(bits[one] - bits).sum(axis=1).tolist()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_lines=st.integers(0, 12),
    n_positions=st.integers(1, 30),
    data=st.data(),
)
def test_means_are_those_of_similarities(seed, n_lines, n_positions, data):
    rng = np.random.default_rng(seed)
    reference = reference_of([random_codes(n, seed + i) for i, n in enumerate(LENGTHS)], stride=2)
    n_frames = n_positions * stride_of(reference)
    query = heard(*(random_codes(n_frames, seed + 9 + shift) for shift in range(N_SHIFTS)))
    audible = rng.random((N_SHIFTS, n_frames)) < 0.8
    lines = random_lines(reference, n_lines, rng)
    lengths = st.lists(st.integers(1, n_positions), min_size=1, max_size=5, unique=True)
    windows = np.array(sorted(data.draw(lengths)), np.int64)
    reader = reference.lines
    similarity = reader.similarity(query, audible, lines)
    means = reader.means(query, audible, lines, windows)
    assert (means.shape, means.dtype) == ((n_lines, len(windows)), np.float32)
    for row, line in zip(means, similarity, strict=True):
        for mean, window in zip(row, windows, strict=True):
            assert mean == pytest.approx(sum(map(float, line[:window])) / window, abs=1e-6)
    np.testing.assert_allclose(reader.mean(query, audible, lines), similarity.mean(axis=1), atol=1e-6)


def test_of_what_was_heard_each_set_may_be_audible_elsewhere():
    reference = reference_of([random_codes(40, 4)], stride=1)
    stride, reader = stride_of(reference), reference.lines
    words, _ = reader.stretch(Lines.single(0, 30.0, 1.0, 0), 10 * stride)
    sets = np.repeat(words, 2, axis=0)
    audible = np.ones((2, 10 * stride), bool)
    audible[1, : 4 * stride] = False
    lines = Lines(np.zeros(2, np.int64), np.full(2, 30.0), np.ones(2, np.float32), np.arange(2))
    assert reader.similarity(sets, audible, lines).tolist() == [[1] * 10, [0] * 4 + [1] * 6]


STEPS_PER_FRAME = 8
"""Time of a sound that flows passes in steps of an eighth of a frame."""


def flowing(n_steps, seed, n_bits=256, flips_per_step=2):
    """What a sound's code would be at any time: bits flip one after the other, as those of spectra do."""
    rng = np.random.default_rng(seed)
    bits = np.empty((n_steps, n_bits), np.uint8)
    now = rng.integers(0, 2, n_bits, np.uint8)
    for step in range(n_steps):
        now[rng.choice(n_bits, flips_per_step, replace=False)] ^= 1
        bits[step] = now
    return np.packbits(bits, axis=1)


@pytest.mark.parametrize("beside", range(STEPS_PER_FRAME))
def test_the_peak_is_the_same_wherever_frames_fall(beside):
    stride, n_frames = 8, 240
    flow = flowing(100 * stride * STEPS_PER_FRAME, 1)
    reference = reference_of([flow[:: stride * STEPS_PER_FRAME]], stride=4, n_bits=256)
    assert stride_of(reference) == stride
    steps = 60 * stride * STEPS_PER_FRAME + beside - STEPS_PER_FRAME * np.arange(n_frames)
    query, audible = heard(flow[steps]), np.ones(n_frames, bool)
    reader = reference.lines
    line = Lines.single(0, 60 + round(beside / STEPS_PER_FRAME) / stride, 1.0, 0)
    (peak,) = reader.peak(query, audible, line)
    assert peak == pytest.approx(1, abs=0.02)
    beside_it = line.fan(np.array([-1, 1], np.float32) / np.float32(stride), np.ones(1, np.float32))
    np.testing.assert_allclose(reader.peak(query, audible, beside_it), peak, atol=0.02)
    if beside == STEPS_PER_FRAME // 2:
        assert reader.similarity(query, audible, line).mean() < 0.98 * peak


@pytest.mark.parametrize("seed", range(5))
def test_of_passages_that_recur_the_one_that_was_heard_is_found(seed):
    verse = random_codes(60, 100 + seed)
    again = flipped(verse, 0.04, seed)
    track = [random_codes(40, seed), verse, random_codes(30, 50 + seed), again, random_codes(20, 70 + seed)]
    reference = reference_of([random_codes(80, 3), np.concatenate(track), random_codes(50, 4)])
    stride, reader = stride_of(reference), reference.lines
    first = 40
    for head, other in ((first + 50.0, first + 90 + 50.0), (first + 90 + 50.0, first + 50.0)):
        read = np.rint(head - np.arange(30 * stride) / stride).astype(np.int64)
        query, audible = heard(reference.codes(1)[read]), np.ones(30 * stride, bool)
        found, peak = reader.place_in_track(query, audible, Lines.single(1, other, 1.0, 0))
        assert found == pytest.approx(head, abs=0.5)
        assert peak >= 1


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_track_of_any_length_can_be_looked_through(length):
    reference = reference_of([random_codes(9, 1), random_codes(length, 2)])
    stride = stride_of(reference)
    query, audible = heard(reference.codes(1)[np.zeros(4 * stride, int)]), np.ones(4 * stride, bool)
    head, peak = reference.lines.place_in_track(query, audible, Lines.single(1, 0.0, 1.0, 0))
    assert -1 < head < length
    assert np.isfinite(peak)


AN_HOUR, TEN_HOURS = 19_380, 193_800
LOOKED_AT = 24
"""Positions; the last are those of what was heard with which a long track is first looked through."""


@pytest.mark.parametrize("n_positions", [AN_HOUR, AN_HOUR + 1, TEN_HOURS])
def test_a_track_of_ten_hours_is_looked_through_where_a_slow_loop_finds_it_to_agree(n_positions):
    stride = settings_of().listening().code_stride_frames
    codes, sound = random_codes(n_positions, 1), random_codes(80, 2)
    heads = [n_positions - 1, 120, n_positions // 2]  # what is heard is there, ever less like it
    for number, head in enumerate(heads):
        codes[head - 79 : head + 1] = flipped(sound, 0.05 + 0.1 * number, number)
    one = np.ones(1, np.int64)
    reader = LineReader((as_words(codes),), Tracks((), 0 * one, 0 * one, n_positions * one), settings_of())
    query, audible = heard(np.repeat(sound[::-1], stride, axis=0)), np.ones(80 * stride, bool)
    line = Lines.single(0, 3000.0, 1.0, 0)

    if n_positions <= AN_HOUR:
        expected = np.arange(4 * n_positions) / 4
    else:
        differing = bits_differing(codes, sound[::-1][:LOOKED_AT])
        best = sorted(range(n_positions), key=differing.__getitem__)[:96]
        around = {head + beside / 4 for head in best for beside in range(-8, 9)}
        expected = sorted({min(max(head, 0.0), n_positions - 1.0) for head in around})
    np.testing.assert_array_equal(reader._heads_in_track(query, audible, line), expected)

    # A code is heard for all of its position, so that a place may be up to four of the best twelve.
    ridges = np.floor(reader.ridges(query, audible, line)).tolist()
    assert list(dict.fromkeys(ridges))[:3] == heads
    assert reader.place_in_track(query, audible, line)[0] == pytest.approx(heads[0], abs=1)
