"""From audio files to an index folder, on any number of processes."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from catalog_samples import RATE_HZ, contents, only_segment, sha256, song, write, write_tagged
from music import fit_to_tracks

from stream_match.catalog import coded_tracks, load_index, read, verify_index
from stream_match.catalog.background import load_background
from stream_match.catalog.build import build_index
from stream_match.catalog.read import frames_of, read_track
from stream_match.catalog.store import open_index
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError, UsageError
from stream_match.features.rolling import RollingFeatures
from stream_match.index.coding import code_track
from stream_match.index.segment import build_segment
from stream_match.threads import one_thread


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def rows_of(index):
    return {row.id: row for row in open_index(index).rows}


def test_the_same_bytes_on_any_number_of_processes_and_in_any_order(music, built, tmp_path):
    discs = sorted(music.iterdir())
    report = build_index([music], tmp_path / "two", jobs=2)
    assert contents(tmp_path / "two") == contents(built)
    assert (report.tracks, report.skipped, report.duplicates) == (5, (), ())
    assert report.audio_s == pytest.approx(30.0, abs=0.01)
    build_index(discs, tmp_path / "forward", jobs=1)
    build_index(discs[::-1], tmp_path / "backward", jobs=1)
    assert contents(tmp_path / "forward") == contents(tmp_path / "backward")
    assert names(tmp_path) == ["backward", "forward", "two"]


def test_equals_the_steps_by_hand(music, built):
    settings = FeatureSettings()
    index = open_index(built)
    chroma = []
    for row in index.rows:
        number = int(row.id[-1])
        chroma.append(RollingFeatures(settings).feed(song(number, 4.0 + number)))
    with one_thread():  # with more, the last digits are others
        planes = fit_to_tracks(chroma, settings, load_background(settings).tracks(settings))
    codes = [code_track(frames, planes, settings) for frames in chroma]
    twin, found = build_segment(codes, settings), only_segment(built)
    np.testing.assert_array_equal(index.planes.shape.planes, planes.shape.planes)
    for name in ("starts", "words", "audible", "hashed", "chroma_codes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(twin, name))
    np.testing.assert_array_equal(found.lsh.starts, twin.lsh.starts)
    np.testing.assert_array_equal(found.lsh.entries, twin.lsh.entries)
    distances, _ = found.neighbours.search(twin.codes, 9)
    np.testing.assert_array_equal(distances, twin.neighbours.search(twin.codes, 9)[0])


def test_a_long_track_in_stretches_has_the_codes_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("stream_match.catalog.read._STRETCH_HASHED", 8)
    settings = FeatureSettings(code_stride_frames=3)
    whole = RollingFeatures(settings).feed(song(1, 20.0))
    whole.tofile(tmp_path / "chroma")
    stretches = list(frames_of(tmp_path / "chroma", settings))
    assert len(stretches) > 5
    planes = fit_to_tracks([whole], settings)
    parts = [code_track(chroma, planes, settings).codes for chroma in stretches]
    np.testing.assert_array_equal(np.concatenate(parts), code_track(whole, planes, settings).codes)


def test_titles_come_from_tags_and_the_table_wins(tmp_path):
    write_tagged(tmp_path / "m" / "a.flac", song(1), title="Tag", artist="Ann", album="LP")
    write_tagged(tmp_path / "m" / "b.flac", song(2))
    (tmp_path / "t.csv").write_text("id,title,artist\na,Table,\nb,Bee,Bob\n")
    build_index([tmp_path / "m"], tmp_path / "out", jobs=1, metadata=tmp_path / "t.csv")
    rows = rows_of(tmp_path / "out")
    assert (rows["a"].title, rows["a"].artist, rows["a"].album) == ("Table", "Ann", "LP")
    assert (rows["b"].title, rows["b"].artist, rows["b"].album) == ("Bee", "Bob", None)
    assert rows["a"].sha256 == sha256((tmp_path / "m" / "a.flac").read_bytes())


def test_what_cannot_be_a_track_is_skipped_with_its_reason(tmp_path):
    music = tmp_path / "music"
    write(music / "good.wav", song(1))
    write(music / "short.wav", song(2, 1.0))
    write(music / "silent.wav", np.zeros(5 * RATE_HZ, np.float32))
    (music / "text.ogg").write_text("not audio at all")
    (music / "empty.mp3").touch()
    report = build_index([music], tmp_path / "out", jobs=1)
    assert report.tracks == 1
    reasons = {path.name: reason for path, reason in report.skipped}
    assert list(reasons) == ["empty.mp3", "short.wav", "silent.wav", "text.ogg"]
    for name, reason in reasons.items():
        assert name in reason
    assert "1.0 s long, is too short: a track needs at least 1.9 s" in reasons["short.wav"]
    assert "silent" in reasons["silent.wav"]
    assert verify_index(tmp_path / "out") == []
    assert names(tmp_path) == ["music", "out"]


def test_nothing_readable_writes_nothing(tmp_path):
    write(tmp_path / "m" / "short.wav", song(2, 1.0))
    (tmp_path / "m" / "away").symlink_to(tmp_path / "unplugged")  # which is skipped first
    with pytest.raises(CatalogError, match=r"no track could be read.*too short"):
        build_index([tmp_path / "m"], tmp_path / "out", jobs=1)
    assert names(tmp_path) == ["m"]


def test_byte_identical_files_are_told(tmp_path):
    for name in "abc":
        write(tmp_path / "m" / f"{name}.wav", song(1 if name < "c" else 2))
    assert build_index([tmp_path / "m"], tmp_path / "out", jobs=1).duplicates == (("a", "b"),)


def test_no_paths_and_no_times_stand_inside(built, music):
    for content in contents(built).values():
        assert str(music).encode() not in content
        text = re.sub(rb"[0-9a-f]{16,}", b"", content)  # a hash may hold any number
        assert b"20%d" % (time.gmtime().tm_year % 100) not in text or len(content) > 10_000


def test_an_index_is_replaced_only_if_asked(music, index):
    before = contents(index)
    with pytest.raises(UsageError, match="--replace"):
        build_index([music], index, jobs=1)
    assert contents(index) == before
    build_index([music / "disc 0"], index, jobs=1, replace=True)
    assert len(load_index(index).tracks.named) == 3
    assert names(index.parent) == ["index"]


@pytest.mark.parametrize("stray", ["thesis.doc", "manifest.json"])
def test_a_folder_of_something_else_is_never_replaced(music, tmp_path, stray):
    out = tmp_path / "out"
    out.mkdir()
    (out / stray).write_text('{"format": "other"}')
    with pytest.raises(UsageError, match="something else"):
        build_index([music], out, jobs=1, replace=True)
    assert names(out) == [stray]


def test_a_file_of_the_users_in_an_index_is_never_lost(music, index):
    (index / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        build_index([music], index, jobs=1, replace=True)


def test_an_empty_folder_and_a_file_as_place(music, tmp_path):
    (tmp_path / "empty").mkdir()
    build_index([music / "disc 1"], tmp_path / "empty", jobs=1)
    assert len(load_index(tmp_path / "empty").tracks.named) == 2
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        build_index([music], tmp_path / "file", jobs=1, replace=True)


def test_mistakes_are_told_before_anything_is_read(music, tmp_path):
    with pytest.raises(UsageError, match="jobs is 0"):
        build_index([music], tmp_path / "out", jobs=0)
    with pytest.raises(UsageError, match=r"none' cannot be read \(No such file"):
        build_index([tmp_path / "none"], tmp_path / "out")
    assert names(tmp_path) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(music, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("stream_match.catalog.parts.np.save", full)
    with pytest.raises(CatalogError, match="the disk is full; nothing was changed"):
        build_index([music / "disc 1"], tmp_path / "out", jobs=1)
    assert names(tmp_path) == []


def test_a_file_that_kills_its_reader_is_skipped_and_the_rest_is_built(tmp_path, monkeypatch):
    for number in range(4):
        write(tmp_path / "m" / f"{number}.wav", song(number, 3.0))
    monkeypatch.setattr(coded_tracks, "read_track", die_over_some)
    report = build_index([tmp_path / "m"], tmp_path / "out", jobs=2)
    assert {path.name for path, _ in report.skipped} == {"1.wav", "2.wav"}  # one per worker
    for path, reason in report.skipped:
        assert str(path) in reason
        assert "the process that read it died" in reason
    assert sorted(rows_of(tmp_path / "out")) == ["0", "3"]
    assert names(tmp_path) == ["m", "out"]


def die_over_some(path, frames, settings):
    if path.name in ("1.wav", "2.wav"):
        frames.with_suffix(".part").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read_track(path, frames, settings)


def test_workers_that_cannot_start_are_an_error(music, tmp_path, monkeypatch):
    monkeypatch.setattr(coded_tracks, "read_track", die)
    with pytest.raises(CatalogError, match="could not start"):
        build_index([music], tmp_path / "out", jobs=2)
    assert names(tmp_path) == []


def die(path, frames, settings):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "error", [ValueError("no such layout"), MemoryError(), OSError(errno.EIO, "I/O error")], ids=repr
)
@pytest.mark.parametrize("where", ["read_blocks", "tags"])
def test_whatever_a_decoder_raises_costs_one_file_only(tmp_path, monkeypatch, error, where):
    write(tmp_path / "m" / "good.wav", song(1))
    write(tmp_path / "m" / "odd.wav", song(2))
    real = getattr(read, where)

    def odd(path):
        if path.name == "odd.wav":
            raise error
        return real(path)

    monkeypatch.setattr(read, where, odd)
    report = build_index([tmp_path / "m"], tmp_path / "out", jobs=1)
    ((path, reason),) = report.skipped
    assert path.name == "odd.wav"
    assert "odd.wav' cannot be read (" in reason
    assert list(rows_of(tmp_path / "out")) == ["good"]


BUILD = """
import sys, time
from pathlib import Path
import numpy as np
from stream_match.catalog import read
from stream_match.catalog.build import build_index

