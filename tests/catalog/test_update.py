"""An index follows its folders: what is new, changed or gone."""

import errno
import shutil
import unicodedata

import numpy as np
import pytest
from catalog_samples import contents, song, write

from stream_match.catalog import (
    build_index,
    compact_index,
    describe_index,
    find,
    list_tracks,
    load_index,
    update_index,
    verify_index,
)
from stream_match.errors import CatalogError, UsageError


@pytest.fixture
def folder(music, tmp_path):
    """A copy of the music, free to be changed."""
    return shutil.copytree(music, tmp_path / "music")


def rows(index):
    return {row.id: row for row in list_tracks(index)}


def counts(report):
    return report.added, report.changed, report.removed, report.kept


def test_new_changed_and_gone(index, folder):
    before = rows(index)
    write(folder / "disc 1" / "song1.wav", song(71, 5.0))
    (folder / "disc 0" / "song0.wav").unlink()
    write(folder / "disc 2" / "song7.wav", song(7, 4.0))
    report = update_index(index, [folder], jobs=1)
    assert counts(report) == (1, 1, 1, 3)
    after = rows(index)
    assert sorted(after) == ["disc 0/song2", "disc 0/song4", "disc 1/song1", "disc 1/song3", "disc 2/song7"]
    assert after["disc 1/song1"].sha256 != before["disc 1/song1"].sha256
    assert after["disc 1/song3"] == before["disc 1/song3"]
    assert verify_index(index) == []
    build_index([folder], index.parent / "anew", jobs=1)
    assert {name: row.sha256 for name, row in after.items()} == {
        name: row.sha256 for name, row in rows(index.parent / "anew").items()
    }


def test_nothing_new_writes_nothing(index, folder):
    before = contents(index)
    assert counts(update_index(index, [folder], jobs=1)) == (0, 0, 0, 5)
    assert contents(index) == before


def test_other_names_in_the_table_are_a_change(index, folder, tmp_path):
    (tmp_path / "t.csv").write_text("id,title\ndisc 0/song2,New\n")
    for expected in [(0, 1, 0, 4), (0, 0, 0, 5)]:
        assert counts(update_index(index, [folder], jobs=1, metadata=tmp_path / "t.csv")) == expected
        assert rows(index)["disc 0/song2"].title == "New"


def test_what_is_gone_only_makes_tombstones(index, folder):
    segments = [path.name for path in (index / "segments").iterdir()]
    (folder / "disc 0" / "song0.wav").unlink()
    assert counts(update_index(index, [folder], jobs=1)) == (0, 0, 1, 4)
    assert [path.name for path in (index / "segments").iterdir()] == segments
    assert describe_index(index).segments[0].removed == 1


def test_tracks_in_a_folder_that_cannot_be_read_are_not_gone(index, folder, monkeypatch):
    (folder / "disc 1" / "song1.wav").unlink()
    scanning = find.os.scandir

    def refusing(path):
        if getattr(path, "name", "") == "disc 0":
            raise PermissionError(13, "Permission denied", str(path))
        return scanning(path)

    monkeypatch.setattr(find.os, "scandir", refusing)
    report = update_index(index, [folder], jobs=1)
    assert counts(report) == (0, 0, 1, 4)
    assert "Permission denied" in report.build.skipped[0][1]
    assert "disc 0/song4" in rows(index)


@pytest.mark.parametrize("name", ["archive", "live.wav"])
@pytest.mark.parametrize("how", ["dangling", "stale"])
def test_tracks_of_a_folder_that_is_away_are_not_gone(index, folder, tmp_path, monkeypatch, name, how):
    (folder / name).symlink_to((folder / "disc 0").rename(tmp_path / "disk"))
    assert counts(update_index(index, [folder], jobs=1)) == (3, 0, 3, 2)
    (folder / "disc 1" / "song1.wav").unlink()
    if how == "dangling":
        (tmp_path / "disk").rename(tmp_path / "unplugged")
    else:
        status = find.Path.stat

        def stale(path, **kwargs):
            if path.name == name:
                raise OSError(errno.ESTALE, "Stale file handle", str(path))
            return status(path, **kwargs)

        monkeypatch.setattr(find.Path, "stat", stale)
    report = update_index(index, [folder], jobs=1)
    assert counts(report) == (0, 0, 1, 4)
    assert [path for path, _ in report.build.skipped] == [folder / name]
    assert f"{name}/song4" in rows(index)


