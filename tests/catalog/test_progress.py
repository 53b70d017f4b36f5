"""The bar: on a terminal only, in minutes of audio."""

import sys

import pytest
from catalog_samples import song, write

from stream_match.catalog.progress import progress_bar
from stream_match.catalog.read import ReadTrack, Unread


@pytest.fixture
def paths(tmp_path):
    return [write(tmp_path / f"{number}.wav", song(number, 6.0)) for number in range(2)]


def test_counts_minutes_of_audio(paths, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar([*paths, tmp_path / "none"], shown=True) as on_done:
        on_done(0, ReadTrack(129, 6.0, "", {}))
        on_done(2, Unread("no such file"))
        on_done(1, ReadTrack(2455, 114.0, "", {}))  # longer than its header said
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0 of 0 min of audio" in captured.err
    assert "100%" in captured.err
    assert "2 of 2 min of audio" in captured.err


@pytest.mark.parametrize(("terminal", "shown"), [(False, True), (True, False)])
def test_is_silent_otherwise(paths, monkeypatch, capsys, terminal, shown):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with progress_bar(paths, shown=shown) as on_done:
        on_done(0, ReadTrack(129, 6.0, "", {}))
    assert capsys.readouterr() == ("", "")
