"""What the version lane knows, in an index folder: built, kept by edits, and checked."""

import numpy as np
import pytest
from catalog_samples import contents, only_segment, song, write

from stream_match.catalog import add_tracks, build_index, list_tracks, load_index, remove_tracks
from stream_match.catalog.edit import compact_index
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.features.rolling import RollingChroma
from stream_match.index.shingle_search import Shingles

NAMES = ("coarse_chroma.npy", "coarse_starts.npy", "shingles.npy")


def test_it_is_that_of_the_files(built):
    harmony, settings = only_segment(built).harmony, FeatureSettings()
    for number, row in enumerate(list_tracks(built)):
        y = song(int(row.id[-1]), 4.0 + int(row.id[-1]))
        expected = coarse_chroma([RollingChroma(settings).feed(y)], settings)
        found = harmony.chroma[harmony.starts[number] : harmony.starts[number + 1]]
        np.testing.assert_array_equal(found, expected)


def test_the_shingles_are_those_of_the_chroma(tmp_path):
    build_index([write(tmp_path / "long.wav", song(1, 30.0))], tmp_path / "index", jobs=1)
    harmony = only_segment(tmp_path / "index").harmony
    expected = Shingles.of(harmony.starts, harmony.chroma)
    assert len(expected) > 10
    np.testing.assert_array_equal(harmony.shingles.coefficients, expected.coefficients)


def test_adding_removing_and_compacting_keep_it(index, built, tmp_path):
    add_tracks(index, [write(tmp_path / "new.wav", song(77, 9.0))], jobs=1, progress=False)
    assert load_index(index).harmony is not None
    remove_tracks(index, ["new"])
    compact_index(index)
    before, after = only_segment(built).harmony, only_segment(index).harmony
    np.testing.assert_array_equal(after.chroma, before.chroma)
    np.testing.assert_array_equal(after.starts, before.starts)
    np.testing.assert_array_equal(after.shingles.coefficients, before.shingles.coefficients)


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_told(index, name):
    (path,) = index.rglob(name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CatalogError, match=name):
        load_index(index)


def test_equal_files_give_equal_bytes(music, built, tmp_path):
    build_index([music], tmp_path / "again", jobs=2, progress=False)
    assert contents(tmp_path / "again") == contents(built)
