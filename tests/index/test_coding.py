"""From feature frames to codes, and what a catalogue of them holds."""

import numpy as np
import pytest
from codes import all_codes, random_codes, reference_of, starts_of
from music import SETTINGS, catalogue, fit_to_tracks, frames_of, noise, piece, silence

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.index.coding import (
    HASHED_STRIDE,
    Embeddings,
    code_track,
    embeddings_of,
)
from stream_match.index.segment import hashed_rows


def test_the_track_of_a_row():
    (segment,) = reference_of([random_codes(n, n) for n in (4, 0, 1, 7)]).segments
    assert (segment.starts.tolist(), segment.starts.dtype) == ([0, 4, 4, 5, 12], np.int64)
    tracks = segment.track_of(np.array([0, 3, 4, 5, 11]))
    assert tracks.tolist() == [0, 0, 2, 3, 3]
    assert tracks.dtype == np.int64


def test_tracks_stand_one_after_the_other():
    reference = reference_of([random_codes(n, n) for n in (4, 0, 1, 7)])
    assert starts_of(reference).tolist() == [0, 4, 4, 5, 12]


def test_every_second_audible_code_of_each_track_is_hashed_and_all_are_searched():
    audible = np.array([True, True, True, False, False, True, True])
    tracks = [random_codes(7, 1), random_codes(7, 2)]
    reference = reference_of(tracks, audible=audible)
    (segment,) = reference.segments
    expected = [7 * track + i for track in (0, 1) for i in range(0, 7, HASHED_STRIDE) if audible[i]]
    assert segment.hashed.tolist() == expected
    assert segment.hashed.dtype == np.uint32
    assert sorted(segment.lsh.entries[0].tolist()) == expected
    np.testing.assert_array_equal(segment.chroma_codes, segment.codes[segment.hashed])
    np.testing.assert_array_equal(all_codes(reference), np.concatenate(tracks))
    assert segment.audible.tolist() == [*audible, *audible]
    assert len(segment.neighbours) == 14
    distances, rows = segment.neighbours.search(segment.codes, 1)
    assert not distances.any()
    assert rows[:, 0].tolist() == list(range(14))
    for track, codes in enumerate(tracks):
        positions, chroma_codes = reference.chroma_codes(track)
        assert positions.tolist() == [i for i in range(0, 7, HASHED_STRIDE) if audible[i]]
        np.testing.assert_array_equal(chroma_codes, codes[positions])
        assert reference.audible(track).tolist() == audible.tolist()


@pytest.mark.parametrize("lengths", [(), (0,), (1,), (5, 0, 0, 8), (3, 3, 3)])
def test_the_hashed_positions_are_counted_within_each_track(lengths):
    starts = np.cumsum([0, *lengths])
    audible = np.random.default_rng(len(lengths)).random(starts[-1]) < 0.7
    expected = [
        starts[track] + place
        for track, length in enumerate(lengths)
        for place in range(0, length, HASHED_STRIDE)
        if audible[starts[track] + place]
    ]
    hashed = hashed_rows(audible, starts)
    assert (hashed.tolist(), hashed.dtype) == (expected, np.uint32)


def test_codes_of_a_track_stand_a_stride_apart():
    frames = frames_of(piece(1, 6))
    planes = fit_to_tracks([frames], SETTINGS)
    assert (planes.shape.n_bits, planes.chroma.n_bits) == (SETTINGS.n_bits, SETTINGS.chroma_bits)
    rows, n = embeddings_of(frames, SETTINGS), len(frames) - SETTINGS.past_frames
    assert rows.shape.shape == (n, SETTINGS.shape_coefficients * SETTINGS.n_steps)
    assert rows.chroma.shape == (n, 12 * SETTINGS.n_steps)
    track, stride = code_track(frames, planes, SETTINGS), SETTINGS.code_stride_frames
    assert track.codes.dtype == track.chroma_codes.dtype == np.uint8
    assert track.audible.tolist() == rows.audible()[::stride].tolist()
    np.testing.assert_array_equal(track.codes, planes.shape.codes(rows.shape)[::stride])
    np.testing.assert_array_equal(
        track.chroma_codes, planes.chroma.codes(rows.chroma)[:: stride * HASHED_STRIDE]
    )


def test_what_is_silent_has_the_bits_of_chance():
    frames = frames_of(np.concatenate([piece(1, 4), silence(6), piece(2, 4)]))
    planes = fit_to_tracks([frames], SETTINGS)
    track = code_track(frames, planes, SETTINGS)
    rows = embeddings_of(frames, SETTINGS)[:: SETTINGS.code_stride_frames]
    silent = ~track.audible
    assert 10 < silent.sum() < len(silent) - 10
    np.testing.assert_array_equal(track.codes[~silent], planes.shape.codes(rows.shape)[~silent])
    bits = np.unpackbits(track.codes, axis=1)
    apart = (bits[silent][:, np.newaxis] != bits).mean(axis=2)
    apart[np.arange(silent.sum()), np.flatnonzero(silent)] = 0.5
    # 256 bits by chance: a deviation of 0.03.
    assert (np.abs(apart - 0.5) < 0.16).all()
    assert abs(apart.mean() - 0.5) < 0.01
    np.testing.assert_array_equal(code_track(frames, planes, SETTINGS).codes, track.codes)


def test_what_has_heard_mostly_silence_is_not_audible():
    chroma = np.zeros((11, 10, 12), np.float32)
    for n_heard in range(11):
        chroma[n_heard, :n_heard] = 12**-0.5
    rows = Embeddings(np.zeros((11, 480), np.float32), chroma.reshape(11, 120))
    assert rows.audible().tolist() == [n_heard > 5 for n_heard in range(11)]


@pytest.mark.parametrize(("every_s", "heard"), [(0.3, True), (0.5, False), (0.8, False)])
def test_clicks_in_silence_are_audible_if_they_fill_more_than_half_of_it(every_s, heard):
    y = silence(8)
    y[:: int(every_s * SETTINGS.sample_rate_hz)] = 0.9
    frames = frames_of(y)
    assert (frames.any(axis=1).mean() > 0.5) == heard
    assert embeddings_of(frames, SETTINGS).audible().mean() == pytest.approx(float(heard), abs=0.1)


def test_equal_tracks_give_equal_bytes():
    one, other = (catalogue({"a": piece(1, 6), "b": piece(2, 6)}) for _ in range(2))
    for mine, yours in zip(one.segments, other.segments, strict=True):
        assert mine.codes.tobytes() == yours.codes.tobytes()
        assert mine.lsh.entries.tobytes() == yours.lsh.entries.tobytes()
    assert one.planes.shape.planes.tobytes() == other.planes.shape.planes.tobytes()
    assert one.planes.chroma.planes.tobytes() == other.planes.chroma.planes.tobytes()


@pytest.mark.parametrize(
    "recordings",
    [
        {},
        {"silence": silence(10)},
        {"short": piece(1, 1)},
        {"one code": piece(1, 1.9)},
        {"short": piece(1, 1), "silence": silence(3), "noise": noise(1, 3)},
    ],
    ids=lambda recordings: " and ".join(recordings) or "nothing",
)
def test_poor_catalogues_are_legal_and_match_nothing(recordings):
    engine = Engine(catalogue(recordings), MatchSettings())
    assert engine.feed(piece(5, 8)) + engine.feed(silence(4)) + engine.flush() == []


def test_one_track_is_a_catalogue():
    y = piece(1, 40)
    engine = Engine(catalogue({"alone": y}), MatchSettings())
    facts = engine.feed(y[200_000:450_000]) + engine.flush()
    assert {one.track.id for one in facts} == {"alone"}
