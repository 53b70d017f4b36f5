"""The coarse chroma in an index folder: built, kept by edits, and checked."""

import numpy as np
import pytest
from catalog_samples import song, write

from stream_match.catalog import add_tracks, build_index, load_index, remove_tracks
from stream_match.errors import CatalogError
from stream_match.features.rolling import RollingChroma
from stream_match.features.coarse_chroma import coarse_chroma


def test_it_is_that_of_the_files(built, music):
    versions = load_index(built).versions
    assert [track.id for track in versions.tracks] == [track.id for track in load_index(built).tracks]
    for number, track in enumerate(versions.tracks):
        y = song(int(track.id[-1]), 4.0 + int(track.id[-1]))
        expected = coarse_chroma([RollingChroma(versions.settings).feed(y)], versions.settings)
        found = versions.chroma[versions.starts[number] : versions.starts[number + 1]]
        np.testing.assert_array_equal(found, expected)


def test_adding_and_removing_keep_it(index, tmp_path):
    before = load_index(index).versions
    kept = np.array(before.chroma), np.array(before.starts)
    add_tracks(index, [write(tmp_path / "new.wav", song(77, 9.0))], jobs=1, progress=False)
    assert len(load_index(index).versions.chroma) > len(kept[0])
    remove_tracks(index, ["new"])
    after = load_index(index).versions
    np.testing.assert_array_equal(after.chroma, kept[0])
    np.testing.assert_array_equal(after.starts, kept[1])


@pytest.mark.parametrize("name", ["coarse_chroma.npy", "coarse_starts.npy"])
def test_damage_is_told(index, name):
    data = bytearray((index / name).read_bytes())
    data[-1] ^= 1
    (index / name).write_bytes(data)
    with pytest.raises(CatalogError, match=name):
        load_index(index)


def test_equal_files_give_equal_bytes(music, built, tmp_path):
    build_index([music], tmp_path / "again", jobs=2, progress=False)
    for name in ("coarse_chroma.npy", "coarse_starts.npy"):
        assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes()
