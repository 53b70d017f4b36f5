"""The tracks of an index described from their audio: resumed, whole or not at all."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog import (
    build_index,
    describe_index,
    list_tracks,
    remove_tracks,
    update_index,
    verify_index,
)
from stream_match.catalog import described_rows as rows_on_disk
from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.described import read_descriptors
from stream_match.catalog.lock import one_writer
from stream_match.catalog.manifest import read_manifest
from stream_match.cli import main
from stream_match.descriptors import sets as sets_module
from stream_match.descriptors.sets import LEVELLED_SETS, describe_by_all
from stream_match.errors import CatalogError, SinkError, SourceError, UsageError
from stream_match.offline.tables import described, indexed
from stream_match.offline.tables.described import by_all_sets, describe_whole
from stream_match.offline.tables.indexed import describe_tracks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three pieces in two folders, one of them too short for segments."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "disc").mkdir()
    for number, (name, seconds) in enumerate((("disc/one", 8), ("disc/two", 9), ("short", 5))):
        y = render(PIECES[number])[: seconds * SAMPLE_RATE_HZ]
        soundfile.write(folder / f"{name}.wav", y, SAMPLE_RATE_HZ, "FLOAT")
    return folder


@pytest.fixture(scope="module")
def built(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "index"
    build_index([music], out, jobs=1)
    return out


@pytest.fixture
def index(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


@pytest.fixture
def copy(music, tmp_path):
    """The music, free to be changed."""
    return shutil.copytree(music, tmp_path / "music")


@pytest.fixture
def quick(monkeypatch):
    """The set of librosa takes most of the time, and most tests are not about it."""
    monkeypatch.setattr(sets_module, "_gtzan", lambda blocks: np.full(57, float(sum(map(len, blocks)))))


def left_in(index):
    return sorted(path.name for path in index.iterdir())


WHOLE = ["MODEL_CARD.md", "manifest.json", "planes", "segments"]


def test_rows_are_what_the_sets_say_of_the_files(index, music):
    report = describe_tracks(index, [music], jobs=1)
    found = read_descriptors(index)
    assert found.ids == ("disc/one", "disc/two", "short")
    for track, *rows in zip(found.ids, *found.sets.values(), strict=True):
        for name, row in zip(found.sets, rows, strict=True):
            if (track, name) in (("short", "rp"), ("short", "ssd")):
                assert np.isnan(row).all()
            else:
                expected = describe_whole(music / f"{track}.wav", LEVELLED_SETS[name])
                np.testing.assert_array_equal(row, expected.astype(np.float32))
    assert (report.tracks, report.described, report.new, report.resumed) == (3, 3, 3, 0)
    assert (report.partly, report.others, report.skipped) == (1, 0, ())
    assert report.audio_s == pytest.approx(22, abs=0.01)
    assert left_in(index) == WHOLE
    assert verify_index(index) == []


@pytest.mark.usefixtures("quick")
def test_a_track_longer_than_the_gtzan_set_takes(monkeypatch, music):
    blocks = np.split(np.random.default_rng(0).uniform(-0.3, 0.3, 8 * SAMPLE_RATE_HZ).astype(np.float32), 8)
    monkeypatch.setattr(sets_module, "_MOST", 8 * SAMPLE_RATE_HZ)
    assert np.isfinite(np.concatenate(list(describe_by_all(blocks).values()))).all()
    monkeypatch.setattr(sets_module, "_MOST", 8 * SAMPLE_RATE_HZ - 1)
    found = describe_by_all(blocks)
    assert {name: bool(np.isnan(row).all()) for name, row in found.items()} == {
        "rp": False,
        "ssd": False,
        "gtzan": True,
    }


def test_nothing_at_all_is_described_by_no_set():
    for blocks in ([], [np.zeros(100, np.float32)]):
        found = describe_by_all(blocks)
        assert [len(row) for row in found.values()] == [1440, 168, 57]
        assert all(np.isnan(row).all() for row in found.values())


@pytest.mark.usefixtures("quick")
def test_what_is_described_is_passed_over_and_what_is_new_is_added(index, copy, music, monkeypatch):
    describe_tracks(index, [copy / "disc" / "..", copy / "short.wav"], jobs=1)
    generation = read_manifest(index).generation
    again = describe_tracks(index, [copy], jobs=1)
    assert (again.new, again.described, read_manifest(index).generation) == (0, 3, generation)
    y = render(PIECES[5])[: 7 * SAMPLE_RATE_HZ]
    soundfile.write(copy / "disc" / "one.wav", y, SAMPLE_RATE_HZ, "FLOAT")
    soundfile.write(copy / "new.wav", y, SAMPLE_RATE_HZ, "FLOAT")  # the same file twice
    update_index(index, [copy], jobs=1)
    info = describe_index(index)
    assert (info.described, info.parts["descriptors"]) == (2, 1)
    assert info.hint == f"stream-match index describe {index} AUDIO… describes 2 more tracks"
    report = describe_tracks(index, [copy], jobs=1)
    assert (report.new, report.described, report.tracks) == (1, 4, 4)
    assert describe_index(index).hint is None
    found = read_descriptors(index)
    rows = {name: found.sets["ssd"][place] for place, name in enumerate(found.ids)}
    np.testing.assert_array_equal(rows["disc/one"], rows["new"])
    whole = describe_whole(copy / "new.wav", LEVELLED_SETS["ssd"]).astype(np.float32)
    np.testing.assert_array_equal(rows["new"], whole)


def test_on_two_processes_it_is_the_same_to_the_byte(index, music, tmp_path):
    other = shutil.copytree(index, tmp_path / "other")
    describe_tracks(index, [music], jobs=1)
    describe_tracks(other, [music], jobs=2)
    assert read_manifest(other).parts.descriptors == read_manifest(index).parts.descriptors


@pytest.mark.usefixtures("quick")
def test_bad_files_are_named_and_the_rest_is_described(index, copy, capfd):
    (copy / "disc" / "one.wav").write_bytes((copy / "disc" / "two.wav").read_bytes())
    (copy / "short.wav").unlink()
    (copy / "stranger.wav").write_bytes((copy / "disc" / "two.wav").read_bytes())
    (copy / "stranger2.wav").touch()
    assert main(["index", "describe", str(index), str(copy), "--jobs", "1"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    told = [line.removeprefix("stream-match: ") for line in err.splitlines()]
    one = copy / "disc" / "one.wav"
    assert told[:2] == [
        f"skipped: '{one}' is not what the index was made of: run stream-match index update first",
        "files that are no tracks of the index: 2",
    ]
    assert re.fullmatch(
        rf"described 1 file, 0\.1 min of audio, in .* s; 1 of 3 tracks of {index} have descriptors; "
        r"files skipped: 1",
        told[2],
    )
    assert read_descriptors(index).ids == ("disc/two",)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_no_numbers_are_not_stored(index, music, monkeypatch, value):
    monkeypatch.setattr(sets_module, "_gtzan", lambda _: np.array([value] + [0.0] * 56))
    with pytest.raises(SourceError, match=r"two.wav' has values of gtzan that are not finite"):
        by_all_sets(music / "disc" / "two.wav")
    report = describe_tracks(index, [music], jobs=1)
    assert (report.described, len(report.skipped)) == (0, 3)
    with pytest.raises(UsageError, match="has no descriptors"):
        read_descriptors(index)


def test_a_set_that_breaks_over_a_file_is_told(index, music, monkeypatch):
    def breaks(_):
        raise ZeroDivisionError

    monkeypatch.setattr(sets_module, "_gtzan", breaks)
    report = describe_tracks(index, [music], jobs=1)
    assert report.skipped[0][1] == f"'{music / 'disc/one.wav'}' cannot be described (ZeroDivisionError)"


@pytest.mark.usefixtures("quick")
def test_a_run_that_was_broken_off_is_taken_up(index, music, monkeypatch):
    describing = indexed.describe_track

    def interrupted(path, rows, settings):
        if path.name == "two.wav":
            rows.with_suffix(".part").touch()
            raise KeyboardInterrupt
        return describing(path, rows, settings)

    with monkeypatch.context() as patched:
        patched.setattr(indexed, "describe_track", interrupted)
        with pytest.raises(KeyboardInterrupt):
            describe_tracks(index, [music], jobs=1)
    assert [path.suffix for path in (index / ".describing").iterdir()] == [".rows"]
    assert verify_index(index) == []
    remove_tracks(index, ["short"])  # others may change the index meanwhile
    assert len(list((index / ".describing").iterdir())) == 1
    report = describe_tracks(index, [music], jobs=1)
    assert (report.new, report.resumed, report.described, report.others) == (2, 1, 2, 1)
    assert left_in(index) == WHOLE


@pytest.mark.usefixtures("quick")
def test_rows_that_were_not_written_whole_are_made_again(index, music, monkeypatch):
    def full(*_, **__):
        raise CatalogError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(indexed, "add_descriptors", full)
        with pytest.raises(CatalogError):
            describe_tracks(index, [music], jobs=1)
    rows = sorted((index / ".describing").glob("*.rows"))
    assert len(rows) == 3
    os.truncate(rows[0], 1000)
    report = describe_tracks(index, [music], jobs=1)
    assert (report.new, report.resumed) == (3, 2)
    assert np.isfinite(read_descriptors(index).sets["gtzan"]).all()


@pytest.mark.usefixtures("quick")
def test_what_an_edit_removes_while_tracks_are_described(index, music, monkeypatch):
    adding = indexed.add_descriptors

    def later(*args, **kwargs):
        remove_tracks(index, ["disc/one"])
        return adding(*args, **kwargs)

    monkeypatch.setattr(indexed, "add_descriptors", later)
    describe_tracks(index, [music], jobs=1)
    assert read_descriptors(index).ids == ("disc/two", "short")
    assert read_manifest(index).parts.descriptors.rows == 2


@pytest.mark.usefixtures("quick")
def test_two_at_once_are_told(index, music):
    (index / ".describing").mkdir()
    with one_writer(index / ".describing"), pytest.raises(CatalogError, match="is being written by another"):
        describe_tracks(index, [music], jobs=1)
    with one_writer(index), pytest.raises(CatalogError, match="is being written by another process"):
        describe_tracks(index, [music], jobs=1)
    report = describe_tracks(index, [music], jobs=1)  # nothing of the work was lost
    assert (report.resumed, report.described) == (3, 3)


@pytest.mark.usefixtures("quick")
def test_on_a_full_disk_the_index_stays_as_it_was(index, music, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = (index / "manifest.json").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(SinkError, match=rf"'{index}' cannot be written: No space left on device"):
            describe_tracks(index, [music], jobs=1)
    assert left_in(index) == WHOLE
    with monkeypatch.context() as patched:
        patched.setattr(rows_on_disk, "save_arrays", full)
        with pytest.raises(CatalogError, match="cannot be written: the disk is full; nothing was changed"):
            describe_tracks(index, [music], jobs=1)
    assert (index / "manifest.json").read_bytes() == before
    assert verify_index(index) == []
    assert describe_tracks(index, [music], jobs=1).resumed == 3


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import numpy as np
from stream_match.catalog.describe import add_descriptors
from stream_match.catalog.store import open_index

index, place = Path(sys.argv[1]), Path(sys.argv[2])
left = 0

def counted(function):
    def called(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return called

rows = {row.sha256: np.full(1665, 7, np.float32) for row in open_index(index).rows}
for moment in range(1000):
    shutil.copytree(index, place / str(moment))
    child = os.fork()
    if not child:
        for owner, name in [(Path, "rename"), (Path, "replace"), (Path, "mkdir"), (Path, "write_bytes"),
                            (Path, "write_text"), (os, "fsync"), (np, "save")]:
            setattr(owner, name, counted(getattr(owner, name)))
        left = moment
        add_descriptors(place / str(moment), rows, librosa="0.11.0")
        os._exit(0)
    if not os.waitpid(child, 0)[1]:
        break
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_old_or_new_rows(index, tmp_path):
    old = {row.sha256: np.full(1665, 3, np.float32) for row in list_tracks(index)}
    add_descriptors(index, old, librosa="0.11.0")
    (tmp_path / "kill.py").write_text(KILLED)
    (tmp_path / "left").mkdir()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, tmp_path / "kill.py", index, tmp_path / "left"]
    subprocess.run(command, env=env, check=True, timeout=300)
    places = sorted((tmp_path / "left").iterdir(), key=lambda path: int(path.name))
    seen = [np.unique(read_descriptors(place).sets["ssd"]).tolist() for place in places]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1], len(seen) > 15) == ([3], [7], True)
    for place in places[::6]:  # the next one that writes clears away what is left
        remove_tracks(place, ["short"])
        assert left_in(place) == WHOLE
        assert verify_index(place) == []


@pytest.mark.parametrize(
    ("words", "told", "status"),
    [
        (
            "{index} {music}/disc",
            r"no file in '.*disc' is a track of the index .* such as 'disc/one', paths",
            2,
        ),
        ("{index} {music}/nowhere", "cannot be read", 2),
        ("{index}/planes {music}", "is not an index", 1),
        ("{music}/none {music}", "there is no index folder", 1),
        ("{index} {music} --jobs 0", "'0' is no whole number from 1 up", 2),
        ("{index}", "the following arguments are required: PATH", 2),
    ],
)
def test_a_mistake_is_one_sentence(index, music, capfd, words, told, status):
    try:
        found = main(["index", "describe", *words.format(index=index, music=music).split()])
    except SystemExit as error:
        found = error.code
    out, err = capfd.readouterr()
    assert (found, out, err.count("\n")) == (status, "", 1)
    assert re.search(told, err)
    assert left_in(index) == WHOLE


def test_info_and_verify_tell_of_descriptors(index, capfd):
    rows = {row.sha256: np.ones(1665, np.float32) for row in list_tracks(index)}
    add_descriptors(index, rows, librosa="0.11.0")
    assert main(["index", "info", str(index)]) == 0
    out = capfd.readouterr().out
    assert re.search(r"^described +3$", out, re.MULTILINE)
    assert re.search(r"^parts.descriptors +1$", out, re.MULTILINE)
    assert verify_index(index) == []
    next(iter(rows.values()))[3] = np.nan
    add_descriptors(index, rows, librosa="0.11.0")
    (problem,) = verify_index(index)
    assert problem == "the descriptors rp have rows that are partly no numbers: build the index again"
    assert read_descriptors(index).complete("rp").sum() == 2


def test_the_worker_tells_of_a_file_that_is_gone(tmp_path):
    rows = tmp_path / f"{'0' * 64}.1-0.11.0.rows"
    result = described.describe_track(tmp_path / "gone.wav", rows, None)
    assert "gone.wav' cannot be read: No such file or directory" in result.reason
    assert list(tmp_path.iterdir()) == []
