"""A background stands beside a small catalogue, and is never claimed."""

import numpy as np
import pytest
from music import PIECES, SETTINGS, catalogue, cut, frames_of, hear, noise, piece

from stream_match.config import FeatureSettings
from stream_match.features.smoothing import smooth
from stream_match.index.background import Background, background_segment, with_background
from stream_match.index.catalogue import grouped

STRANGERS = {f"stranger{seed}": piece(seed, 30) for seed in range(50, 58)}


def means_of(y):
    return smooth(frames_of(y), SETTINGS.smooth_frames)


@pytest.fixture(scope="module")
def background():
    return Background.of([means_of(y) for y in STRANGERS.values()], SETTINGS)


@pytest.fixture(scope="module")
def small():
    return catalogue({"p1": PIECES["p1"], "p2": PIECES["p2"]}, versions=True)


@pytest.fixture(scope="module")
def behind(small, background):
    return background_segment(background, small.planes, SETTINGS)


@pytest.fixture(scope="module")
def beside(small, behind):
    return with_background(small, behind)


def test_frames_come_back_as_they_went_in(background):
    for means, y in zip(background.tracks(SETTINGS), STRANGERS.values(), strict=True):
        original = means_of(y)
        whole = (len(original) - 1) // 4 * 4 + 1  # what lies after the last stored one is not kept
        assert means.shape == (whole, original.shape[1])
        step = (background.most - background.least) / 255
        assert (np.abs(means - original[:whole])[::4] <= 0.51 * step + 1e-6).all()
        assert np.corrcoef(means.ravel(), original[:whole].ravel())[0, 1] > 0.98


def test_stacking_and_coding_are_free_but_not_how_frames_are_made(background):
    assert background.fits(FeatureSettings(code_stride_frames=8, n_steps=6, n_bits=64, shape_coefficients=48))
    narrow = next(background.tracks(FeatureSettings(shape_coefficients=48)))
    assert narrow.shape[1] == 12 + 48
    for other in ({"hop_samples": 512}, {"smooth_frames": 3}):
        assert not background.fits(FeatureSettings(**other))


def test_the_catalogue_keeps_its_names_and_places(small, beside):
    assert beside.tracks.named == small.tracks.named
    assert len(beside.tracks) == len(small.tracks) + len(STRANGERS)
    for track in range(len(small.tracks)):
        np.testing.assert_array_equal(beside.codes(track), small.codes(track))
        np.testing.assert_array_equal(beside.audible(track), small.audible(track))


def test_what_is_in_the_background_is_not_claimed(beside):
    facts = hear(beside, *(cut(y, 5, 12) for y in STRANGERS.values()))
    assert facts == []


def test_what_is_in_the_catalogue_is_claimed_beside_it(beside):
    facts = hear(beside, noise(3, 4), cut(PIECES["p2"], 8, 12))
    assert {(one.track.id, one.kind) for one in facts} == {("p2", "recording")}


def test_the_version_lane_has_it_too(small, beside):
    assert beside.harmony.n_named == len(small.tracks)
    assert len(beside.harmony.lengths) == len(small.tracks) + len(STRANGERS)
    assert (beside.harmony.lengths > 0).all()


def test_groups_go_on_behind(small, behind):
    both = grouped(small, np.zeros(2, np.int64))
    assert with_background(both, behind).tracks.groups.tolist() == [0, 0, *range(2, 10)]


def test_in_another_snapshot_the_background_is_the_same(small, behind, beside):
    later = with_background(catalogue({"p2": PIECES["p2"]}, planes=small.planes), behind)
    n = len(STRANGERS)
    assert beside.tracks.renumbered(later.tracks).tolist() == [-1, 0, *range(1, 1 + n)]
    assert beside.tracks.renumbered(small.tracks).tolist() == [0, 1, *[-1] * n]
