"""Descriptors as a part of an index: they follow the audio, whatever becomes of the tracks."""

import errno
import json
import logging
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from catalog_samples import COLUMNS, contents, describe, made_up_descriptors, resign, song, write
from hypothesis import given
from hypothesis import strategies as st

from stream_match.catalog import (
    add_tracks,
    build_index,
    compact_index,
    list_tracks,
    load_index,
    remove_tracks,
    store,
    update_index,
    verify_index,
)
from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.described import read_descriptors
from stream_match.catalog.described_rows import DescribedRows
from stream_match.catalog.edit import basis_of, open_to_change
from stream_match.catalog.generation import write_generation
from stream_match.catalog.manifest import read_manifest
from stream_match.catalog.rows import TrackRow
from stream_match.catalog.store import open_index
from stream_match.catalog.writing import writing
from stream_match.descriptors.sets import SETS
from stream_match.descriptors.similar_tracks import LENGTHS
from stream_match.errors import CatalogError, UsageError


def joined(described):
    return np.concatenate([described.sets[name] for name in SETS], axis=1)


def fits(index, found):
    """Every track that has descriptors has those of its audio; return the ids of these."""
    described = read_descriptors(index)
    expected = np.array([found[track.sha256] for track in described.tracks])
    np.testing.assert_array_equal(joined(described), expected)
    assert {*described.ids, *described.missing} == {row.id for row in list_tracks(index)}
    assert verify_index(index) == []
    return list(described.ids)


def is_mapped(array):
    while array.base is not None and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def test_what_was_put_in_is_read(index):
    before = read_manifest(index)
    found = describe(index)
    described = read_descriptors(index)
    assert fits(index, found) == [row.id for row in list_tracks(index)]
    assert described.missing == ()
    for name, values in described.sets.items():
        assert (values.dtype, values.shape) == (np.float32, (5, len(SETS[name].columns)))
        assert is_mapped(values)
        assert not values.flags.writeable
    assert read_manifest(index).generation == before.generation + 1
    assert read_manifest(index).segments == before.segments
    assert read_manifest(index).parts.descriptors.librosa == ("0.11.0",)


def test_equal_rows_are_equal_bytes_and_other_rows_replace_them(index, tmp_path):
    shutil.copytree(index, tmp_path / "other")
    describe(index)
    describe(tmp_path / "other")
    one, other = read_manifest(index), read_manifest(tmp_path / "other")
    assert one.parts.descriptors == other.parts.descriptors
    found = describe(index, seed=1)
    fits(index, found)
    assert len(list((index / "planes").iterdir())) == 2


def test_a_part_is_added_to_and_files_that_are_not_in_the_index_are_passed_over(index):
    found = made_up_descriptors(index)
    hashes = sorted(found)
    few = {name: found[name] for name in hashes[:2]} | {"f" * 64: np.zeros(COLUMNS, np.float32)}
    assert add_descriptors(index, few, librosa="0.11.0") == 2
    assert len(fits(index, found)) == 2
    assert len(read_descriptors(index).missing) == 3
    assert add_descriptors(index, {hashes[4]: found[hashes[4]]}, librosa="0.12.0") == 3
    assert len(fits(index, found)) == 3
    assert read_manifest(index).parts.descriptors.librosa == ("0.11.0", "0.12.0")
    assert read_manifest(index).parts.descriptors.rows == 3


def test_nothing_is_written_without_rows(index):
    before = read_manifest(index)
    assert add_descriptors(index, {"f" * 64: np.zeros(COLUMNS, np.float32)}, librosa="0.11.0") == 0
    assert read_manifest(index) == before


def test_tracks_that_are_removed_are_ignored_and_find_their_rows_again(index, music):
    found = describe(index)
    remove_tracks(index, ["disc 0/song2", "disc 1/song1"])
    assert fits(index, found) == ["disc 0/song0", "disc 0/song4", "disc 1/song3"]
    add_tracks(index, [music / "disc 0" / "song2.wav"], jobs=1)  # under another name
    assert fits(index, found) == ["disc 0/song0", "disc 0/song4", "disc 1/song3", "song2"]
    assert read_descriptors(index).missing == ()


def test_other_audio_under_the_same_name_has_no_descriptors(index, music, tmp_path):
    found = describe(index)
    changed = shutil.copytree(music, tmp_path / "music")
    write(changed / "disc 0" / "song2.wav", song(77, 6.0))
    write(changed / "new.wav", song(78, 6.0))
    update_index(index, [changed], jobs=1)
    assert len(fits(index, found)) == 4
    assert sorted(read_descriptors(index).missing) == ["disc 0/song2", "new"]


@pytest.mark.parametrize("refit", [False, True])
def test_compacting_drops_rows_of_audio_that_is_gone(index, music, refit):
    found = describe(index)
    remove_tracks(index, ["disc 0/song0"])
    assert read_manifest(index).parts.descriptors.rows == 5
    assert not is_mapped(read_descriptors(index).sets["rp"])
    compact_index(index, refit=[music] if refit else None, jobs=1)
    assert len(fits(index, found)) == 4
    assert read_manifest(index).parts.descriptors.rows == 4
    assert is_mapped(read_descriptors(index).sets["rp"])


