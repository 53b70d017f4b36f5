"""Tracks come and go; the rest stays as it was built."""

from functools import partial

import numpy as np
import pytest
from catalog_samples import contents, only_segment, song, write

from stream_match.catalog import list_tracks, load_index, verify_index
from stream_match.catalog.build import build_index
from stream_match.catalog.edit import add_tracks, compact_index, remove_tracks
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError, UsageError
from stream_match.index import faiss_index


def ids(index):
    return [row.id for row in list_tracks(index)]


def segments(index):
    """What stands in the segments, whatever generation it is."""
    return {name: data for name, data in contents(index).items() if name.startswith("segments/")}


def test_removed_and_added_again_gives_the_same_bytes(music, index, built):
    assert remove_tracks(index, ["disc 0/song2", "disc 1/song3"]) == 2
    assert ids(index) == ["disc 0/song0", "disc 0/song4", "disc 1/song1"]
    assert verify_index(index) == []
    (index.parent / "m" / "disc 0").mkdir(parents=True)
    (index.parent / "m" / "disc 1").mkdir()
    for name in ["disc 0/song2.wav", "disc 1/song3.wav"]:
        (index.parent / "m" / name).write_bytes((music / name).read_bytes())
    report = add_tracks(index, [index.parent / "m"], jobs=1)
    assert (report.tracks, report.audio_s) == (2, pytest.approx(13.0, abs=0.01))
    assert len(segments(index)) == 2 * len(segments(built))
    assert compact_index(index) == 5
    assert segments(index) == segments(built)


def test_order_and_portions_of_adding_do_not_matter(tmp_path):
    files = [write(tmp_path / f"{name}.wav", song(number)) for number, name in enumerate("dbca")]
    for name, portions in {"one": [[1, 2, 3]], "two": [[3], [2, 1]]}.items():
        build_index(files[:1], tmp_path / name, jobs=1)
        for portion in portions:
            add_tracks(tmp_path / name, [files[number] for number in portion], jobs=1)
    assert ids(tmp_path / "one") == ["a", "b", "c", "d"]
    assert segments(tmp_path / "one") == segments(tmp_path / "two")


def test_an_index_keeps_its_own_settings_and_hyperplanes(tmp_path):
    settings = FeatureSettings(n_steps=6, n_bits=64)
    build_index([write(tmp_path / "a.wav", song(1))], tmp_path / "index", jobs=1, settings=settings)
    before = load_index(tmp_path / "index").planes.shape.planes.copy()
    add_tracks(tmp_path / "index", [write(tmp_path / "b.wav", song(2))], jobs=1)
    after = load_index(tmp_path / "index")
    assert after.settings == settings
    np.testing.assert_array_equal(after.planes.shape.planes, before)
    assert len(after.tracks.named) == 2


def test_silence_within_a_track_stays_out_of_the_tables(tmp_path):
    y = np.concatenate([song(1, 4.0), np.zeros(4 * 22_050, np.float32), song(2, 4.0)])
    build_index([write(tmp_path / "a.wav", y)], tmp_path / "index", jobs=1)
    before = only_segment(tmp_path / "index")
    assert 0.5 < len(before.hashed) / (len(before.codes) / 2) < 0.9
    add_tracks(tmp_path / "index", [write(tmp_path / "b.wav", song(3))], jobs=1)
    compact_index(tmp_path / "index")
    after = only_segment(tmp_path / "index")
    for name in ("hashed", "audible", "codes", "chroma_codes"):
        old, new = getattr(before, name), getattr(after, name)
        assert len(new) > len(old)
        np.testing.assert_array_equal(new[: len(old)], old)
    assert verify_index(tmp_path / "index") == []


def test_large_catalogues_with_inverted_lists_can_be_edited(tmp_path, monkeypatch):
    """Their lists are mapped from a file."""
    files = [write(tmp_path / f"{number}.wav", song(number, 30.0)) for number in range(3)]
    build_index(files, tmp_path / "flat", jobs=1)
    monkeypatch.setattr(
        "stream_match.index.faiss_index.build_faiss", partial(faiss_index.build_faiss, flat_up_to=100)
    )
    build_index(files[:1], tmp_path / "ivf", jobs=1)
    first = only_segment(tmp_path / "ivf")
    assert not first.neighbours.exhaustive
    add_tracks(tmp_path / "ivf", files[1:], jobs=1)
    both = only_segment(tmp_path / "ivf")
    assert not both.neighbours.exhaustive
    assert ids(tmp_path / "ivf") == ids(tmp_path / "flat") == ["0", "1", "2"]
    np.testing.assert_array_equal(both.codes[: len(first)], first.codes)
    assert verify_index(tmp_path / "ivf") == []
    remove_tracks(tmp_path / "ivf", ["1", "2"])
    compact_index(tmp_path / "ivf")
    assert verify_index(tmp_path / "ivf") == []
    np.testing.assert_array_equal(only_segment(tmp_path / "ivf").codes, first.codes)


def test_a_track_that_is_there_is_not_added_twice(music, index):
    before = contents(index)
    with pytest.raises(UsageError, match="'disc 0/song0' already"):
        add_tracks(index, [music], jobs=1)
    assert contents(index) == before


def test_the_same_audio_under_another_name_is_told(music, index):
    report = add_tracks(index, [music / "disc 0" / "song0.wav"], jobs=1)
    assert report.duplicates == (("disc 0/song0", "song0"),)


def test_nothing_readable_changes_nothing(index, tmp_path):
    before = contents(index)
    with pytest.raises(CatalogError, match="too short"):
        add_tracks(index, [write(tmp_path / "short.wav", song(1, 1.0))], jobs=1)
    assert contents(index) == before


def test_names_for_known_and_new_tracks_may_stand_in_one_table(index, tmp_path, caplog):
    (tmp_path / "t.csv").write_text("id,title\nnew,New\ndisc 0/song0,Old\n")
    add_tracks(index, [write(tmp_path / "new.wav", song(9))], jobs=1, metadata=tmp_path / "t.csv")
    assert {row.id: row.title for row in list_tracks(index)}["new"] == "New"
    assert not caplog.records


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["disc 0/song9"], r"no track 'disc 0/song9'; did you mean 'disc 0/song\d'"),
        (["disc 0/song0", "zzz"], "no track 'zzz'$"),
    ],
)
def test_an_unknown_track_is_named_with_the_one_that_was_meant(index, given, message):
    before = contents(index)
    with pytest.raises(UsageError, match=message):
        remove_tracks(index, given)
    assert contents(index) == before


def test_the_last_track_stays(index):
    with pytest.raises(UsageError, match="delete the folder instead"):
        remove_tracks(index, ids(index))
    assert len(ids(index)) == 5


def test_a_track_named_twice_is_removed_once(index):
    assert remove_tracks(index, ["disc 0/song0", "disc 0/song0"]) == 1
    assert len(ids(index)) == 4


def test_what_is_no_index_is_not_edited(tmp_path, music):
    with pytest.raises(CatalogError, match="no index folder"):
        add_tracks(tmp_path / "none", [music])
    with pytest.raises(CatalogError, match="not an index"):
        remove_tracks(tmp_path, ["a"])
    assert list(tmp_path.iterdir()) == []


def test_a_loaded_index_stays_whole_while_it_is_changed(index, music):
    catalogue = load_index(index)
    before = [segment.words.copy() for segment in catalogue.segments]
    remove_tracks(index, ["disc 0/song0"])
    compact_index(index)
    build_index([music / "disc 1"], index, jobs=1, replace=True)
    for segment, words in zip(catalogue.segments, before, strict=True):
        np.testing.assert_array_equal(segment.words, words)
