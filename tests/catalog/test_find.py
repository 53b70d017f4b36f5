import os
import unicodedata

import pytest

from stream_match.catalog.find import find_tracks
from stream_match.errors import UsageError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def ids(*paths):
    return [track.id for track in find_tracks(paths).tracks]


def test_ids_are_paths_below_the_folder_without_suffix(tmp_path):
    for name in ["b/two.flac", "a.OGG", "b/c/three.v2.mp3"]:
        touch(tmp_path / name)
    assert ids(tmp_path) == ["a", "b/c/three.v2", "b/two"]


def test_a_single_file_is_called_by_its_stem_and_may_have_any_suffix(tmp_path):
    assert ids(touch(tmp_path / "x" / "tape.bin")) == ["tape"]


def test_hidden_names_and_other_suffixes_are_passed_over(tmp_path):
    for name in [".a.ogg", ".git/b.ogg", "cover.jpg", "notes.txt", "c.ogg"]:
        touch(tmp_path / name)
    assert ids(tmp_path) == ["c"]
    assert find_tracks([tmp_path]).ignored() == ["2 files without a suffix of audio, 2 hidden"]
    (tmp_path / "c.ogg").rename(tmp_path / "c")
    with pytest.raises(UsageError, match=r"no audio in .* \(3 files without a suffix of audio, 2 hidden\)"):
        find_tracks([tmp_path])


def test_order_of_the_paths_does_not_matter(tmp_path):
    one, other = touch(tmp_path / "1" / "z.ogg"), touch(tmp_path / "2" / "a.ogg")
    assert ids(one, other) == ids(other, one) == ["a", "z"]


@pytest.mark.parametrize(
    ("best", "others"),
    [
        ("a.flac", ["a.mp3", "a.ogg"]),
        ("a.flac", ["a.wav"]),  # which has no tags
        ("a.wav", ["a.mp3"]),
        ("a.OGG", ["a.ogg"]),
    ],
)
def test_of_one_song_in_several_formats_the_best_is_taken(tmp_path, best, others):
    for name in [*others, best]:
        touch(tmp_path / "x" / name)
    for name in [tmp_path, tmp_path / "x" / best]:
        found = find_tracks([tmp_path / "x", name] if name != tmp_path else [tmp_path])
        assert [track.path.name for track in found.tracks] == [best]
        assert {path.name for _, path in found.twins} == set(others)
        assert not found.skipped
    told = find_tracks([tmp_path / "x"]).ignored()
    kept = str(tmp_path / "x" / best)
    assert set(told) == {
        f"{str(tmp_path / 'x' / other)!r} is the track 'a' that {kept!r} gives" for other in others
    }


def test_of_two_alike_the_larger_is_taken(tmp_path):
    for name, size in [("a.mp3", 10), ("a.ogg", 20), ("b.flac", 10), ("b.wv", 20)]:
        (tmp_path / name).write_bytes(bytes(size))
    assert [track.path.name for track in find_tracks([tmp_path]).tracks] == ["a.ogg", "b.wv"]


def test_not_every_one_of_very_many_twins_is_named(tmp_path):
    for number in range(30):
        touch(tmp_path / f"{number}.mp3")
        touch(tmp_path / f"{number}.flac")
    told = find_tracks([tmp_path]).ignored()
    assert len(told) == 21
    assert told[-1] == "10 more files beside a better one of the same name"


def test_one_id_from_two_folders_is_refused(tmp_path):
    touch(tmp_path / "1" / "a.ogg")
    touch(tmp_path / "2" / "a.ogg")
    with pytest.raises(UsageError, match=r"1/a\.ogg.*2/a\.ogg"):
        find_tracks([tmp_path / "1", tmp_path / "2"])


def test_one_file_given_twice_is_one_track(tmp_path):
    touch(tmp_path / "a.ogg")
    assert ids(tmp_path, tmp_path, tmp_path / "a.ogg") == ["a"]


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path / "a" / "x.ogg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    assert ids(tmp_path) == ["a/x"]


def test_names_are_one_however_they_are_composed(tmp_path):
    touch(tmp_path / unicodedata.normalize("NFD", "Übung.ogg"))
    assert ids(tmp_path) == [unicodedata.normalize("NFC", "Übung")]


def test_a_name_that_is_no_text_is_skipped_with_a_reason(tmp_path):
    touch(tmp_path / "a.ogg")
    (tmp_path / os.fsdecode(b"b\xff.ogg")).touch()
    found = find_tracks([tmp_path])
    assert [track.id for track in found.tracks] == ["a"]
    assert "not UTF-8: rename it" in found.skipped[0][1]
    found.skipped[0][1].encode()


@pytest.mark.parametrize("there", [True, False])
def test_nothing_to_be_found_is_a_mistake(tmp_path, there):
    if there:
        (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty"):
        find_tracks([tmp_path / "empty"])


def test_links_that_lead_nowhere_are_left_to_the_reader(tmp_path):
    (tmp_path / "a.ogg").symlink_to(tmp_path / "gone")
    (tmp_path / "b.ogg").symlink_to(tmp_path / "b.ogg")
    assert ids(tmp_path) == ["a", "b"]
    with pytest.raises(UsageError, match="cannot be read"):
        find_tracks([tmp_path / "a\0b"])


def test_no_paths_are_a_mistake():
    with pytest.raises(UsageError):
        find_tracks([])