def test_compacting_away_the_last_described_track(index):
    rows = list_tracks(index)
    found = made_up_descriptors(index)
    add_descriptors(index, {rows[0].sha256: found[rows[0].sha256]}, librosa="0.11.0")
    remove_tracks(index, [rows[0].id])
    with pytest.raises(UsageError, match="has descriptors of none of its tracks"):
        read_descriptors(index)
    compact_index(index)
    with pytest.raises(UsageError, match=r"has no descriptors: add them with stream-match index describe"):
        read_descriptors(index)
    assert len(list((index / "planes").iterdir())) == 1


def test_an_index_that_is_built_anew_has_none(described, music):
    build_index([music], described, jobs=1, replace=True)
    with pytest.raises(UsageError, match="has no descriptors"):
        read_descriptors(described)


def test_copies_of_one_file_share_its_row(tmp_path):
    for name, seed in ("a", 1), ("b", 2):
        write(tmp_path / "music" / f"{name}.wav", song(seed))
    shutil.copy(tmp_path / "music" / "a.wav", tmp_path / "music" / "c.wav")  # written, it has its own time
    index = tmp_path / "index"
    build_index([tmp_path / "music"], index, jobs=1)
    found = describe(index)
    assert len(found) == 2
    assert fits(index, found) == ["a", "b", "c"]
    assert is_mapped(read_descriptors(index).sets["rp"])


def test_rows_of_nan_tell_which_set_does_not_take_the_track(index):
    found = made_up_descriptors(index)
    first, second, *_ = sorted(found)
    found[first][: len(SETS["rp"].columns)] = np.nan
    found[second][-1] = np.inf
    add_descriptors(index, found, librosa="0.11.0")
    described = read_descriptors(index)
    lacking = {
        names: {
            t.sha256 for t, ok in zip(described.tracks, described.complete(*names), strict=True) if not ok
        }
        for names in (("rp",), ("ssd",), ("gtzan",), ("rp", "gtzan"), ())
    }
    assert list(lacking.values()) == [{first}, set(), {second}, {first, second}, set()]


