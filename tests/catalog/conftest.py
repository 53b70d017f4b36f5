"""A folder of music and an index of it, made once."""

import shutil

import pytest
from catalog_samples import describe, song, write

from stream_match.catalog.build import build_index


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """Five songs; not to be changed."""
    folder = tmp_path_factory.mktemp("music")
    for number in range(5):
        write(folder / f"disc {number % 2}" / f"song{number}.wav", song(number, 4.0 + number))
    return folder


@pytest.fixture(scope="session")
def built(music, tmp_path_factory):
    """An index of the music; not to be changed."""
    out = tmp_path_factory.mktemp("built") / "index"
    build_index([music], out, jobs=1)
    return out


@pytest.fixture
def index(built, tmp_path):
    """A copy of the index, free to be damaged."""
    return shutil.copytree(built, tmp_path / "index")


@pytest.fixture
def described(index):
    """A copy of the index with made-up descriptors, free to be damaged."""
    describe(index)
    return index
