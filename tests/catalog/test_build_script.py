"""scripts/build_index.py: thin, with honest exit statuses."""

import runpy
import sys
from pathlib import Path

import pytest
from catalog_samples import song, write

from stream_match.catalog import load_index

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_index.py"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["build_index.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return ended.value.code


def test_exit_statuses(tmp_path, monkeypatch, capsys):
    write(tmp_path / "m" / "a.wav", song(1))
    out = tmp_path / "out"
    assert run(monkeypatch, tmp_path / "m", "--out", out, "--jobs", 1) == 0
    assert len(load_index(out).tracks.named) == 1
    assert run(monkeypatch, tmp_path / "m", "--out", out) == 2
    (tmp_path / "m" / "b.ogg").write_text("no audio")
    assert run(monkeypatch, tmp_path / "m", "--out", out, "--jobs", 1, "--replace") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--replace" in captured.err
    assert "skipped: " in captured.err
    assert "b.ogg" in captured.err
    assert run(monkeypatch, tmp_path / "m" / "b.ogg", "--out", tmp_path / "none") == 1
