"""`listen` loads one catalogue for all engines, and hands each the newest."""

import shutil

import pytest

from stream_match.cli.listen import _catalogue, _engines
from stream_match.config import ListenSettings
from stream_match.errors import CatalogError


@pytest.fixture(autouse=True)
def _engine_that_shows_its_catalogue(monkeypatch):
    monkeypatch.setattr("stream_match.engine.Engine", lambda catalogue, *_: catalogue)


def test_all_engines_share_one_catalogue(index):
    settings = ListenSettings(index=index)
    catalogue = _catalogue(index)
    make = _engines(settings, catalogue)
    first = make()
    assert len(first.tracks.named) == 2
    assert all(make() is first is catalogue.newest for _ in range(3))


def test_an_engine_that_is_made_later_has_the_newest(index):
    catalogue = _catalogue(index)
    make = _engines(ListenSettings(index=index), catalogue)
    make()
    catalogue.newest = newer = object()
    assert make() is newer


def test_without_an_index_there_is_none():
    assert _engines(ListenSettings(), None)() is None


@pytest.mark.parametrize("exists", [True, False])
def test_an_index_that_cannot_be_loaded_at_the_start_is_an_error(index, tmp_path, exists):
    if exists:
        shutil.copytree(index, tmp_path / "idx")
        (tmp_path / "idx" / "manifest.json").write_text("{}")
    with pytest.raises(CatalogError):
        _catalogue(tmp_path / "idx")
