"""The catalogue as the matcher sees it."""

import numpy as np
import pytest
from match_samples import random_codes, reference_of
from music import SETTINGS, catalogue, frames_of, noise, piece, silence

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.match.reference import (
    SEARCHED_STRIDE,
    Embeddings,
    code_track,
    embeddings_of,
    fit_to_tracks,
)


def test_the_track_of_a_position():
    reference = reference_of([random_codes(n, n) for n in (4, 0, 1, 7)])
    assert (reference.starts.tolist(), reference.starts.dtype) == ([0, 4, 4, 5, 12], np.int64)
    tracks = reference.track_of(np.array([-1, 0, 3, 4, 5, 11, 12, 99]))
    assert tracks.tolist() == [-1, 0, 0, 2, 3, 3, 4, 4]
    assert tracks.dtype == np.int64
    assert reference.seconds == pytest.approx(12 * SETTINGS.code_s)


def test_every_second_audible_code_of_each_track_is_searched_for():
    audible = np.array([True, True, True, False, False, True, True])
    reference = reference_of([random_codes(7, 1), random_codes(7, 2)], audible=audible)
    expected = [7 * track + i for track in (0, 1) for i in range(0, 7, SEARCHED_STRIDE) if audible[i]]
    assert reference.searched.tolist() == expected
    assert reference.searched.dtype == np.uint32
    assert len(reference.neighbours) == len(expected)
    distances, rows = reference.neighbours.search(reference.codes[reference.searched], 1)
    assert not distances.any()
    assert reference.searched[rows[:, 0]].tolist() == expected
    assert sorted(reference.lsh.entries[0].tolist()) == expected
    np.testing.assert_array_equal(reference.chroma_codes, reference.codes[reference.searched])


def test_codes_of_a_track_stand_a_stride_apart():
    frames = frames_of(piece(1, 6))
    planes = fit_to_tracks([frames], SETTINGS)
    assert (planes.shape.n_bits, planes.chroma.n_bits) == (SETTINGS.n_bits, SETTINGS.chroma_bits)
    rows, n = embeddings_of(frames, SETTINGS), len(frames) - (SETTINGS.n_steps - 1) * SETTINGS.delay_frames
    assert rows.shape.shape == (n, SETTINGS.shape_coefficients * SETTINGS.n_steps)
    assert rows.chroma.shape == (n, 12 * SETTINGS.n_steps)
    track, stride = code_track(frames, planes, SETTINGS), SETTINGS.code_stride_frames
    assert track.codes.dtype == track.chroma_codes.dtype == np.uint8
    assert track.audible.tolist() == rows.audible()[::stride].tolist()
    np.testing.assert_array_equal(track.codes, planes.shape.codes(rows.shape)[::stride])
    np.testing.assert_array_equal(
        track.chroma_codes, planes.chroma.codes(rows.chroma)[:: stride * SEARCHED_STRIDE]
    )


def test_what_has_heard_mostly_silence_is_not_audible():
    chroma = np.zeros((11, 10, 12), np.float32)
    for n_heard in range(11):
        chroma[n_heard, :n_heard] = 12**-0.5
    rows = Embeddings(np.zeros((11, 480), np.float32), chroma.reshape(11, 120))
    assert rows.audible().tolist() == [n_heard > 5 for n_heard in range(11)]


def test_equal_tracks_give_equal_bytes():
    one, other = (catalogue({"a": piece(1, 6), "b": piece(2, 6)}) for _ in range(2))
    assert one.codes.tobytes() == other.codes.tobytes()
    assert one.neighbours.to_bytes() == other.neighbours.to_bytes()
    assert one.lsh.entries.tobytes() == other.lsh.entries.tobytes()
    assert one.planes.shape.planes.tobytes() == other.planes.shape.planes.tobytes()
    assert one.planes.chroma.planes.tobytes() == other.planes.chroma.planes.tobytes()


@pytest.mark.parametrize(
    "reference",
    [
        reference_of([]),
        catalogue({"silence": silence(10)}),
        catalogue({"short": piece(1, 1)}),
        catalogue({"one code": piece(1, 1.9)}),
        catalogue({"short": piece(1, 1), "silence": silence(3), "noise": noise(1, 3)}),
    ],
    ids=lambda reference: " and ".join(track.id for track in reference.tracks) or "nothing",
)
def test_poor_catalogues_are_legal_and_match_nothing(reference):
    engine = Engine(reference, MatchSettings())
    assert engine.feed(piece(5, 8)) + engine.feed(silence(4)) + engine.flush() == []


def test_one_track_is_a_catalogue():
    y = piece(1, 40)
    engine = Engine(catalogue({"alone": y}), MatchSettings())
    facts = engine.feed(y[200_000:450_000]) + engine.flush()
    assert {one.track.id for one in facts} == {"alone"}