@given(st.lists(st.integers(0, 5), max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_each_track_finds_a_row_of_its_audio(stored, asked):
    audio = np.array(stored, np.uint8).reshape(-1, 1).repeat(32, axis=1)
    rows = DescribedRows(None, audio, {"rp": np.array(stored, np.float32)[:, None]}, None)
    tracks = [TrackRow(id=f"{n}", seconds=1.0, codes=1, sha256=f"{n:02x}" * 32) for n in asked]
    places = rows.places(tracks)
    assert [place >= 0 for place in places] == [n in stored for n in asked]
    there = places[places >= 0]
    assert rows.values(there)["rp"][:, 0].tolist() == [n for n in asked if n in stored]
    if asked == stored[: len(asked)]:
        assert places.tolist() == list(range(len(asked)))


# --- what a listener has of them ---


def test_a_listener_has_the_tracks_by_what_they_sound_like(index):
    assert load_index(index).similar is None
    found = describe(index)
    similar = load_index(index).similar
    rows = list_tracks(index)
    assert [track.id for track in similar.tracks] == [row.id for row in rows]
    assert all(is_mapped(values) for values in similar.sets.values())
    own = similar.nearest(found[rows[2].sha256][: sum(LENGTHS.values())].astype(float), 3)
    assert (own[0].id, own[0].distance, own[0].title) == (rows[2].id, 0.0, rows[2].title)
    assert len(own) == 3
    remove_tracks(index, [rows[2].id])
    left = load_index(index).similar
    assert [track.id for track in left.tracks] == [row.id for row in rows if row.id != rows[2].id]
    compact_index(index)
    assert {track.id for track in load_index(index).similar.tracks} == {track.id for track in left.tracks}


def test_a_track_that_is_too_short_is_like_nothing(index):
    found = made_up_descriptors(index)
    short, *_ = sorted(found)
    asked = found[short][: sum(LENGTHS.values())].astype(float)
    found[short][: len(asked)] = np.nan
    add_descriptors(index, found, librosa="0.11.0")
    similar = load_index(index).similar
    told = replace(similar, closeness=replace(similar.closeness, near=np.inf)).nearest(asked, 10)
    ids = {row.id for row in list_tracks(index) if row.sha256 != short}
    assert {track.id for track in told} == ids


def test_only_tracks_too_short_resemble_nothing(index):
    found = {audio: np.full_like(row, np.nan) for audio, row in made_up_descriptors(index).items()}
    add_descriptors(index, found, librosa="0.11.0")
    similar = load_index(index).similar
    assert similar.closeness.near == 0
    assert similar.nearest(np.zeros(sum(LENGTHS.values())), 3) == ()


def test_descriptors_of_another_computation_are_not_listened_with(described):
    resign(described, lambda manifest: part_of(manifest).update(computed=99))
    assert load_index(described).similar is None


# --- what does not fit ---


def part_of(manifest):
    return manifest["parts"]["descriptors"]


def test_a_later_version_is_passed_over_and_kept(described):
    found = made_up_descriptors(described)
    resign(described, lambda manifest: part_of(manifest).update(version=2, rows="many"))
    assert len(load_index(described).tracks.named) == 5
    assert verify_index(described) == []
    with pytest.raises(UsageError, match=r"have version 2, and this .* reads 1: take a newer one"):
        read_descriptors(described)
    with pytest.raises(CatalogError, match=r"have version 2, .* writes 1: take a newer one; nothing was"):
        add_descriptors(described, found, librosa="0.11.0")
    with pytest.raises(CatalogError, match="holds parts that this version"):
        compact_index(described)
    remove_tracks(described, ["disc 0/song0"])
    resign(described, lambda manifest: part_of(manifest).update(version=1, rows=5))
    assert len(fits(described, found)) == 4


def test_a_generation_has_the_parts_that_it_is_given_and_keeps_those_that_are_not_known(described):
    def grow(manifest):
        manifest["parts"]["classes"] = {"version": 7, "folder": "fedcba9876543210"}
        manifest["parts"]["hyperplanes"]["seed"] = 5
        part_of(manifest)["mean"] = 0.5

    resign(described, grow)
    (described / "planes" / "fedcba9876543210").mkdir()
    before = json.loads((described / "manifest.json").read_text())["parts"]
    near = before["descriptors"]["near"] + 1.0
    with writing(described, lambda: None) as draft:
        old = open_to_change(described)
        parts = old.manifest.parts
        parts = parts.model_copy(update={"descriptors": parts.descriptors.model_copy(update={"near": near})})
        write_generation(draft, replace(basis_of(old), parts=parts), old.segments, (), frozenset())
    after = json.loads((described / "manifest.json").read_text())["parts"]
    assert after.pop("descriptors") == {
        **{key: what for key, what in before.pop("descriptors").items() if key != "mean"},
        "near": near,
    }
    assert after == before


def test_what_was_computed_otherwise_is_not_read_and_is_replaced(described):
    resign(described, lambda manifest: part_of(manifest).update(computed=99))
    with pytest.raises(UsageError, match=r"computed by another version .* make them anew with .* describe"):
        read_descriptors(described)
    remove_tracks(described, ["disc 0/song0"])
    compact_index(described)
    assert read_manifest(described).parts.descriptors.computed == 99
    found = made_up_descriptors(described, 3)
    few = dict(list(found.items())[:2])
    assert add_descriptors(described, few, librosa="0.12.0") == 2
    fits(described, found)
    assert read_manifest(described).parts.descriptors.librosa == ("0.12.0",)


def lying(change):
    def told(index):
        resign(index, lambda manifest: change(part_of(manifest)))

    return told


@pytest.mark.parametrize(
    "damage",
    [
        lying(lambda part: part.update(rows=4)),
        lying(lambda part: part.update(rows=(1 << 32) - 1)),
        lying(lambda part: part["files"].pop("audio.npy")),
        lying(lambda part: part["files"]["rp.npy"].update(bytes=10)),
        lying(lambda part: part.update(folder="0" * 16)),
        lambda index: next(index.rglob("ssd.npy")).unlink(),
        lambda index: os.truncate(next(index.rglob("rp.npy")), 3000),
    ],
)
def test_damage_is_told_and_mended_by_describing_again(described, damage, caplog):
    damage(described)
    told = rf"describe the tracks again with .* index describe {described}"
    with pytest.raises(CatalogError, match=told):
        read_descriptors(described)
    with caplog.at_level(logging.WARNING):
        assert load_index(described).similar is None  # the rest is listened with
    assert re.search(told, caplog.text)
    (problem, *_) = verify_index(described)
    assert "describe the tracks again" in problem
    found = made_up_descriptors_of(described)
    with caplog.at_level(logging.WARNING):
        assert add_descriptors(described, found, librosa="0.11.0") == 5
    assert "all tracks count as not described" in caplog.text
    assert len(fits(described, found)) == 5


def made_up_descriptors_of(damaged):
    """The same, of an index that is not read for the damage of its descriptors."""
    rows = open_index(damaged, descriptors=False).rows
    return {row.sha256: np.full(COLUMNS, number, np.float32) for number, row in enumerate(rows)}


def test_damage_elsewhere_is_not_mended_by_describing(described):
    found = made_up_descriptors(described)
    next(described.rglob("codes.npy")).unlink()
    with pytest.raises(CatalogError, match=r"codes.npy' is missing: build the index again"):
        add_descriptors(described, found, librosa="0.11.0")


def test_what_the_system_refuses_for_now_does_not_drop_descriptors(described, monkeypatch):
    found = made_up_descriptors(described)
    before = contents(described)

    def refuse(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "rp.npy")

    with monkeypatch.context() as patched:
        patched.setattr(store, "open_descriptors", refuse)
        with pytest.raises(CatalogError, match="cannot be read: Too many open files"):
            add_descriptors(described, dict(list(found.items())[:1]), librosa="0.11.0")
    assert contents(described) == before
