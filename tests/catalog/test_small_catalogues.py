"""Small and odd catalogues: a background stands beside them when they are loaded."""

import shutil

import numpy as np
import pytest
from catalog_samples import song, write
from music import RATE_HZ, check_lives, cut, hear, piece

from stream_match.catalog import background, build_index, load_index, remove_tracks
from stream_match.catalog.background import load_background, ready, save_background
from stream_match.catalog.store import open_index
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError, UsageError
from stream_match.shipped import shipped


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Thirty copies of one jingle, and another one."""
    folder = tmp_path_factory.mktemp("copies")
    jingle = piece(10, 6)
    for number in range(30):
        write(folder / "music" / f"copy {number}.wav", jingle)
    write(folder / "music" / "other.wav", piece(11, 6))
    build_index([folder / "music"], folder / "index", jobs=1)
    return folder / "index"


def test_a_small_catalogue_has_a_background(built):
    assert len(load_index(built).tracks) == 5 + len(load_background(FeatureSettings()))
    assert len(open_index(built).catalogue.tracks) == 5  # what is edited has none


def test_a_catalogue_of_many_different_tracks_has_none(tmp_path):
    for number in range(24):
        write(tmp_path / "music" / f"{number}.wav", song(number, 16))
    build_index([tmp_path / "music"], tmp_path / "index", jobs=1)
    reference = load_index(tmp_path / "index")
    assert (len(reference.tracks), reference.tracks.groups) == (24, None)


def test_jingles_do_not_make_a_catalogue_large(tmp_path):
    for number in range(24):
        write(tmp_path / "music" / f"{number}.wav", song(number, 3))
    build_index([tmp_path / "music"], tmp_path / "index", jobs=1)
    assert len(load_index(tmp_path / "index").tracks) > 24


def test_copies_do_not_make_a_catalogue_large(copies):
    reference = load_index(copies)
    assert len(reference.tracks) == 31 + len(load_background(FeatureSettings()))
    assert len(np.unique(reference.tracks.groups[:31])) == 2


def test_unknown_music_is_not_taken_for_the_one_that_is_no_copy(copies):
    reference = load_index(copies)
    assert [
        one for seed in (99, 98) for one in hear(reference, piece(seed, 60), max_false_alarms_per_hour=1)
    ] == []


def test_jingle_and_other_are_still_claimed(copies):
    facts = hear(load_index(copies), piece(99, 5), piece(11, 6), piece(97, 5), cut(piece(10, 6), 1, 5))
    check_lives(facts)
    assert [one.track.id.split()[0] for one in facts if one.phase == "started"] == ["other", "copy"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"code_stride_frames": 16, "hop_samples": 2048}, "codes 1.49 s apart"),
        ({"version_hop_frames": 4}, "steps of 4096 samples, expected 8192"),
    ],
)
def test_settings_that_nothing_is_recognised_with_are_refused(settings, complaint, tmp_path):
    write(tmp_path / "music" / "a.wav", song(1))
    with pytest.raises(UsageError, match=complaint):
        build_index([tmp_path / "music"], tmp_path / "index", settings=FeatureSettings(**settings))


def test_settings_that_it_does_not_fit_are_refused(tmp_path):
    write(tmp_path / "music" / "a.wav", song(1))
    with pytest.raises(CatalogError, match="needs at least 24 different tracks"):
        build_index(
            [tmp_path / "music"], tmp_path / "index", jobs=1, settings=FeatureSettings(smooth_frames=3)
        )
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("name", ["means.npy", "starts.npy", "scale.npy", "settings.json"])
@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_damaged_background_is_said_to_be(name, damage, tmp_path, monkeypatch):
    folder = tmp_path / "background"
    shutil.copytree(shipped("background"), folder)
    (folder / name).unlink() if damage == "missing" else (folder / name).write_bytes(b"\x93NUMPY")
    monkeypatch.setattr(background, "shipped", lambda _: folder)
    with pytest.raises(CatalogError, match=r"the background in .* cannot be read"):
        load_background(FeatureSettings())


def test_one_that_contradicts_itself_is_refused(tmp_path, monkeypatch):
    save_background(load_background(FeatureSettings()), tmp_path)
    np.save(tmp_path / "starts.npy", np.array([0, 100]))
    monkeypatch.setattr(background, "shipped", lambda _: tmp_path)
    with pytest.raises(CatalogError, match="contradicts itself"):
        load_background(FeatureSettings())


def test_what_is_saved_is_loaded(tmp_path, monkeypatch):
    whole = load_background(FeatureSettings())
    save_background(whole, tmp_path)
    monkeypatch.setattr(background, "shipped", lambda _: tmp_path)
    again = load_background(FeatureSettings())
    np.testing.assert_array_equal(again.means, whole.means)
    assert again.settings == whole.settings


def test_it_is_made_ready_once(built):
    catalogue = open_index(built).catalogue
    once = ready(catalogue)
    assert once.tracks.named == catalogue.tracks.named
    assert ready(once) is once
    assert once.score_bias == catalogue.score_bias


def test_it_is_coded_once_for_all_generations(index, music):
    before = load_index(index)
    remove_tracks(index, ["disc 0/song0"])
    assert load_index(index).segments[-1] is before.segments[-1]
    build_index([music / "disc 1"], index, jobs=1, replace=True)
    assert load_index(index).segments[-1] is not before.segments[-1]


def test_what_it_holds_lasts_half_an_hour_at_most():
    held = load_background(FeatureSettings())
    assert len(held) >= 24
    assert sum(len(means) for means in held.tracks(FeatureSettings())) * 1024 / RATE_HZ < 1800
