"""The generated broadcast: the same every time, and its schedule tells the truth."""

from itertools import pairwise

import numpy as np
import pytest
from capture_samples import joined, read_all

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.demo import (
    FADE_SAMPLES,
    NOISE_SNR_DB,
    PIECES,
    SCHEDULE,
    UNKNOWN,
    DemoSource,
    broadcast,
)
from stream_match.capture.synth import render

BY_ID = {piece.id: piece for piece in PIECES + UNKNOWN}


@pytest.fixture(scope="module")
def segments():
    return list(broadcast())


def reference(segment):
    start = round(segment.reference_start_s * SAMPLE_RATE_HZ)
    return render(BY_ID[segment.track_id])[start : start + segment.samples]


def test_pieces_are_six_and_different():
    assert len(PIECES) == 6
    assert len(UNKNOWN) >= 2
    assert len(BY_ID) == len(PIECES) + len(UNKNOWN)
    assert len({piece.tonic % 12 for piece in PIECES}) == 6
    assert len({piece.tempo_bpm for piece in PIECES}) == 6
    assert all(25 <= piece.samples / SAMPLE_RATE_HZ <= 40 for piece in PIECES + UNKNOWN)
    assert all(piece.title and piece.artist for piece in PIECES)


@pytest.mark.parametrize("piece", PIECES + UNKNOWN, ids=lambda piece: piece.id)
def test_a_piece_sounds_throughout_and_never_repeats(piece):
    y = render(piece)
    assert y.dtype == np.float32
    assert y.size == piece.samples
    assert np.abs(y).max() == pytest.approx(0.5)
    bar = round(4 * piece.beat_s * SAMPLE_RATE_HZ)
    bars = [y[round(n * bar) : round(n * bar) + bar - 100] for n in range(piece.bars)]
    assert min(np.sqrt(np.mean(np.square(sound))) for sound in bars) > 0.02
    unit = np.stack([sound / np.linalg.norm(sound) for sound in bars])
    alike = unit @ unit.T - np.eye(len(bars))
    assert alike.max() < 0.9


def test_it_is_the_same_every_time():
    first = render(PIECES[0]).copy()
    render.cache_clear()
    np.testing.assert_array_equal(render(PIECES[0]), first)


def test_the_schedule_has_no_gaps_and_fits_the_audio(segments):
    assert SCHEDULE[0].start_s == 0.0
    assert all(a.end_s == b.start_s for a, b in pairwise(SCHEDULE))
    assert 80 <= SCHEDULE[-1].end_s <= 100
    assert [y.size for y in segments] == [segment.samples for segment in SCHEDULE]
    assert {segment.kind for segment in SCHEDULE} == {
        "room",
        "music",
        "noisy",
        "unknown",
        "speech",
        "drums",
        "silence",
    }
    assert {segment.track_id for segment in SCHEDULE} >= {piece.id for piece in PIECES}
    assert SCHEDULE[1].start_s == 1.0
    assert sum(bool(segment.reference_start_s) for segment in SCHEDULE) >= 5


def test_music_is_at_the_place_that_the_schedule_names(segments):
    inner = slice(FADE_SAMPLES, -FADE_SAMPLES)
    for segment, y in zip(SCHEDULE, segments, strict=True):
        if segment.kind in ("music", "unknown"):
            np.testing.assert_array_equal(y[inner], reference(segment)[inner])
        if segment.kind == "noisy":
            noise = (y - reference(segment))[inner]
            snr_db = 10 * np.log10(np.mean(np.square(reference(segment))) / np.mean(np.square(noise)))
            assert snr_db == pytest.approx(NOISE_SNR_DB, abs=0.3)
        if segment.kind == "silence":
            assert not y.any()
        if segment.kind == "room":
            assert 0 < np.abs(y).max() < 0.02
        if segment.kind == "speech":
            assert np.abs(y).max() > 0.1


def test_the_source_plays_the_broadcast(segments):
    source = DemoSource("demo:", "demo")
    assert not source.live
    np.testing.assert_array_equal(joined(read_all(source)), np.concatenate(segments))


def test_no_stroke_of_the_drums_falls_into_the_fade(segments):
    (drums,) = (y for segment, y in zip(SCHEDULE, segments, strict=True) if segment.kind == "drums")
    assert not drums[: 2 * FADE_SAMPLES].any()
    assert drums.any()
