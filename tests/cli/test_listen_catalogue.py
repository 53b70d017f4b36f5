"""`listen` loads one catalogue for all engines, and hands each the newest."""

import gc
import logging
import shutil
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

import stream_match
from stream_match.cli import hearings, listen
from stream_match.cli.hearings import LOOPS, Hearings, _catalogue, _compile_loops, _engines
from stream_match.config import HeardSettings, ListenSettings
from stream_match.errors import CatalogError


@pytest.fixture(autouse=True)
def _engine_that_shows_its_catalogue(monkeypatch):
    monkeypatch.setattr("stream_match.engine.Engine", lambda catalogue, *_, **__: catalogue)


def test_all_engines_share_one_catalogue(index):
    settings = HeardSettings(index=index)
    catalogue = _catalogue(index)
    make = _engines(settings, catalogue, None)
    first = make()
    assert len(first.tracks.named) == 2
    assert all(make() is first is catalogue.newest for _ in range(3))


def test_an_engine_that_is_made_later_has_the_newest(index):
    catalogue = _catalogue(index)
    make = _engines(HeardSettings(index=index), catalogue, None)
    make()
    catalogue.newest = newer = object()
    assert make() is newer


def test_without_an_index_there_is_none():
    assert _engines(HeardSettings(), None, None)() is None


@pytest.mark.parametrize("exists", [True, False])
def test_an_index_that_cannot_be_loaded_at_the_start_is_an_error(index, tmp_path, exists):
    if exists:
        shutil.copytree(index, tmp_path / "idx")
        (tmp_path / "idx" / "manifest.json").write_text("{}")
    with pytest.raises(CatalogError):
        _catalogue(tmp_path / "idx")


NOT_LISTENING = {"selection_kernels", "nearest_kernels"}
"""Loops of commands that compare files and tables: no listener waits for them."""

WITH_AN_INDEX = {"block_kernels"}
"""Loops of indexes on servers: compiled when one is opened, which is before a source is."""


def test_all_that_is_compiled_is_compiled_before_a_source_is_opened():
    folder = Path(stream_match.__file__).parent
    importing = [path for path in folder.rglob("*.py") if "index.compiled import" in path.read_text()]
    assert {path.stem for path in importing} == set(LOOPS) | NOT_LISTENING | WITH_AN_INDEX
    assert {path.parent for path in importing if path.stem in LOOPS} == {folder / "index"}
    _compile_loops()
    assert all(f"stream_match.index.{name}" in sys.modules for name in LOOPS)


@pytest.mark.parametrize(
    ("took_s", "compiled", "told"),
    [(0.1, ["loop"], False), (14.2, ["loop"], True), (14.2, [], False)],  # the last one: a busy computer
)
def test_that_compiling_took_long_is_said_in_one_line(monkeypatch, caplog, took_s, compiled, told):
    monkeypatch.setattr("stream_match.index.compiled.compiled_anew", compiled)
    times = iter([100.0, 100.0 + took_s])
    monkeypatch.setattr(hearings.time, "monotonic", lambda: next(times))
    with caplog.at_level(logging.INFO, hearings.__name__):
        _compile_loops()
    assert len(caplog.messages) == told
    assert all("compiling took 14 s" in message for message in caplog.messages)


class Loaded:
    """A catalogue that can be forgotten."""

    newest = None


def test_loops_are_compiled_before_a_source_is_opened_and_the_index_is_loaded(monkeypatch, index):
    done = []
    monkeypatch.setattr(listen, "_Signals", lambda: SimpleNamespace(came=False))
    monkeypatch.setattr(hearings, "_compile_loops", lambda: done.append("compiled"))
    monkeypatch.setattr(hearings, "_catalogue", lambda _: done.append("loaded") or Loaded())

    async def listened(*_):
        done.append("opened")
        return listen.Report()

    monkeypatch.setattr(listen, "_listen", listened)
    for match in (True, False):
        listen.listen_to_the_end(
            ListenSettings.from_mapping(
                {"sources": "mic:", "index": str(index), "match": {"enabled": match}}, where=""
            )
        )
    assert done == ["compiled", "loaded", "opened", "opened"]


def test_sources_with_the_same_index_share_it_and_nobody_keeps_it_longer(index, tmp_path):
    other = shutil.copytree(index, tmp_path / "other")
    common = {"index": str(index), "sources": ["a.wav", "b.wav", {"uri": "c.wav", "index": str(other)}]}
    settings = ListenSettings.from_mapping(common, where="")
    hear = Hearings()
    hear.prepare(settings)
    a, b, c = (hear(settings.heard(source)) for source in settings.sources)
    assert a.catalogue is b.catalogue is not c.catalogue
    assert a.make_engine() is a.newest is not c.newest
    assert hear.any_index
    forgotten = weakref.ref(a.catalogue)
    del a, b
    gc.collect()
    assert forgotten() is None
    assert hear(settings.heard(settings.sources[2])).catalogue is c.catalogue