def endless(path):
    while True:
        time.sleep(0.02)
        yield np.ones(1000, np.float32)

read.read_blocks = endless  # in the workers too: they import this file
if __name__ == "__main__":
    build_index([Path(sys.argv[1])], Path(sys.argv[2]), jobs=2)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_called_off_in_the_middle(tmp_path, number):
    for name in ["m/0.wav", "m/1.wav", "s/2.wav"]:
        write(tmp_path / name, song(1))
    (tmp_path / "build.py").write_text(BUILD)
    out = tmp_path / "o" / "out"
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "build.py"), str(tmp_path / "m"), str(out)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: list(out.glob(".work-*/work/*.part")))
    began = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)  # the pipe ends with the last worker
    assert time.monotonic() - began < 10
    if number == signal.SIGINT:
        assert names(tmp_path / "o") == []
        assert b"KeyboardInterrupt" in errors
    build_index([tmp_path / "s"], out, jobs=1)
    assert names(tmp_path / "o") == ["out"]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_manifest_lists_everything(built):
    manifest = json.loads((built / "manifest.json").read_text())
    found, named = contents(built), {}
    planes = manifest["parts"]["hyperplanes"]
    named |= {f"planes/{planes['folder']}/{name}": entry for name, entry in planes["files"].items()}
    for segment in manifest["segments"]:
        for part in segment["parts"].values():
            for name, entry in part["files"].items():
                named[f"segments/{segment['folder']}/{name}"] = entry
    assert set(named) | {"manifest.json", "MODEL_CARD.md"} == set(found)
    for name, entry in named.items():
        assert entry == {"bytes": len(found[name]), "sha256": sha256(found[name])}
    assert manifest["counts"]["tracks"] == 5
