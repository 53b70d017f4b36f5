"""What large catalogues are made of: like the tracks of a folder, and none of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.features.contrast import N_BANDS
from stream_match.features.shape import shape_basis

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from growing.material import MOST_SOUNDED, Frames, Sounds, permutations, permuted

TONE_HZ = 440.0
N_COEFFICIENTS = 96


def tone(seconds=4):
    y = np.sin(2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ * np.arange(seconds * SAMPLE_RATE_HZ))
    return (y * 20_000).astype(np.int16)


def test_sounded_copies_lie_two_semitones_from_their_track_and_one_from_each_other():
    sounds = Sounds([tone()])
    peaks = []
    for copy in range(MOST_SOUNDED):
        y = sounds.sounded(0, copy)
        spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y))))
        peaks.append(12 * np.log2(spectrum.argmax() * SAMPLE_RATE_HZ / len(y) / TONE_HZ))
    assert min(map(abs, peaks)) > 2
    assert np.diff(sorted(peaks)).min() > 1


def test_copies_are_drawn_by_their_numbers():
    sounds = Sounds([tone(), tone(3)])
    assert np.array_equal(sounds.sounded(1, 4), sounds.sounded(1, 4))
    assert not np.array_equal(sounds.sounded(1, 4)[:1000], sounds.sounded(1, 5)[:1000])


def test_sounds_are_not_clipped_and_silence_is_legal():
    silent = np.zeros(2 * SAMPLE_RATE_HZ, np.int16)
    for copy in range(MOST_SOUNDED):
        y = Sounds([tone(2), silent]).sounded(0, copy)
        assert y.dtype == np.float32
        assert np.abs(y).max() <= 1
        assert np.isfinite(Sounds([silent, tone(2)]).sounded(0, copy)).all()


def test_what_is_stretched_moves_chroma_and_shape_alike():
    band = 100
    bands = np.zeros(N_BANDS, np.float32)
    bands[band] = 1
    chroma = np.zeros(12, np.float32)
    chroma[0] = 1
    frame = np.concatenate([chroma, bands @ shape_basis(N_COEFFICIENTS)])
    frames = Frames([np.tile(frame, (400, 1)).astype(np.float32)])
    for copy in range(8):
        moved = frames.stretched(0, copy)
        rows = shape_basis(N_COEFFICIENTS)
        likeness = rows @ moved[0, 12:] / np.linalg.norm(rows, axis=1)
        up, rest = divmod(int(likeness.argmax()) - band, 3)
        assert rest == 0
        assert abs(up) >= 2
        assert moved[0, :12].argmax() == up % 12
        assert len(moved) != len(frames.tracks[0])


@pytest.mark.parametrize("n_bits", [64, 256])
def test_permuted_codes_are_as_far_from_each_other_and_far_from_what_they_were(n_bits):
    codes = np.random.default_rng(1).integers(0, 256, (70, n_bits // 8), dtype=np.uint8)
    orders = permutations(n_bits, 0)
    one, two = permuted(codes, next(orders)), permuted(codes, next(orders))

    def distances(first, second):
        return np.unpackbits(first[:, np.newaxis] ^ second, axis=2).sum(axis=2)

    assert np.array_equal(distances(one, one), distances(codes, codes))
    assert np.diag(distances(one, codes)).mean() == pytest.approx(n_bits / 2, rel=0.1)
    assert np.diag(distances(one, two)).mean() == pytest.approx(n_bits / 2, rel=0.1)