def test_tracks_of_an_unreadable_folder_are_not_gone_however_its_name_is_composed(index, folder, monkeypatch):
    decomposed = unicodedata.normalize("NFD", "été")
    (folder / "disc 0").rename(folder / decomposed)
    update_index(index, [folder], jobs=1)
    scanning = find.os.scandir

    def refusing(path):
        if getattr(path, "name", "") == decomposed:
            raise PermissionError(13, "Permission denied", str(path))
        return scanning(path)

    monkeypatch.setattr(find.os, "scandir", refusing)
    (folder / "disc 1" / "song1.wav").unlink()
    assert counts(update_index(index, [folder], jobs=1)) == (0, 0, 1, 4)
    assert f"{unicodedata.normalize('NFC', decomposed)}/song4" in rows(index)


def test_a_file_that_has_become_unreadable_stays_as_it_was(index, folder):
    before = rows(index)
    (folder / "disc 0" / "song0.wav").write_bytes(b"no audio")
    report = update_index(index, [folder], jobs=1)
    assert counts(report) == (0, 0, 0, 5)
    assert len(report.build.skipped) == 1
    assert rows(index) == before


@pytest.mark.parametrize("emptied", ["one", "all"])
def test_a_folder_without_any_audio_is_taken_for_one_that_is_not_mounted(index, folder, emptied):
    before = contents(index)
    for disc in ["disc 0", "disc 1"][: 1 if emptied == "one" else 2]:
        for path in (folder / disc).iterdir():
            path.unlink()
    with pytest.raises(UsageError, match="there is no audio in"):
        update_index(index, [folder / "disc 0", folder / "disc 1"], jobs=1)
    assert contents(index) == before


def test_folders_of_other_tracks_do_not_empty_an_index(index, tmp_path):
    before = contents(index)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "text.wav").write_text("no audio")
    with pytest.raises(UsageError, match=r"none of the tracks of .* is in what was given"):
        update_index(index, [tmp_path / "other"], jobs=1)
    assert contents(index) == before


def test_what_is_no_index_is_not_updated(tmp_path, folder):
    with pytest.raises(CatalogError, match="no index folder"):
        update_index(tmp_path / "none", [folder], jobs=1)


def test_refitted_it_is_as_if_built_anew(folder, tmp_path):
    (tmp_path / "t.csv").write_text("id,title\ndisc 0/song2,Two\n")
    index, anew = tmp_path / "index", tmp_path / "anew"
    build_index([folder], anew, jobs=1, metadata=tmp_path / "t.csv")
    hidden = (folder / "disc 1").rename(tmp_path / "disc 1")
    build_index([folder], index, jobs=1, metadata=tmp_path / "t.csv")
    hidden.rename(folder / "disc 1")
    update_index(index, [folder], jobs=1)
    write(folder / "stranger.wav", song(50))  # not of the index
    before = load_index(index).planes
    assert compact_index(index, refit=[folder], jobs=1) == 5
    after, expected = load_index(index).planes, load_index(anew).planes
    assert not np.array_equal(after.shape.planes, before.shape.planes)
    assert after.equal(expected)
    for kind in ("segments", "planes"):
        assert contents(index / kind) == contents(anew / kind)
    assert rows(index)["disc 0/song2"].title == "Two"
    assert verify_index(index) == []


def test_without_the_audio_of_all_tracks_nothing_is_refitted(index, folder):
    before = contents(index)
    with pytest.raises(UsageError, match=r"the audio of the track 'disc 0/song0' is not in"):
        compact_index(index, refit=[folder / "disc 1"], jobs=1)
    (folder / "disc 0" / "song4.wav").write_bytes(b"no audio")
    (folder / "away").symlink_to(folder / "unplugged")  # which holds none of its tracks
    with pytest.raises(
        CatalogError,
        match=r"song4\.wav' .*; without the track 'disc 0/song4' the index cannot be fitted anew",
    ):
        compact_index(index, refit=[folder], jobs=1)
    assert contents(index) == before
